"""Which policy holds for what: an assignment to an item, then to a debtor, then to a segment, then the entity's own.

The rule it protects: an assignment has a reason and an end, the closer one wins, and a case or an item that is under
way stays on the version it is on until it is moved on purpose.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, Literal
from uuid import UUID

from services.scheduler.case import Case, Item
from services.scheduler.condition import Condition
from services.scheduler.vocabulary import OF_CASE

Scope = Literal["item", "debtor", "segment"]


@dataclass(frozen=True)
class Assignment:
    """A policy for an item, a debtor's items, or every case of a segment of an entity (of all, without one)."""

    assignment_id: UUID
    scope: Scope
    subject_id: UUID
    """The item or the debtor; of a segment the tenant."""
    policy: str
    entity_id: UUID | None
    segment: str
    when: str
    priority: int
    assigned_at: datetime
    expires_on: date
    at_once: bool
    """Of an item: also if it was reminded already."""

    @cached_property
    def condition(self) -> Condition | None:
        """Which cases are of the segment, compiled once."""
        return Condition.of(self.when, OF_CASE) if self.scope == "segment" else None


@dataclass(frozen=True, slots=True)
class _Then:
    """As much of a day as the condition of a segment asks for."""

    case: Case
    today: date


@dataclass(frozen=True, slots=True)
class _NoItem:
    currency: str = ""


def for_case(assignments: Iterable[Assignment], case: Case, today: date) -> Assignment | None:
    """What holds for a case: its payer's own, else the segment of smallest priority that it is of."""
    known = [each for each in assignments if today < each.expires_on]
    own = [each for each in known if each.scope == "debtor" and each.subject_id == case.payer_id]
    segments = [each for each in known if each.scope == "segment" and _is_of(each, case, today)]
    return _newest(own) or min(segments, key=lambda each: (each.priority, -each.assigned_at.timestamp()), default=None)


def for_item(assignments: Iterable[Assignment], item: Item, case: Case, today: date) -> Assignment | None:
    """What holds for one item beside its case: its own, else that of a debtor for whom somebody else pays."""
    known = [each for each in assignments if today < each.expires_on]
    own = [each for each in known if each.scope == "item" and each.subject_id == item.item_id]
    shop = [e for e in known if e.scope == "debtor" and e.subject_id == item.debtor_id != case.payer_id]
    return _newest(own) or _newest(shop)


def _newest(assignments: Sequence[Assignment]) -> Assignment | None:
    return max(assignments, key=lambda each: (each.assigned_at, str(each.assignment_id)), default=None)


def _is_of(assignment: Assignment, case: Case, today: date) -> bool:
    if assignment.entity_id not in (None, case.entity_id) or assignment.condition is None:
        return False
    oldest: Any = min((i for i in case.items if i.open), key=lambda i: (i.due_date, str(i.item_id)), default=_NoItem())
    return assignment.condition.holds(oldest, _Then(case, today))
