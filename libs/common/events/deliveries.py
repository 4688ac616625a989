"""What notifier says on `relance.deliveries`. Every release of an occurrence ends here, in exactly one way."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from libs.common.events.envelope import Body, Part
from libs.common.events.reminders import Channel, StepKind


class Covered(Part):
    """A released occurrence that a notice covers."""

    occurrence_id: UUID
    release: int
    item_id: UUID
    step_key: str
    tone: int
    completes: bool = True


class NoticeBody(Body):
    """About one notice, and so about every occurrence it covers."""

    topic: ClassVar[str] = "relance.deliveries"

    entity_id: UUID
    case_id: UUID
    payer_id: UUID
    party_id: UUID
    reminder_id: UUID
    notice_id: UUID
    kind: StepKind
    covers: list[Covered]

    @property
    def subject(self) -> UUID:
        return self.notice_id

    @property
    def key(self) -> str:
        return f"{self.tenant_id}:{self.payer_id}"


class ReminderProposed(NoticeBody):
    """A notice waits for a person's approval."""


class ReminderSent(NoticeBody):
    """A notice left: the mail server took it, or the task was opened."""

    delivery_id: UUID
    channel: Channel
    tone: int
    sent_at: datetime
    approved: bool = False
    """A person approved it."""
    edited: bool = False
    """A person changed its words or recipients before."""


class ReminderFailed(NoticeBody):
    """No channel could carry it. It never counts as a level."""

    reason: str


class ReminderStopped(NoticeBody):
    """It was not sent, on purpose; `reason` is a stable code, such as settled, held, amended, rejected."""

    reason: str


class ReminderUncertain(NoticeBody):
    """Nobody can tell whether the mail server took it. A person or later evidence decides; it is never sent again."""

    delivery_id: UUID


class ReminderBounced(NoticeBody):
    """A notice that had left came back: it does not count as delivered."""

    delivery_id: UUID
    contact_id: UUID | None = None
    permanent: bool
    status: str
    """RFC 3463 code, such as 5.1.1."""


class ReplyReceived(Body):
    """A person answered: the case pauses until someone has read it."""

    topic: ClassVar[str] = "relance.deliveries"

    entity_id: UUID
    case_id: UUID
    payer_id: UUID
    message_id: UUID
    notice_id: UUID | None = None

    @property
    def subject(self) -> UUID:
        return self.message_id

    @property
    def key(self) -> str:
        return f"{self.tenant_id}:{self.payer_id}"


class ComplaintReceived(Body):
    """The reader of a notice marked it as unwanted: nobody writes to that address again."""

    topic: ClassVar[str] = "relance.deliveries"

    entity_id: UUID
    case_id: UUID
    payer_id: UUID
    message_id: UUID
    notice_id: UUID
    delivery_id: UUID
    contact_id: UUID | None = None
    feedback: str
    """RFC 5965 feedback type: abuse, fraud, virus or other."""

    @property
    def subject(self) -> UUID:
        return self.message_id

    @property
    def key(self) -> str:
        return f"{self.tenant_id}:{self.payer_id}"


class TaskBody(Body):
    """About a call, a reply to read or another thing a person does."""

    topic: ClassVar[str] = "relance.deliveries"

    entity_id: UUID
    case_id: UUID
    payer_id: UUID
    task_id: UUID
    kind: Literal["call", "visit", "post", "presentation", "hand_over", "reply", "contact", "internal_notice"]

    @property
    def subject(self) -> UUID:
        return self.task_id

    @property
    def key(self) -> str:
        return f"{self.tenant_id}:{self.payer_id}"


class TaskOpened(TaskBody):
    """Somebody has something to do by a date."""

    due_on: date
    reminder_id: UUID | None = None


class TaskDone(TaskBody):
    """It was done, with this outcome."""

    reminder_id: UUID | None = None
    covers: list[Covered] = []
    outcome: Literal[
        "reached", "no_answer", "wrong_number", "promise", "dispute", "done", "presented", "refused", "unclaimed",
        "unknown_address",
    ]  # fmt: skip
    """Of a registered letter: presented, refused and unclaimed are a presentation, an unknown address is none."""
    done_on: date
