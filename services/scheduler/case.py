"""The facts of one case: its items, what became of their steps, and what keeps them silent.

The rule it protects: a level is never typed in. It is the highest tone that was really delivered, over all cycles;
a bounced or failed notice is no evidence, and a reopened item says the tone it had reached once more, never a lower.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any, Literal
from uuid import UUID

from libs.common.events.debtors import PayerProfile
from services.scheduler.calendar import Calendar
from services.scheduler.policy import CALLS, CAME_BACK, GAPPED, LADDER, Policy, PolicyVersion, Step
from services.scheduler.profiling import Profile
from services.scheduler.running_in import RunIn

MarkState = Literal[
    "released", "proposed", "opened", "left", "uncertain", "completed", "skipped", "stopped", "failed", "rejected",
    "bounced",
]  # fmt: skip
UNENDED: frozenset[str] = frozenset({"released", "proposed"})
"""Released and not ended: one notice at a time."""
IN_FLIGHT: frozenset[str] = UNENDED | {"opened", "left", "uncertain"}
"""Not ended, a task not done, not delivered yet, or nobody can tell: the step is not released again."""
DONE: frozenset[str] = frozenset({"completed", "skipped"})
TakeOver = Literal["none", "waiting", "released", "statement"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is or is not said: a stable code and the facts its sentence needs."""

    code: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mark:
    """What became of one step of one item in one cycle. `on` is the local date of its present state."""

    step_key: str
    cycle: int
    tone: int
    kind: str
    state: MarkState
    release: int
    on: date
    channel: str = "email"
    reminder_id: UUID | None = None
    retry_on: date | None = None
    printed: int = 0
    """The residual in minor units that the release states."""
    invoice_version: int = 0
    withdrawn: bool = False
    anchored: bool = True
    """False when it rode along in the notice of another item."""
    released_at: datetime | None = None
    version_id: UUID | None = None
    """The policy version that it was released by."""
    completes_on: str = "accepted"


@dataclass(frozen=True, slots=True)
class Pause:
    """A hold over an item or something above it. Without an amount it covers all of the item."""

    hold_id: UUID
    kind: Literal["manual", "promise", "plan", "dispute", "reply", "exclusion", "recovery", "insolvency"]
    scope: str
    review_on: date
    amount: int | None = None
    placed_at: datetime | None = None
    due_on: date | None = None
    """The day for which the payer gave its word, of a promise."""


@dataclass(frozen=True, slots=True)
class Item:
    """An instalment as it stands. Amounts are minor units of its own currency."""

    item_id: UUID
    invoice_id: UUID
    debtor_id: UUID
    number: str
    issue_date: date
    due_date: date
    currency: str
    amount: int
    residual: int
    item_version: int = 0
    invoice_version: int = 1
    cancelled: bool = False
    not_chased: tuple[str, ...] = ()
    take_over: TakeOver = "none"
    take_over_on: date | None = None
    cycle: int = 1
    cycle_on: date | None = None
    cycle_reason: str = ""
    marks: tuple[Mark, ...] = ()
    pauses: tuple[Pause, ...] = ()
    credit_pending: bool = False
    settled_on: date | None = None
    """The value date of the money that settled it."""
    settled_version: int = 0
    to_thank: bool = False
    """It was paid after a reminder was released, and nobody has decided about a thank-you yet."""
    broken: tuple[date, ...] = ()
    """The days on which promises about it were broken, the first first."""
    own: PolicyVersion | None = None
    """The policy version of this item alone; without one it follows that of its case."""

    @property
    def open(self) -> bool:
        return self.residual > 0 and not self.cancelled

    def silenced(self) -> tuple[str, ...]:
        """Why nobody is reminded of it; a collection that came back is no reason any more."""
        if self.not_chased and self.cycle_reason in ("returned", "refused_by_debtor"):
            return tuple(reason for reason in self.not_chased if reason != "collected_otherwise")
        return self.not_chased

    def paused(self) -> int:
        """How much of the residual is paused: disputes and partial holds add up, a whole one covers all."""
        if not self.pauses:
            return 0
        if any(pause.amount is None for pause in self.pauses):
            return self.residual
        return min(self.residual, sum(pause.amount or 0 for pause in self.pauses))

    def paused_since(self, instant: datetime | None) -> bool:
        """Whether a hold was placed over it after an instant, whatever its amount."""
        return instant is not None and any(
            pause.placed_at is not None and pause.placed_at > instant for pause in self.pauses
        )

    def mark(self, step_key: str) -> Mark | None:
        """What became of a step in the present cycle."""
        for found in self.marks:
            if found.step_key == step_key and found.cycle == self.cycle:
                return found
        return None

    def level(self, before_cycle: int | None = None) -> int:
        """The highest tone delivered, 0 if none; of earlier cycles only when `before_cycle` is given."""
        tones = [
            mark.tone
            for mark in self.marks
            if mark.state == "completed" and (before_cycle is None or mark.cycle < before_cycle)
        ]
        return max(tones, default=0)

    def delivered(self) -> int:
        """Reminders that really reached the payer."""
        return sum(mark.state == "completed" and mark.kind in LADDER for mark in self.marks)

    def unanswered(self, since: date | None) -> int:
        """E-mailed reminders delivered after the payer's last sign of life."""
        return sum(
            mark.state == "completed"
            and mark.kind in LADDER
            and mark.channel == "email"
            and (since is None or mark.on > since)
            for mark in self.marks
        )

    def last_completed_on(self) -> date | None:
        """When the last reminder of this cycle was delivered."""
        days = [m.on for m in self.marks if m.state == "completed" and m.cycle == self.cycle and m.kind in LADDER]
        return max(days, default=None)


@dataclass(frozen=True, slots=True)
class Money:
    """Money or credit on account, first seen on a day."""

    currency: str
    minor: int
    seen_on: date


@dataclass(frozen=True, slots=True)
class Party:
    """What a party heard from all entities of the tenant."""

    party_id: UUID
    last_notice_on: date | None = None
    notices: tuple[date, ...] = ()
    """Days of the notices that count for its budget."""
    reserved_on: date | None = None
    """Another case of this party released a notice on this day, and it has not ended."""
    formal_on: date | None = None
    """Another case of this party has a formal notice coming on this day."""


@dataclass(frozen=True, slots=True)
class Payer:
    """What the payer's file says; its profile is None where no condition asks for it."""

    language: str = "fr"
    country: str = "FR"
    in_group: bool = False
    profile: Profile | None = None
    told: PayerProfile = "regular"
    """The profile that the file says."""


UNKNOWN_PAYER = Payer()


@dataclass(frozen=True)
class Case:
    """The conversation with one payer of one entity, with everything a decision needs."""

    tenant_id: UUID
    case_id: UUID
    entity_id: UUID
    payer_id: UUID
    party: Party
    items: tuple[Item, ...]
    state: Literal["clear", "amicable", "escalated", "in_recovery", "closed"] = "amicable"
    mode: Literal["shadow", "live"] = "live"
    approvals: Literal["confirm", "policy"] = "policy"
    stopped: bool = False
    payer_known: bool = True
    feed_required: bool = False
    covered_to: date | None = None
    """Every required bank account has a statement up to this day; None when one has none."""
    cash: tuple[Money, ...] = ()
    credits: tuple[Money, ...] = ()
    answered_on: date | None = None
    """The payer's last sign of life: reply, promise, dispute, payment."""
    thanked_on: date | None = None
    """The day of the last thank-you to this payer."""
    run_in: RunIn | None = None
    """How far the entity is on its run-in; None when somebody waived it."""
    caught_up: int = 0
    """Notices that the entity caught up with today."""
    payer: Payer = UNKNOWN_PAYER

    def in_flight(self, kinds: frozenset[str]) -> bool:
        """Whether a reminder of these kinds is released and not ended."""
        return any(mark.state in UNENDED and mark.kind in kinds for item in self.items for mark in item.marks)

    @cached_property
    def called_on(self) -> date | None:
        """The day of the last call to this payer, or visit, that is open or was made."""
        days = (
            mark.on
            for item in self.items
            for mark in item.marks
            if mark.kind in CALLS and mark.state in ("released", "opened", "completed")
        )
        return max(days, default=None)

    @cached_property
    def stated_on(self) -> date | None:
        """The day of the last statement of account, or of one under way."""
        days = (
            mark.on
            for item in self.items
            for mark in item.marks
            if mark.kind == "statement" and mark.state in DONE | IN_FLIGHT
        )
        return max(days, default=None)

    @cached_property
    def in_recovery(self) -> bool:
        """Something that is still owed was handed on to be recovered."""
        return any(pause.kind == "recovery" for item in self.items if item.open for pause in item.pauses)

    @cached_property
    def escalated(self) -> bool:
        """A formal notice was posted or presented for something that is still owed, or it was handed on."""
        return self.in_recovery or any(
            mark.kind == "formal_notice" and mark.state in ("opened", "completed")
            for item in self.items
            if item.open
            for mark in item.marks
        )


NOTICES: frozenset[str] = GAPPED | {"pre_due"}
"""Kinds that ask for money."""
TO_PAYER: frozenset[str] = NOTICES | {"acknowledge"}
"""Kinds of messages that the payer gets: one at a time."""


def rungs(item: Item, policy: Policy) -> tuple[Step, ...]:
    """The rungs of the item's present cycle: all of them, or from the level it had reached.

    What another policy said before the case came to this one is not said again: only what is harder is left. A broken
    promise puts its own step before what is left of the ladder, unless something harder was said.
    """
    left = _left(item, policy)
    step = policy.broken_promise
    if step is None or not item.broken:
        return left
    said = any(_is_of(mark, step) and mark.cycle == item.cycle and mark.state in DONE for mark in item.marks)
    kept = tuple(each for each in left if not said or each.tone > step.tone or _begun(item, each))
    last = policy.nth(step, len(item.broken))
    if not _begun(item, last) and step.tone < item.level():
        return kept
    done = tuple(each for each in kept if _begun(item, each))
    return (*done, last, *(each for each in kept if each not in done and each.tone > step.tone))


def _is_of(mark: Mark, step: Step) -> bool:
    """Whether it is of this step or a repetition of it."""
    return mark.step_key.partition("-")[0] == step.key


def _begun(item: Item, step: Step) -> bool:
    mark = item.mark(step.key)
    return mark is not None and mark.state in DONE | UNENDED


def _left(item: Item, policy: Policy) -> tuple[Step, ...]:
    left = policy.rungs
    if item.marks and (heard := _heard_elsewhere(item, policy)):
        now = (mark for mark in item.marks if mark.cycle == item.cycle and mark.state in DONE | UNENDED)
        said = {mark.step_key for mark in now}
        left = tuple(step for step in left if step.tone > heard or step.key in said)
    if item.cycle == 1:
        return (*policy.imported, *left) if item.take_over == "statement" else left
    reached = item.level(before_cycle=item.cycle)
    first = tuple(step for step in policy.comebacks if _fits(step, item, reached))[:1]
    if first:
        return (*first, *(step for step in left if step.tone > first[0].tone))
    return tuple(step for step in left if step.tone >= reached) or policy.rungs[-1:]


def _fits(step: Step, item: Item, reached: int) -> bool:
    """Whether an item that came back hears this step first: for why it did, and no softer than before."""
    return item.cycle_reason in CAME_BACK[step.anchor] and step.tone >= reached


def _heard_elsewhere(item: Item, policy: Policy) -> int:
    """The hardest tone of this cycle that steps said which this policy does not have; 0 if there are none."""
    known = policy.by_key
    tones = [
        mark.tone
        for mark in item.marks
        if mark.cycle == item.cycle and mark.state in DONE and mark.kind in LADDER and mark.step_key not in known
    ]
    return max(tones, default=0)


def next_rung(item: Item, steps: Iterable[Step]) -> tuple[Step | None, Mark | None]:
    """The lowest rung that is not completed, with what became of it so far."""
    for step in steps:
        mark = item.mark(step.key)
        if mark is None or mark.state not in DONE:
            return step, mark
    return None, None


def planned_on(step: Step, item: Item, climbed: tuple[Step, ...], calendar: Calendar) -> date:
    """The working day of a step. In a later cycle the ladder is counted from the day the item came back."""
    if step.anchor == "imported":
        return calendar.moved(item.take_over_on or item.due_date)
    if step.anchor == "promise_broken" and item.broken:
        return calendar.step_day(item.broken[-1], step.offset, step.unit)
    if step.anchor in CAME_BACK:
        return calendar.step_day(item.cycle_on or item.due_date, step.offset, step.unit)
    if step.anchor == "previous_completed" and (last := item.last_completed_on()) is not None:
        return calendar.step_day(last, step.offset, step.unit)
    start = item.issue_date if step.anchor == "issue_date" else item.due_date
    by_due_date = calendar.step_day(start, step.offset, step.unit)
    if item.cycle == 1 or item.cycle_on is None:
        return by_due_date
    first = climbed[0].offset if climbed else 0
    return max(by_due_date, calendar.step_day(item.cycle_on, step.offset - first, step.unit))
