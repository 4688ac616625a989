"""Walking through every operation of the documents: which there are, and ids that mean something there.

Ids are harvested from the services' own answers, so that a walk gets further than "there is no such thing".
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """One method of one path of one service."""

    service: str
    method: str
    path: str
    told: dict[str, Any] = field(repr=False, hash=False, compare=False)

    @property
    def name(self) -> str:
        return f"{self.service}: {self.method.upper()} {self.path}"

    def ids(self) -> list[str]:
        """The names of the path's parameters."""
        return [part[1:-1].partition(":")[0] for part in self.path.split("/") if part.startswith("{")]

    def guarded(self) -> bool:
        return self.told.get("security") == [{"bearer": []}]


def operations(documents: dict[str, dict[str, Any]]) -> Iterator[Operation]:
    """Every operation of these services' documents."""
    for service, document in documents.items():
        for path, methods in document["paths"].items():
            for method in METHODS:
                if method in methods:
                    yield Operation(service, method, path, methods[method])


class Seen:
    """The ids that answers held, by the name of their field."""

    def __init__(self) -> None:
        self.by_name: dict[str, list[str]] = {}
        self.dice = random.Random(7)

    def harvest(self, value: Any, name: str = "") -> None:
        """Keep every id of a JSON value."""
        if isinstance(value, dict):
            for key, inner in value.items():
                self.harvest(inner, key)
        elif isinstance(value, list):
            for inner in value:
                self.harvest(inner, name)
        elif isinstance(value, str) and _is_id(value):
            kept = self.by_name.setdefault(name, [])
            if value not in kept:
                kept.append(value)

    def one(self, name: str) -> str | None:
        """An id that was told under this name, or under `id`."""
        kept = self.by_name.get(name) or self.by_name.get("id")
        return self.dice.choice(kept) if kept else None

    def into(self, value: Any, fixed: dict[str, str]) -> Any:
        """The value with ids that mean something where its fields are named after them."""
        if isinstance(value, dict):
            return {key: fixed.get(key) or self._known(key, inner, fixed) for key, inner in value.items()}
        return [self.into(inner, fixed) for inner in value] if isinstance(value, list) else value

    def _known(self, name: str, value: Any, fixed: dict[str, str]) -> Any:
        if isinstance(value, str) and _is_id(value):
            return self.one(name) or value
        return self.into(value, fixed)


def _is_id(text: str) -> bool:
    if len(text) != 36:
        return False
    try:
        UUID(text)
    except ValueError:
        return False
    return True
