"""What the notifier says of a notice or a task, as events in the conversation that began with ReminderDue."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from libs.common.events.deliveries import (
    ComplaintReceived,
    Covered,
    ReminderBounced,
    ReminderFailed,
    ReminderProposed,
    ReminderSent,
    ReminderStopped,
    ReminderUncertain,
    ReplyReceived,
    TaskDone,
    TaskOpened,
)
from libs.common.events.envelope import Body, Event
from libs.common.ids import uuid7
from services.notifier.revision import NoticeLine

Outcome = Literal[
    "reached", "no_answer", "wrong_number", "promise", "dispute", "done", "presented", "refused", "unclaimed",
    "unknown_address",
]  # fmt: skip
OF_A_LETTER: frozenset[Outcome] = frozenset({"presented", "refused", "unclaimed", "unknown_address"})
TaskKind = Literal["call", "visit", "post", "presentation", "hand_over", "reply", "contact", "internal_notice"]


def covers(lines: Sequence[NoticeLine]) -> list[Covered]:
    """The released occurrences of these lines."""
    return [
        Covered(
            occurrence_id=line.occurrence_id,
            release=line.release,
            item_id=line.item_id,
            step_key=line.step_key,
            tone=line.tone,
            completes=line.completes,
        )
        for line in lines
    ]


def _event(notice: Any, body: Body, at: datetime) -> Event:
    return Event(uuid7(), body, at, notice.correlation, notice.cause)


def _about(notice: Any, lines: Sequence[NoticeLine]) -> dict[str, Any]:
    return {
        "tenant_id": notice.tenant_id,
        "version": notice.version,
        "entity_id": notice.entity_id,
        "case_id": notice.case_id,
        "payer_id": notice.payer_id,
        "party_id": notice.party_id,
        "reminder_id": notice.reminder_id,
        "notice_id": notice.notice_id,
        "kind": notice.kind,
        "covers": covers(lines),
    }


def proposed(notice: Any, lines: Sequence[NoticeLine], at: datetime) -> Event:
    return _event(notice, ReminderProposed(**_about(notice, lines)), at)


def sent(
    notice: Any,
    lines: Sequence[NoticeLine],
    at: datetime,
    *,
    delivery_id: UUID,
    channel: Literal["email", "call_task", "letter"],
    sent_at: datetime,
) -> Event:
    about = _about(notice, lines)
    people = {"approved": notice.approved_by is not None, "edited": notice.edited_by is not None}
    told = ReminderSent(**about, delivery_id=delivery_id, channel=channel, tone=notice.tone, sent_at=sent_at, **people)
    return _event(notice, told, at)


def failed(notice: Any, lines: Sequence[NoticeLine], at: datetime, reason: str) -> Event:
    return _event(notice, ReminderFailed(**_about(notice, lines), reason=reason), at)


def stopped(notice: Any, lines: Sequence[NoticeLine], at: datetime, reason: str) -> Event:
    return _event(notice, ReminderStopped(**_about(notice, lines), reason=reason), at)


def uncertain(notice: Any, lines: Sequence[NoticeLine], at: datetime, delivery_id: UUID) -> Event:
    return _event(notice, ReminderUncertain(**_about(notice, lines), delivery_id=delivery_id), at)


def bounced(notice: Any, lines: Sequence[NoticeLine], at: datetime, delivery: Any, status: str) -> Event:
    told = ReminderBounced(
        **_about(notice, lines),
        delivery_id=delivery.delivery_id,
        contact_id=delivery.contact_id,
        permanent=status.startswith("5"),
        status=status,
    )
    return _event(notice, told, at)


def _answering(notice: Any, message_id: UUID) -> dict[str, Any]:
    """What an inbound message that answers a notice says of it."""
    shared = ("tenant_id", "entity_id", "case_id", "payer_id", "notice_id")
    return {name: getattr(notice, name) for name in shared} | {"version": 1, "message_id": message_id}


def replied(notice: Any, message_id: UUID, at: datetime) -> Event:
    told = ReplyReceived(**_answering(notice, message_id))
    return _event(notice, told, at)


def complained(notice: Any, message_id: UUID, at: datetime, delivery: Any, feedback: str) -> Event:
    told = ComplaintReceived(
        **_answering(notice, message_id),
        delivery_id=delivery.delivery_id,
        contact_id=delivery.contact_id,
        feedback=feedback,
    )
    return _event(notice, told, at)


def task_opened(task: Any, at: datetime, correlation: UUID, cause: UUID | None) -> Event:
    told = TaskOpened(**_task(task), due_on=task["due_on"], reminder_id=task["reminder_id"])
    return Event(uuid7(), told, at, correlation, cause)


def task_done(
    task: Any, lines: Sequence[NoticeLine], at: datetime, *, outcome: Outcome, done_on: date, correlation: UUID
) -> Event:
    told = TaskDone(
        **_task(task), reminder_id=task["reminder_id"], covers=covers(lines), outcome=outcome, done_on=done_on
    )
    return Event(uuid7(), told, at, correlation)


def _task(task: Any) -> dict[str, Any]:
    return {
        name: task[name] for name in ("tenant_id", "version", "entity_id", "case_id", "payer_id", "task_id", "kind")
    }
