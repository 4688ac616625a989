"""What differs between two versions of a policy: steps by their keys, everything else by its name.

The rule it protects: a step that was moved is told as moved, not as taken out and put in; nothing that changes what
leaves is left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from services.scheduler.policy import Policy

What = Literal["added", "removed", "changed", "moved"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `place` like `steps.firm.offset`; `before` and `after` as JSON, None where there is none."""

    place: str
    what: What
    before: Any
    after: Any


def changes(before: Policy, after: Policy) -> list[Change]:
    """All differences, those of the policy first, then step by step in the order of the new version."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    found = [*_fields("", {**old, "steps": None}, {**new, "steps": None})]
    were, are = ({step["key"]: step for step in each["steps"]} for each in (old, new))
    for key, step in are.items():
        if key not in were:
            found.append(Change(f"steps.{key}", "added", None, step))
        else:
            found += _moved(key, list(were), list(are))
            found += _fields(f"steps.{key}.", were[key], step)
    found += [Change(f"steps.{key}", "removed", step, None) for key, step in were.items() if key not in are]
    return found


def _fields(prefix: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _fields(f"{prefix}{name}.", old, new)
        elif old != new:
            what: What = "added" if name not in before else "removed" if name not in after else "changed"
            yield Change(f"{prefix}{name}", what, old, new)


def _moved(key: str, before: list[str], after: list[str]) -> list[Change]:
    """The step that stood before it among those that both versions have."""
    old = _follows(key, [each for each in before if each in after])
    new = _follows(key, [each for each in after if each in before])
    return [] if old == new else [Change(f"steps.{key}", "moved", old, new)]


def _follows(key: str, keys: list[str]) -> str:
    place = keys.index(key)
    return f"after {keys[place - 1]}" if place else "first"
