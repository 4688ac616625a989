"""Shadow beside what really left: the reminders that we would have sent, and those that another system did send.

The rule it protects: each reminder of either side is in exactly one place, both in tone or not, or on one side only.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

Found = Literal["same", "softer", "harder", "ours_only", "theirs_only"]
FOUND: tuple[Found, ...] = ("same", "softer", "harder", "ours_only", "theirs_only")


@dataclass(frozen=True, slots=True)
class Said:
    """A reminder about one item on a day, ours or theirs."""

    item_id: UUID
    number: str
    on: date
    tone: int
    step: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """One reminder of both sides, or of one. `found` says how ours is beside theirs."""

    item_id: UUID
    number: str
    found: Found
    ours: Said | None
    theirs: Said | None

    @property
    def on(self) -> date:
        """The earlier of the two days."""
        return min(said.on for said in (self.ours, self.theirs) if said is not None)

    @property
    def days_later(self) -> int | None:
        """How many days after theirs ours would have come; negative: before."""
        return (self.ours.on - self.theirs.on).days if self.ours is not None and self.theirs is not None else None


def compare(ours: Iterable[Said], theirs: Iterable[Said], within: int) -> list[Compared]:
    """Pair the reminders of each item that are at most so many days apart, the closest first; the rest stand alone."""
    mine, others = _by_item(ours), _by_item(theirs)
    found: list[Compared] = []
    for item in sorted(mine.keys() | others.keys()):
        found += _of_item(mine.get(item, []), others.get(item, []), within)
    return sorted(found, key=lambda each: (each.on, each.number, each.found, str(each.item_id)))


def counts(found: Iterable[Compared]) -> dict[Found, int]:
    """How many of each, none left out."""
    counted = Counter(each.found for each in found)
    return {each: counted[each] for each in FOUND}


def _by_item(said: Iterable[Said]) -> dict[UUID, list[Said]]:
    found: dict[UUID, list[Said]] = defaultdict(list)
    for each in said:
        found[each.item_id].append(each)
    return found


def _of_item(mine: Sequence[Said], others: Sequence[Said], within: int) -> list[Compared]:
    apart = sorted(
        (abs((one.on - other.on).days), abs(one.tone - other.tone), a, b)
        for a, one in enumerate(mine)
        for b, other in enumerate(others)
        if abs((one.on - other.on).days) <= within
    )
    paired: dict[int, int] = {}
    for _, _, a, b in apart:
        if a not in paired and b not in paired.values():
            paired[a] = b
    left = [other for b, other in enumerate(others) if b not in paired.values()]
    return [
        *(_compared(one, others[paired[a]] if a in paired else None) for a, one in enumerate(mine)),
        *(_compared(None, other) for other in left),
    ]


def _compared(ours: Said | None, theirs: Said | None) -> Compared:
    known = ours or theirs
    if known is None:
        raise AssertionError("one of the two was said")
    if ours is None or theirs is None:
        found: Found = "theirs_only" if ours is None else "ours_only"
    elif ours.tone == theirs.tone:
        found = "same"
    else:
        found = "softer" if ours.tone < theirs.tone else "harder"
    return Compared(known.item_id, known.number, found, ours, theirs)
