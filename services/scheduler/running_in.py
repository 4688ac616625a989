"""The run-in of an entity: what a step must earn before it leaves without a person, and how much may leave on a day.

The rule it protects (safe by default): `none` counts for a step once people approved 200 of the last 250 notices of it
that they decided about, and edited or rejected under 2 %; the first live day says at most 100 notices, and the
bound doubles after each clean day. An entity whose reminders were proven elsewhere has no run-in: somebody waived it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

WANTED = 200
"""Notices of a step that people approved before it may leave without one."""
LOOKS_BACK = 250
"""Decisions about a step that are looked at, the last ones."""
FIRST = 100
"""Notices of the first live day."""
ENOUGH = 100_000
"""A bound this high is none: the ramp is over after ten clean days."""
PERCENT_OFF = 2
"""Of the last decisions edited or rejected, below which a step is trusted; and of a clean day's notices bounced."""


@dataclass(frozen=True, slots=True)
class Record:
    """How people decided about the last notices of a step."""

    approved: int = 0
    decided: int = 0
    marred: int = 0
    """Edited or rejected."""

    @property
    def trusted(self) -> bool:
        return self.approved >= WANTED and self.marred * 100 < PERCENT_OFF * self.decided


@dataclass(frozen=True, slots=True)
class Said:
    """What became of a day's notices so far."""

    sent: int = 0
    bounced: int = 0
    uncertain: int = 0

    @property
    def clean(self) -> bool:
        """Something left, nobody doubts that it did, and no more than 2 % of it came back (one is never too much)."""
        return self.sent > 0 and self.uncertain == 0 and self.bounced <= max(1, self.sent * PERCENT_OFF // 100)


@dataclass(frozen=True, slots=True)
class Ramp:
    """A day of the ramp: at most `cap` notices, of which `released` were handed over."""

    day: date
    cap: int
    released: int


@dataclass(frozen=True, slots=True)
class RunIn:
    """How far an entity is on its way. `cap` None: the ramp is over."""

    earned: frozenset[str] = frozenset()
    """Steps that need no person any more."""
    records: Mapping[str, Record] = field(default_factory=dict)
    """How people decided about the other ones."""
    cap: int | None = None
    released: int = 0

    @property
    def room(self) -> int | None:
        """Notices that may still be said today; None when nothing bounds them."""
        return None if self.cap is None else max(self.cap - self.released, 0)

    def trusts(self, step_key: str) -> bool:
        """Whether a step may leave as its policy says."""
        return base(step_key) in self.earned or self.record(step_key).trusted

    def record(self, step_key: str) -> Record:
        """How people decided about a step's notices."""
        return self.records.get(base(step_key), Record())


def base(step_key: str) -> str:
    """The key of the step that a repetition repeats."""
    return step_key.partition("-")[0]


def today(last: Ramp | None, said: Said, day: date) -> tuple[int | None, int]:
    """The bound of a day and what of it is used, from the last day of the ramp and what became of that one."""
    if last is None:
        return FIRST, 0
    if last.day == day:
        return _bound(last.cap), last.released
    return _bound(min(last.cap * 2, ENOUGH) if said.clean else last.cap), 0


def _bound(cap: int) -> int | None:
    return None if cap >= ENOUGH else cap
