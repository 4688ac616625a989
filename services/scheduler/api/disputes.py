"""Disputes over HTTP."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from libs.common.http import Wire
from libs.common.paging import Cursor, Limit, cursor, cut, place
from libs.common.permits import Scope
from services.scheduler import commands
from services.scheduler.api.shared import AboutCase, AmountIn, AmountOut, In, Reads, Writes, about, amount_of
from services.scheduler.store import lists
from services.scheduler.tables import dispute

routes = APIRouter(prefix="/v1/disputes", tags=["disputes"])
Why = Literal[
    "price", "quantity", "quality", "delivery", "not_ordered", "already_paid", "duplicate", "terms", "invoice_data",
    "other",
]  # fmt: skip
State = Literal["opened", "upheld", "rejected", "withdrawn"]


class NewDispute(Wire):
    """What is disputed; without an amount, all that the item owes."""

    item_id: UUID
    amount: AmountIn | None = None
    reason: Why
    review_on: date | None = None


class Resolution(Wire):
    """Upheld: the payer is right. Rejected: the amount is owed. Withdrawn: the payer gave it up."""

    outcome: Literal["upheld", "rejected", "withdrawn"]


class DisputeOut(AboutCase):
    """A dispute as it stands."""

    dispute_id: UUID
    item_id: UUID
    amount: AmountOut
    reason: str
    author: str
    state: State
    opened_at: datetime
    resolved_at: datetime | None


class DisputePage(BaseModel):
    """One page of disputes."""

    items: list[DisputeOut]
    next: str | None


def out(row: Any) -> DisputeOut:
    """A dispute's row as it is shown."""
    names = ("dispute_id", "item_id", "reason", "author", "state", "opened_at", "resolved_at")
    amount = amount_of(row["amount_minor"], row["currency"])
    return DisputeOut(**about(row), amount=amount, **{name: row[name] for name in names})


@routes.post("", status_code=201)
async def open_dispute(told: NewDispute, caller: Writes, room: In) -> DisputeOut:
    """Note a dispute: that much of the item is not chased until it is resolved."""
    async with room.asking(caller) as asker:
        target = await commands.item_target(asker, told.item_id)
        amount = told.amount.money() if told.amount else None
        row = await commands.disputed(asker, target, amount, told.reason, told.review_on)
    await room.stopped(Scope(caller.tenant_id, item_ids=[told.item_id]))
    return out(row)


@routes.post("/{dispute_id}/resolve")
async def resolve_dispute(dispute_id: UUID, told: Resolution, caller: Writes, room: In) -> DisputeOut:
    """End a dispute. A part that is owed after all is chased again from the level reached."""
    async with room.asking(caller) as asker:
        return out(await commands.resolve_dispute(asker, dispute_id, told.outcome))


@routes.get("")
async def list_disputes(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    state: State | None = None,
) -> DisputePage:
    """Disputes, in the order in which they were opened."""
    start = place(room.settings, "disputes", after)
    async with room.database.transaction(caller.tenant_id) as db:
        found = await lists.disputes(db, caller.tenant_id, limit + 1, start, state=state)
    rows, last = cut(found, limit)
    more = cursor(room.settings, "disputes", last["dispute_id"]) if last else None
    return DisputePage(items=[out(row) for row in rows], next=more)


@routes.get("/{dispute_id}")
async def show_dispute(dispute_id: UUID, caller: Reads, room: In) -> DisputeOut:
    """One dispute."""
    async with room.asking(caller) as asker:
        return out(await commands.found(asker, dispute, dispute_id))
