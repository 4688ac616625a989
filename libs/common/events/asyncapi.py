"""The published contract of the events, generated from the models: JSON Schemas, one AsyncAPI 3 document, one page.

`python -m libs.common.events.asyncapi` writes them; `--check` writes nothing and fails when they are not current.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from libs.common.events import COMPACTED, HEARD, OWNERS, PARTITIONS, TYPES
from libs.common.events.envelope import Body

ROOT = Path(__file__).resolve().parents[3]
SCHEMAS = Path(__file__).parent / "schemas"
HEADERS = {
    "ce_specversion": "CloudEvents version, 1.0",
    "ce_id": "id of the event; the same id is the same event, however often it arrives",
    "ce_source": "/relance/<service>",
    "ce_type": "relance.<Type>.v<version>",
    "ce_time": "business clock, UTC",
    "recorded_at": "machine clock, UTC",
    "ce_subject": "id of the aggregate",
    "ce_tenantid": "id of the tenant",
    "ce_correlationid": "id of the first event of the conversation",
    "ce_causationid": "id of the event that caused this one, if any",
    "content-type": "application/json",
    "traceparent": "W3C trace context, if any",
}


def name_of(body: type[Body]) -> str:
    return f"{body.__name__}.v{body.schema_version}"


def schema(body: type[Body]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one body."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | body.model_json_schema(mode="serialization")


def asyncapi(version: str) -> dict[str, Any]:
    """The AsyncAPI 3.0.0 document: a channel a topic, a message a type, who sends and who receives it."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Relance events",
            "version": version,
            "description": "CloudEvents 1.0 in binary mode over Kafka; bodies are JSON. Unknown fields are ignored.",
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic) for topic in OWNERS},
        "operations": {f"{owner}.says.{topic}": _operation("send", topic) for topic, owner in OWNERS.items()}
        | {
            f"{service}.hears.{topic}": _operation("receive", topic)
            for service, topics in HEARD.items()
            for topic in sorted(topics)
        },
        "components": {"messages": {name_of(body): _message(body) for body in TYPES.values()}},
    }


def _of(topic: str) -> list[type[Body]]:
    return [body for body in TYPES.values() if body.topic == topic]


def _channel(topic: str) -> dict[str, Any]:
    policy = ["compact"] if topic in COMPACTED else ["delete"]
    return {
        "address": topic,
        "messages": {name_of(body): {"$ref": f"#/components/messages/{name_of(body)}"} for body in _of(topic)},
        "bindings": {"kafka": {"partitions": PARTITIONS, "topicConfiguration": {"cleanup.policy": policy}}},
    }


def _operation(action: str, topic: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic}"}}


def _message(body: type[Body]) -> dict[str, Any]:
    return {
        "name": body.__name__,
        "title": (body.__doc__ or "").strip().split("\n")[0],
        "headers": {
            "type": "object",
            "properties": {name: {"type": "string", "description": text} for name, text in HEADERS.items()},
        },
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./{name_of(body)}.json"},
        },
    }


def page() -> str:
    """docs/events.md: every event in a line, by topic."""
    lines = ["# Events", "", "Generated from `libs/common/events`; the schemas are beside the models.", ""]
    for topic, owner in OWNERS.items():
        kind = "compacted" if topic in COMPACTED else "kept"
        heard = ", ".join(f"`{service}`" for service, topics in HEARD.items() if topic in topics)
        lines += [f"## `{topic}`", "", f"Said by `{owner}`, heard by {heard}; {PARTITIONS} partitions, {kind}.", ""]
        lines += ["| event | what happened | fields |", "|---|---|---|"]
        lines += [_line(body) for body in _of(topic)] + [""]
    return "\n".join(lines)


def _line(body: type[Body]) -> str:
    said = " ".join((body.__doc__ or "").split())
    return f"| **{name_of(body)}** | {said} | {', '.join(f'`{name}`' for name in body.model_fields)} |"


def documents() -> Iterator[tuple[Path, str]]:
    """Every generated file and its content."""
    for body in TYPES.values():
        yield SCHEMAS / f"{name_of(body)}.json", _json(schema(body))
    yield SCHEMAS / "asyncapi.json", _json(asyncapi("1"))
    yield ROOT / "docs" / "events.md", page()


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the documents, or with --check say which are not current and return 1."""
    wanted = dict(documents())
    stale = [path for path, content in wanted.items() if not path.exists() or path.read_text("utf-8") != content]
    stale += [path for path in SCHEMAS.glob("*.json") if path not in wanted]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)} is not current: run `make schemas`\n")
        return 1 if stale else 0
    SCHEMAS.mkdir(exist_ok=True)
    for path in stale:
        path.unlink(missing_ok=True)
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
