"""The facts of one case: its items, what became of their steps, and what keeps them silent.

The rule it protects: a level is never typed in. It is the highest tone that was really delivered, over all cycles;
a bounced or failed notice is no evidence, and a reopened item says the tone it had reached once more, never a lower.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

from libs.common.events.debtors import PayerProfile
from services.scheduler.policy import CALLS, GAPPED, LADDER, PolicyVersion
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
STANDS: frozenset[str] = DONE | IN_FLIGHT
"""It is done, or may be."""
CALLED: frozenset[str] = frozenset({"released", "opened", "completed"})
"""A call or visit that is open or was made."""
PRESENTED: frozenset[str] = frozenset({"opened", "completed"})
"""A formal notice that was posted or presented."""
TakeOver = Literal["none", "waiting", "released", "statement"]


Answer = TypeVar("Answer")


class remembered(Generic[Answer]):  # noqa: N801 - used like `property`
    """A property that is worked out once: `functools.cached_property` without its lock, which costs more than most
    answers here do."""

    def __init__(self, work_out: Callable[[Any], Answer]) -> None:
        self.work_out = work_out

    def __get__(self, facts: Any, owner: type) -> Answer:
        found = facts.__dict__[self.work_out.__name__] = self.work_out(facts)
        return found


NO_FACTS: Mapping[str, Any] = {}


class Reason(NamedTuple):
    """Why something is or is not said: a stable code and the facts its sentence needs."""

    code: str
    facts: Mapping[str, Any] = NO_FACTS


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


class Told(NamedTuple):
    """What the marks of an item say, or of all items of a case: asked at every decision, and read once."""

    present: Mapping[str, Mark] = {}
    """Step key → what became of it in the present cycle of an item."""
    unended: tuple[Mark, ...] = ()
    called_on: date | None = None
    stated_on: date | None = None
    formal: bool = False
    """A formal notice was posted or presented; of a case: for something that is still owed."""


NOTHING_TOLD = Told()


@dataclass(frozen=True)
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

    @remembered
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
        return self.told.present.get(step_key) if self.marks else None

    @remembered
    def told(self) -> Told:
        """What its marks say, those of earlier cycles too."""
        if not self.marks:
            return NOTHING_TOLD
        calls = [m.on for m in self.marks if m.kind in CALLS and m.state in CALLED]
        statements = [m.on for m in self.marks if m.kind == "statement" and m.state in STANDS]
        formal = [m for m in self.marks if m.kind == "formal_notice" and m.state in PRESENTED]
        return Told(
            {mark.step_key: mark for mark in self.marks if mark.cycle == self.cycle},
            tuple([mark for mark in self.marks if mark.state in UNENDED]),
            max(calls) if calls else None,
            max(statements) if statements else None,
            bool(formal),
        )

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
        return any(mark.kind in kinds for mark in self.told.unended)

    @remembered
    def told(self) -> Told:
        """What the marks of all items say."""
        marked = [(item.open, item.told) for item in self.items if item.marks]
        calls = [told.called_on for _, told in marked if told.called_on is not None]
        statements = [told.stated_on for _, told in marked if told.stated_on is not None]
        return Told(
            unended=tuple([mark for _, told in marked for mark in told.unended]),
            called_on=max(calls) if calls else None,
            stated_on=max(statements) if statements else None,
            formal=any(told.formal for is_open, told in marked if is_open),
        )

    @property
    def called_on(self) -> date | None:
        """The day of the last call to this payer, or visit, that is open or was made."""
        return self.told.called_on

    @property
    def stated_on(self) -> date | None:
        """The day of the last statement of account, or of one under way."""
        return self.told.stated_on

    @property
    def in_recovery(self) -> bool:
        """Something that is still owed was handed on to be recovered."""
        return any(pause.kind == "recovery" for item in self.items if item.open for pause in item.pauses)

    @remembered
    def escalated(self) -> bool:
        """A formal notice was posted or presented for something that is still owed, or it was handed on."""
        return self.told.formal or self.in_recovery


Facts = TypeVar("Facts", Item, Case)


def altered(facts: Facts, **changes: Any) -> Facts:
    """What `dataclasses.replace` gives, ten times sooner: whoever plays cases alters them by the million."""
    made = object.__new__(type(facts))
    known = made.__dict__
    known.update(facts.__dict__)
    for name in REMEMBERED:
        known.pop(name, None)
    known.update(changes)
    return made


REMEMBERED = ("told", "open", "escalated")
"""What facts remember of themselves once they were asked: an altered one is asked anew."""

NOTICES: frozenset[str] = GAPPED | {"pre_due"}
"""Kinds that ask for money."""
TO_PAYER: frozenset[str] = NOTICES | {"acknowledge"}
"""Kinds of messages that the payer gets: one at a time."""
