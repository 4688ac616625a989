"""Deliveries: listed, and the uncertain ones decided by a person."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from libs.common.errors import NotFound
from libs.common.http import Line, Wire
from libs.common.paging import Cursor, Limit
from services.notifier import superseding
from services.notifier.errors import NotOpen
from services.notifier.store import deliveries
from services.notifier.tables import delivery

from .shared import Approves, Here, Reads, after, cut

routes = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])
KIND = "deliveries"
DeliveryState = Literal["proposed", "ready", "on_wire", "sent", "failed", "stopped", "uncertain"]


class DeliveryShown(BaseModel):
    """One attempt to one recipient. `reply` is the mail server's last answer."""

    delivery_id: UUID
    notice_id: UUID
    entity_id: UUID
    case_id: UUID
    recipient: str
    state: DeliveryState
    reason: str | None
    tries: int
    code: int
    reply: str | None
    sent_at: datetime | None
    bounce_status: str | None
    resolved_by: str | None
    resolved_why: str | None


class Deliveries(BaseModel):
    """A page of deliveries."""

    deliveries: list[DeliveryShown]
    next: str | None


class Resolution(Wire):
    """What a person found out about an uncertain delivery, and where from."""

    outcome: Literal["sent", "not_sent"]
    why: Line


@routes.get("")
async def list_deliveries(
    caller: Reads,
    room: Here,
    *,
    state: DeliveryState | None = None,
    notice_id: UUID | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Deliveries:
    """Deliveries in the order of their making; `state=uncertain` lists what a person has to decide."""
    asked = ((delivery.c.state, state), (delivery.c.notice_id, notice_id))
    where = [column == value for column, value in asked if value is not None]
    async with room.database.transaction(caller.tenant_id) as db:
        start = after(room.settings, KIND, cursor)
        rows = await deliveries.page(db, caller.tenant_id, where=where, after=start, most=limit + 1)
    page, following = cut(room.settings, KIND, rows, limit, "delivery_id")
    names = DeliveryShown.model_fields
    listed = [DeliveryShown(**{name: getattr(row, name) for name in names}) for row in page]
    return Deliveries(deliveries=listed, next=following)


@routes.post("/{delivery_id}/resolve")
async def resolve(delivery_id: UUID, asked: Resolution, caller: Approves, room: Here) -> DeliveryShown:
    """End the doubt: `sent` counts it, `not_sent` lets the scheduler release it anew. It never leaves again."""
    tenant, now = caller.tenant_id, room.clock.now()
    async with room.database.transaction(tenant) as db:
        found = await deliveries.locked(db, {(tenant, delivery_id)})
        if not found:
            raise NotFound(f"There is no delivery {delivery_id}.")
        row = found[0]
        if row.state != "uncertain":
            raise NotOpen(f"The delivery is {row.state}.")
        if asked.outcome == "sent":
            told = {"state": "sent", "sent_at": row.sent_at or now}
        else:
            told = {"state": "stopped", "reason": "not_sent"}
            await deliveries.free(db, {(tenant, delivery_id)})
        who = {"resolved_by": caller.subject, "resolved_why": asked.why}
        await deliveries.change(db, tenant, delivery_id, raw=None, **told, **who)
        await superseding.conclude(db, {(tenant, row.notice_id)}, now)
        row = (await deliveries.locked(db, {(tenant, delivery_id)}))[0]
    return DeliveryShown(**{name: getattr(row, name) for name in DeliveryShown.model_fields})
