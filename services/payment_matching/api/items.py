"""Open items: what is owed, as the only service says it that may."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from libs.common.http import Wire
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.payment_matching import deciding, proposing
from services.payment_matching.api import wire
from services.payment_matching.api.payments import Here, Reads, Writes
from services.payment_matching.store import lists

routes = APIRouter(tags=["open items"])


class Filters(Wire):
    """Which items to list, and from where on."""

    limit: Limit = 50
    cursor: Cursor = None
    entity_id: UUID | None = None
    debtor_id: UUID | None = None
    payer_id: UUID | None = None
    item_id: UUID | None = None
    """One item, also when it owes nothing any more."""
    invoice_id: UUID | None = None
    """The items of one invoice, settled ones too."""


@routes.get("/v1/open-items")
async def list_items(caller: Reads, room: Here, wanted: Annotated[Filters, Query()]) -> wire.ItemPage:
    """What is owed, the oldest due first; named items and invoices are shown settled too."""
    due, last_id = place(room.settings, "open-items", wanted.cursor) or (None, None)
    chosen = {"entity": wanted.entity_id, "debtor": wanted.debtor_id, "payer": wanted.payer_id}
    chosen |= {"item": wanted.item_id, "invoice": wanted.invoice_id}
    async with room.database.transaction(caller.tenant_id) as db:
        found = await lists.open_items(db, caller.tenant_id, wanted.limit + 1, **chosen, due=due, last=last_id)
    rows, last = cut(found, wanted.limit)
    following = cursor(room.settings, "open-items", last.due_on, last.item_id) if last else None
    return wire.ItemPage(items=[wire.item(row) for row in rows], next=following)


@routes.get("/v1/open-items/{item_id}")
async def read_item(item_id: UUID, caller: Reads, room: Here) -> wire.ItemOut:
    """One item, also when it owes nothing any more."""
    async with room.database.transaction(caller.tenant_id) as db:
        found = await lists.some_items(db, caller.tenant_id, [item_id])
    if item_id not in found:
        raise NotFound(f"There is no item {item_id}.")
    return wire.item(found[item_id])


@routes.post("/v1/open-items/{item_id}/write-offs", status_code=201)
async def write_off(
    item_id: UUID, told: wire.WriteOffIn, caller: Writes, room: Here, response: Response
) -> wire.WrittenOff:
    """Write off what it still owes, within what the kind allows: it is settled, and the ERP is told to book it.

    202 where it takes a second person.
    """

    async def work(db: AsyncConnection) -> tuple[UUID, bool]:
        decision = deciding.OfItem(caller.tenant_id, item_id, caller.subject)
        return await proposing.write_off(db, room.clock.now(), decision, told.kind)

    made, done = await room.commit(work, caller.tenant_id)
    if done:
        await room.stopped(caller.tenant_id, [item_id])
    else:
        response.status_code = 202
    line, waits = (made, None) if done else (None, made)
    return wire.WrittenOff(write_off_id=line, proposal_id=waits, item=await read_item(item_id, caller, room))


@routes.delete("/v1/open-items/{item_id}/write-offs/{write_off_id}")
async def take_back(item_id: UUID, write_off_id: UUID, caller: Writes, room: Here) -> wire.ItemOut:
    """Take a write-off back: the item owes that again."""

    async def work(db: AsyncConnection) -> None:
        decision = deciding.OfItem(caller.tenant_id, item_id, caller.subject)
        await deciding.take_back_write_off(db, room.clock.now(), decision, write_off_id)

    await room.commit(work, caller.tenant_id)
    return await read_item(item_id, caller, room)
