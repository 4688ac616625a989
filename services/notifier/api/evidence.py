"""What was said about some invoices and what proves it, for a recovery file: texts, approvals, deliveries, calls."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from libs.common.auth import Caller, requires_service
from libs.common.http import Wire
from services.notifier.store.pairs import rows_of
from services.notifier.tables import delivery, notice, notice_line, task

from .shared import Here

routes = APIRouter(tags=["internal"])
LEFT = ("sent", "uncertain")
"""Notices that reached somebody, or may have."""


class AskedItems(Wire):
    """The items of a recovery file."""

    items: Annotated[list[UUID], Field(max_length=500)]


class DeliveryProof(BaseModel):
    """One delivery: to whom, when the server took it and what it answered; the hash is of its frozen bytes."""

    delivery_id: UUID
    recipient: str
    state: str
    reason: str | None
    sent_at: datetime | None
    code: int
    reply: str | None
    bounce_status: str | None
    sha256: str | None
    resolved_by: str | None
    resolved_why: str | None


class CallProof(BaseModel):
    """A call or visit that was made, with its outcome."""

    task_id: UUID
    kind: str
    title: str
    outcome: str | None
    remark: str | None
    done_by: str | None
    done_at: datetime | None


class NoticeProof(BaseModel):
    """A notice that left: its words as they were sent, who approved it, and the invoices in it."""

    notice_id: UUID
    kind: str
    step_key: str
    tone: int
    language: Literal["fr", "en"]
    channel: str | None
    state: str
    subject: str | None
    words: str | None
    markup: str | None
    first_approver: str | None
    approved_by: str | None
    approved_at: datetime | None
    sent_at: datetime | None
    numbers: list[str]
    deliveries: list[DeliveryProof]


class Proofs(BaseModel):
    """Everything about the items, the oldest first."""

    notices: list[NoticeProof]
    calls: list[CallProof]


@routes.post("/internal/v1/evidence")
async def prove(asked: AskedItems, caller: Annotated[Caller, Depends(requires_service())], room: Here) -> Proofs:
    """The notices about these items that left or may have, with every delivery; and the calls that were made."""
    tenant = caller.tenant_id
    async with room.database.transaction(tenant) as db:
        mine = await rows_of(db, notice_line.c.item_id, {(tenant, each) for each in asked.items})
        keys = {(tenant, line.notice_id) for line in mine}
        lines = await rows_of(db, notice_line.c.notice_id, keys)
        found = await rows_of(db, notice.c.notice_id, keys)
        sent = await rows_of(db, delivery.c.notice_id, keys)
        calls = await rows_of(db, task.c.notice_id, keys)
    left = sorted(
        (row for row in found if row.state in LEFT), key=lambda row: (row.sent_at or row.due_at, row.notice_id)
    )
    notices = [_notice(row, [line for line in lines if line.notice_id == row.notice_id], sent) for row in left]
    done = sorted((row for row in calls if row.done_at is not None), key=lambda row: (row.done_at, row.task_id))
    shown = [CallProof(**{name: getattr(row, name) for name in CallProof.model_fields}) for row in done]
    return Proofs(notices=notices, calls=shown)


def _notice(row: Any, lines: list[Any], sent: list[Any]) -> NoticeProof:
    names = set(NoticeProof.model_fields) - {"numbers", "deliveries"}
    mine = sorted((each for each in sent if each.notice_id == row.notice_id), key=lambda each: each.delivery_id)
    return NoticeProof(
        numbers=sorted({line.number for line in lines}),
        deliveries=[_delivery(each) for each in mine],
        **{name: getattr(row, name) for name in names},
    )


def _delivery(row: Any) -> DeliveryProof:
    names = set(DeliveryProof.model_fields) - {"sha256"}
    digest = row.raw_sha256.hex() if row.raw_sha256 is not None else None
    return DeliveryProof(sha256=digest, **{name: getattr(row, name) for name in names})
