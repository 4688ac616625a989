"""The OpenAPI document: what each operation takes, which proofs it needs, and every refusal that it may answer.

The refusals follow from what guards a route, so they are written here once and not at every route.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from libs.common.auth import Requires, RequiresService

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; for programs."},
        "detail": {"type": "string"},
        "field": {"type": "string", "description": "The path of the field that is meant."},
        "remedy": {"type": "string", "description": "What to do about it."},
    },
}
_ALWAYS = {
    "404": "There is no such thing here.",
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
    "415": "This kind of content is not read here.",
    "422": "The request was refused; `field` and `remedy` say why.",
    "429": "Your quota is used up; wait for Retry-After.",
    "503": "We cannot take it now; nothing was taken, wait for Retry-After.",
}
_UNSAFE = {
    "409": "The present state does not allow this.",
    "412": "It was changed since it was read.",
}
_GUARDED = {"401": "The credentials are missing, wrong or expired.", "403": "The credentials do not allow this."}
_RETRY_AFTER = {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds to wait."}}
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again under the same key, the request is carried out once and answered alike. Kept 72 h.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


_LOCAL_TIME = {"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$"}


def _local_times(value: Any) -> Any:
    """JSON Schema's `time` has an offset (RFC 3339); ours are local times of a zone that stands beside them."""
    if isinstance(value, dict):
        told = {name: _local_times(inner) for name, inner in value.items() if name != "format" or inner != "time"}
        return told | _LOCAL_TIME if value.get("format") == "time" else told
    return [_local_times(inner) for inner in value] if isinstance(value, list) else value


def guards(dependant: Dependant) -> Iterator[object]:
    """Every dependency of a route, at any depth."""
    for inner in dependant.dependencies:
        yield inner.call
        yield from guards(inner)


def _answer(status: str, sentence: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "description": sentence,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    return told | {"headers": _RETRY_AFTER} if status in ("429", "503") else told


def _complete(operation: dict[str, Any], route: APIRoute, path: str, method: str) -> None:
    proofs = [guard for guard in guards(route.dependant) if isinstance(guard, Requires | RequiresService)]
    webhook = path.startswith("/v1/webhooks/")
    refusals = dict(_ALWAYS)
    if method not in ("get", "head"):
        refusals |= _UNSAFE
    if proofs or webhook:
        refusals |= _GUARDED
    if proofs:
        operation["security"] = [{"bearer": []}]
        operation["x-scopes"] = sorted(guard.scope for guard in proofs if isinstance(guard, Requires))
    if webhook:
        operation["security"] = [{"webhookSignature": []}]
    if method == "post" and path.startswith("/v1/") and not webhook and proofs:
        operation.setdefault("parameters", []).append(KEY)
    answers = operation.setdefault("responses", {})
    answers.pop("422", None)
    for status in refusals:
        answers.setdefault(status, {"$ref": f"#/components/responses/Problem{status}"})


def document(app: FastAPI) -> dict[str, Any]:
    """The whole document of one application, as OpenAPI 3.1."""
    found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        path = context.path_format
        if not isinstance(route, APIRoute) or path is None or path not in found["paths"]:
            continue
        for method in route.methods or ():
            operation = found["paths"][path].get(method.lower())
            if operation is not None:
                _complete(operation, route, path, method.lower())
    parts = found.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for framework in ("HTTPValidationError", "ValidationError"):
        schemas.pop(framework, None)
    schemas["Problem"] = PROBLEM
    every = _ALWAYS | _UNSAFE | _GUARDED
    parts["responses"] = {f"Problem{status}": _answer(status, sentence) for status, sentence in every.items()}
    parts["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key `rk_live_…`, or a service token."},
        "webhookSignature": {"type": "apiKey", "in": "header", "name": "webhook-signature"},
    }
    local: dict[str, Any] = _local_times(found)
    return local
