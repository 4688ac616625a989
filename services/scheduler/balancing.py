"""The balance of a day: every step that was due on it stands in exactly one place, with a reason.

The rule it protects: what was released has its end, or waits for a person, or nobody has answered for it; what was
due and not released was kept silent, and says by what. Nothing that was due is in no place, and nothing is in two.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import starmap
from typing import Literal
from uuid import UUID

from services.scheduler.calendar import Calendar
from services.scheduler.case import Item
from services.scheduler.climbing import planned_on, rungs
from services.scheduler.evidence import Fact
from services.scheduler.grouping import Verdict
from services.scheduler.planner import Decision
from services.scheduler.policy import Policy

Standing = Literal[
    "said", "open_task", "awaiting_approval", "uncertain", "stopped", "failed", "rejected", "skipped", "held",
    "unanswered",
]  # fmt: skip
STANDINGS: dict[str, Standing] = {
    "completed": "said",
    "opened": "open_task",
    "proposed": "awaiting_approval",
    "uncertain": "uncertain",
    "stopped": "stopped",
    "failed": "failed",
    "bounced": "failed",
    "rejected": "rejected",
    "skipped": "skipped",
    "held": "held",
    "released": "unanswered",
}
"""State of an occurrence, or `held` for what was not released → where it stands in the balance."""
REASONS = {
    "completed": "accepted",
    "opened": "task_opened",
    "proposed": "awaiting_approval",
    "uncertain": "no_final_answer",
    "failed": "failed",
    "bounced": "returned",
    "rejected": "rejected",
    "stopped": "stopped",
    "skipped": "skipped",
    "released": "no_answer_yet",
}
"""The reason of a state that was told without one."""
PASSED = frozenset({"missed", "courtesy_passed"})
"""Reasons for which a step is left out for good, on its own day."""
NOT_SILENT = frozenset({
    "not_yet", "in_flight", "awaiting_approval", "uncertain", "task_open", "not_delivered_yet", "said", "settled",
    "cancelled",
})  # fmt: skip
"""Reasons of a verdict that nothing keeps silent: its day has not come, it was released, or nothing is owed."""


@dataclass(frozen=True, slots=True)
class Line:
    """So many steps of a day in one place, for one reason."""

    standing: Standing
    state: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class DayBalance:
    """A day of a company: `due` is the sum of its lines, and balanced means that each of them has its answer."""

    on: date
    lines: Sequence[Line]

    @property
    def due(self) -> int:
        return sum(line.count for line in self.lines)

    @property
    def unanswered(self) -> int:
        """Releases of which nobody said what became of them."""
        return sum(line.count for line in self.lines if line.standing == "unanswered")

    @property
    def balanced(self) -> bool:
        return self.unanswered == 0


def line(state: str, reason: str, count: int) -> Line:
    """What was counted of one state and reason; a reason for which a step is left out makes it a skipped one."""
    told = "skipped" if state == "held" and reason in PASSED else state
    return Line(STANDINGS[told], told, reason or REASONS.get(told, told), count)


def balance(on: date, counted: Iterable[tuple[str, str, int]]) -> DayBalance:
    """The balance of a day from (state, reason, count)."""
    return DayBalance(on, sorted(starmap(line, counted), key=lambda each: (each.standing, each.reason)))


@dataclass(frozen=True, slots=True)
class Silence:
    """A step that is due on a day, or will be, and why it is not said."""

    item: Item
    step_key: str
    tone: int
    due_on: date
    reason: str


def silences(decision: Decision, policy: Policy, calendar: Calendar) -> list[Silence]:
    """What a decision keeps silent, each step of each item once, with the reason."""
    notices = () if decision.shown_only else decision.notices
    said = {(row.item.item_id, row.step.key) for notice in notices for row in notice.rows if row.completes}
    found: dict[tuple[UUID, str], Silence] = {}
    for verdict in decision.verdicts:
        reason = _why(verdict, decision)
        if verdict.step is not None and reason is not None and verdict.item.open:
            key = verdict.item.item_id, verdict.step.key
            if key not in said:
                found.setdefault(key, Silence(verdict.item, key[1], verdict.step.tone,
                                              _day(verdict, policy, calendar), reason))  # fmt: skip
    return list(found.values())


def _why(verdict: Verdict, decision: Decision) -> str | None:
    if verdict.block is not None:
        return None if verdict.block.code in NOT_SILENT else verdict.block.code
    if decision.shown_only:
        return "shadow"
    return decision.gate.code if decision.gate is not None else "outside_group"


def _day(verdict: Verdict, policy: Policy, calendar: Calendar) -> date:
    """The day of a step; of a paused one the day that it would have."""
    if verdict.on is not None or verdict.step is None:
        return verdict.on or verdict.item.due_date
    own = verdict.item.own.policy if verdict.item.own is not None else policy
    return planned_on(verdict.step, verdict.item, rungs(verdict.item, own), calendar)


def said_twice(facts: Iterable[Fact]) -> bool:
    """Whether one step of one item in one cycle was effectively said more than once: sent, and not come back."""
    told = list(facts)
    back = {fact.release for fact in told if fact.end == "bounced"}
    return len({fact.release for fact in told if fact.end == "sent"} - back) > 1
