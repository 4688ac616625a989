"""What scheduler says on `relance.reminders`: what is due to be said to whom, and what keeps silent."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from libs.common.events.debtors import ContactRole
from libs.common.events.envelope import Amount, Body, Part

StepKind = Literal[
    "pre_due", "reminder", "final_notice", "formal_notice", "letter", "task_call", "task_visit", "internal_notice",
    "hand_over", "acknowledge", "statement",
]  # fmt: skip
Channel = Literal["email", "call_task", "letter"]
Approval = Literal["none", "confirm", "four_eyes"]
CopyRole = ContactRole | Literal["sales_owner", "collector"]
"""Who gets a copy: contacts of the payer, or the two of the house who look after it."""
CompletesOn = Literal["accepted", "delivered", "presented", "task_done"]
"""When a step is done: it left, nothing came back for a working day, it was presented, or a person did it."""
HoldScope = Literal["item", "case", "debtor", "payer", "party", "group", "entity", "tenant"]
HoldKind = Literal["manual", "promise", "plan", "dispute", "reply", "exclusion", "recovery", "insolvency"]


class CaseBody(Body):
    """About the conversation with one payer of one entity."""

    topic: ClassVar[str] = "relance.reminders"

    entity_id: UUID
    case_id: UUID
    payer_id: UUID

    @property
    def subject(self) -> UUID:
        return self.case_id

    @property
    def key(self) -> str:
        return f"{self.tenant_id}:{self.payer_id}"


class Line(Part):
    """One row of the notice's table. A rider is listed with its age; `completes` says whether its own step ends too."""

    occurrence_id: UUID
    release: int
    item_id: UUID
    item_version: int
    """The residual's version, as payment_matching counts it; 0 before it said anything."""
    invoice_id: UUID
    invoice_version: int
    debtor_id: UUID
    number: str
    issue_date: date
    due_date: date
    amount: Amount
    residual: Amount
    paused: Amount | None = None
    """The part of the residual that a dispute or a hold keeps silent: shown, not asked for."""
    step_key: str
    tone: int
    completes: bool = True
    interest: Amount | None = None
    """Late-payment interest that may be claimed of what is asked for, from the final tone on."""
    lump_sum: Amount | None = None


class ChargesStated(Part):
    """The law or contract behind the charges that a notice may speak of, from the firm tone on."""

    regime: str
    basis: dict[Literal["fr", "en"], str]
    """The articles in each language; empty when nothing is claimed."""
    lump_sum: bool
    """Whether they give a lump sum for recovery costs."""
    as_of: date
    provisional: bool = False
    sums: bool | None = None
    """Whether the notice states them as of its day; None of an older event: from tone 4 on."""


class SentBy(Part):
    """Whose name a mail carries and who gets the answer: the company's mailbox, or the payer's collector."""

    by: Literal["mailbox", "collector"] = "mailbox"
    reply_to: Literal["mailbox", "collector"] = "mailbox"


class ReminderDue(CaseBody):
    """One notice is due now: who, which items, in which tone, by which channels, and who must approve it."""

    reminder_id: UUID
    policy_version_id: UUID
    kind: StepKind
    step_key: str
    tone: int
    anchor_item_id: UUID
    lines: list[Line]
    deductions: list[Amount] = []
    """Money and credits on account, one sum a currency, shown below the lines and taken off what is asked for."""
    charges: ChargesStated | None = None
    channels: list[Channel]
    audience: list[ContactRole]
    cc: list[CopyRole] = []
    """Who gets a copy of the first mail of the notice."""
    sender: SentBy = SentBy()
    completes_on: CompletesOn = "accepted"
    template: str
    language: Literal["fr", "en"]
    approval: Approval
    window_ends_at: datetime
    """The send window's end: not after this without a new release."""
    party_id: UUID

    @property
    def subject(self) -> UUID:
        return self.reminder_id


class ReminderWithdrawn(CaseBody):
    """A notice that was due is due no more."""

    reminder_id: UUID
    reason: str

    @property
    def subject(self) -> UUID:
        return self.reminder_id


class HoldBody(Body):
    """About one hold: manual, or that of a promise, a plan, a dispute or a reply."""

    topic: ClassVar[str] = "relance.reminders"

    entity_id: UUID | None
    hold_id: UUID
    scope: HoldScope
    scope_id: UUID
    payer_id: UUID | None = None
    kind: HoldKind

    @property
    def subject(self) -> UUID:
        return self.hold_id

    @property
    def key(self) -> str:
        return f"{self.tenant_id}:{self.payer_id or self.scope_id}"


class HoldPlaced(HoldBody):
    """Nothing leaves over this scope; at the review date a person looks again."""

    amount: Amount | None = None
    review_on: date
    lift_at_review: bool = False


class HoldLifted(HoldBody):
    """The scope is chased again."""

    reason: Literal["lifted", "review", "kept", "broken", "resolved", "withdrawn", "settled"]


class PromiseMade(CaseBody):
    """The payer promised an amount by a date; chasing pauses until then and two banking days."""

    promise_id: UUID
    amount: Amount
    promised_for: date
    item_ids: list[UUID] = []

    @property
    def subject(self) -> UUID:
        return self.promise_id


class PromiseKept(CaseBody):
    """The money promised came within its span."""

    promise_id: UUID

    @property
    def subject(self) -> UUID:
        return self.promise_id


class PromiseBroken(CaseBody):
    """The span of the promise is over and the money is not there: the ladder resumes where it stood."""

    promise_id: UUID

    @property
    def subject(self) -> UUID:
        return self.promise_id


class PromiseCancelled(CaseBody):
    """A person took the promise off: the ladder resumes where it stood."""

    promise_id: UUID

    @property
    def subject(self) -> UUID:
        return self.promise_id


class PlanAgreed(CaseBody):
    """Instalments were agreed; chasing pauses while they are paid."""

    plan_id: UUID
    dates: list[date]
    amounts: list[Amount]
    item_ids: list[UUID]

    @property
    def subject(self) -> UUID:
        return self.plan_id


class PlanDefaulted(CaseBody):
    """A payment of the plan did not come within two banking days: the ladder resumes where it stood."""

    plan_id: UUID
    missed_on: date
    """The date of the first payment that is not covered."""

    @property
    def subject(self) -> UUID:
        return self.plan_id


class DisputeOpened(CaseBody):
    """The payer disputes an item, or a part of it."""

    dispute_id: UUID
    item_id: UUID
    amount: Amount
    reason: str

    @property
    def subject(self) -> UUID:
        return self.dispute_id


class DisputeResolved(CaseBody):
    """The dispute is over."""

    dispute_id: UUID
    item_id: UUID
    outcome: Literal["upheld", "rejected", "withdrawn"]

    @property
    def subject(self) -> UUID:
        return self.dispute_id


class CaseEscalated(CaseBody):
    """A formal notice was presented: no courtesy leaves any more."""


class CaseClosed(CaseBody):
    """Nothing is owed in this case."""
