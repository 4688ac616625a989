"""One OpenAPI document for one public host: the five services' documents laid together.

No path stands on two services, or nobody could route it; that is refused here. Two schemas of one name that differ
get their service's name in front.
"""

from collections.abc import Mapping
from typing import Any

from libs.common.errors import RelanceError

Document = dict[str, Any]
_REF = "#/components/schemas/"


class PathTwice(RelanceError):
    """Two services serve the same path."""

    code = "path_twice"


def merged(documents: Mapping[str, Document]) -> Document:
    """The public document of these services, by name. Raises PathTwice. `/internal` is left out."""
    found: Document = {
        "openapi": "3.1.0",
        "info": {"title": "Relance", "version": "1", "description": "Accounts-receivable follow-up, one public host."},
        "paths": {},
        "components": {"schemas": {}, "securitySchemes": {}, "responses": {}},
    }
    owners: dict[str, str] = {}
    for service, document in sorted(documents.items()):
        own = _named_apart(found["components"]["schemas"], service, document)
        for path, operations in own["paths"].items():
            _only_once(owners, path, service)
            if not path.startswith("/internal/"):
                found["paths"][path] = _tagged(operations, service)
        found["components"]["schemas"] |= own["components"]["schemas"]
        for kind in ("securitySchemes", "responses"):
            found["components"][kind] |= own["components"].get(kind, {})
    return found


def _only_once(owners: dict[str, str], path: str, service: str) -> None:
    other = owners.setdefault(path, service)
    if other != service and not path.startswith("/internal/"):
        raise PathTwice(f"{path} is served by {other} and by {service}.")


def _tagged(operations: Document, service: str) -> Document:
    return {
        method: {**operation, "tags": [service], "operationId": f"{service}_{operation['operationId']}"}
        for method, operation in operations.items()
    }


def _named_apart(known: Document, service: str, document: Document) -> Document:
    """The document with those of its schemas renamed that mean something else elsewhere."""
    schemas = document.get("components", {}).get("schemas", {})
    renamed = {name: f"{service}_{name}" for name, schema in schemas.items() if known.get(name, schema) != schema}
    moved: Document = _moved(document, {_REF + old: _REF + new for old, new in renamed.items()})
    moved["components"]["schemas"] = {
        renamed.get(name, name): schema for name, schema in moved["components"]["schemas"].items()
    }
    return moved


def _moved(value: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: renamed.get(inner, inner) if key == "$ref" else _moved(inner, renamed) for key, inner in value.items()
        }
    return [_moved(inner, renamed) for inner in value] if isinstance(value, list) else value
