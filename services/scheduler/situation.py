"""One case with everything its decision rests on, and that decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.scheduler.assigning import Assignment
from services.scheduler.calendar import Calendar
from services.scheduler.case import Case, Item, Reason
from services.scheduler.planner import Decision, decide
from services.scheduler.policy import PolicyVersion

Row = Mapping[str, Any]
SILENT_FOR = timedelta(days=1)
"""A case whose entity or policy nobody knows is looked at again after this."""


@dataclass(frozen=True, slots=True)
class Situation:
    """One case: its row, its facts, the policy it is on, its entity's calendar. Without a policy it is silent."""

    row: Row
    case: Case
    version: PolicyVersion | None
    calendar: Calendar
    language: str
    entity_known: bool
    assignment: Assignment | None = None
    """What people assigned to the payer or its segment; None: the entity's own policy."""
    assigned: Mapping[UUID, Assignment] = field(default_factory=dict)
    """Item id → what people assigned to the item, or to its debtor alone."""
    caveats: tuple[Reason, ...] = ()
    """What of an instant in the past is not known any more."""

    def on(self, item: Item) -> tuple[PolicyVersion | None, Assignment | None]:
        """The version that an item follows, and the assignment that brought it there; None: its entity's own."""
        version = item.own or self.version
        rule = self.assigned.get(item.item_id) if item.own is not None else self.assignment
        fits = rule is not None and version is not None and rule.policy == version.policy.name
        return version, rule if fits else None


def look(situation: Situation, now: datetime) -> Decision:
    """The decision about one case; one whose entity or policy is unknown waits."""
    if situation.version is None:
        return Decision((), (), (), None, now + SILENT_FOR, situation.case.state, {}, None)
    return decide(situation.case, situation.version.policy, situation.calendar, now)
