"""Settlements for the ERP to book: exported in order where our ledger is master, acknowledged line by line."""

from collections import Counter
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import Conflict
from libs.common.events import Amount
from libs.common.http import Line as Text
from libs.common.http import Wire
from libs.common.money import Money
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.payment_matching.api import wire
from services.payment_matching.api.payments import Here, Reads, Writes
from services.payment_matching.store import booking, lists

routes = APIRouter(tags=["settlements"])
MOST = 10_000


class NotMaster(Conflict):
    """The ERP settles this entity's items itself: nothing is exported to it."""

    code = "erp_is_master"
    remedy = "Set the entity's settlement_master to relance."


class Settlement(BaseModel):
    """A line for the ERP: money or credit given to an item, or a part of it written off; to book or to undo."""

    line_id: UUID
    act: Literal["book", "undo"]
    kind: str
    """payment, credit, or what is written off: discount, fee, provider_fee, rounding, withholding, other."""
    amount: Amount
    """In the item's currency."""
    paid: Amount | None = None
    """What of the payment it takes, where that is in another currency: the difference of rates is the ERP's to book."""
    value_date: date
    at: datetime
    invoice_id: UUID
    item_id: UUID
    number: str
    instalment: int
    debtor: str | None
    """The customer's number."""
    payment_id: UUID | None
    """The payment that was given, or beside which the rest was written off."""
    payment: str | None
    """Its external_id, where it has one."""
    credit_note: str | None


class SettlementPage(BaseModel):
    """Lines in the order in which they were made."""

    settlements: list[Settlement]
    next: str | None


class Filters(Wire):
    """Whose lines, and from where on."""

    entity_id: UUID | None = None
    limit: Limit = 50
    cursor: Cursor = None


@routes.get("/v1/settlements")
async def list_settlements(caller: Reads, room: Here, wanted: Annotated[Filters, Query()]) -> SettlementPage:
    """What the ERP has not acknowledged yet. Lines stay until they are: reading twice loses nothing."""
    tenant = caller.tenant_id
    entity = await room.entity(tenant, wanted.entity_id)
    if entity.settlement_master != "relance":
        raise NotMaster
    after = place(room.settings, "settlements", wanted.cursor)
    async with room.database.transaction(tenant) as db:
        found = await booking.waiting(db, tenant, entity.entity_id, wanted.limit + 1, after[0] if after else 0)
        rows, last = cut(found, wanted.limit)
        names = await lists.external_ids(db, tenant, [row.source_id for row in rows])
    following = cursor(room.settings, "settlements", last.seq) if last else None
    return SettlementPage(settlements=[_line(row, names) for row in rows], next=following)


def _line(row: Any, names: dict[UUID, str]) -> Settlement:
    of_payment = row.source == "payment" or (row.source == "write_off" and row.source_id != row.item_id)
    undo = row.booking == "to_undo"
    return Settlement(
        line_id=row.allocation_id,
        act="undo" if undo else "book",
        kind=row.kind or row.source,
        amount=Money(row.amount_minor, row.currency),
        paid=wire.paid(row),
        value_date=row.value_on,
        at=row.undone_at if undo else row.made_at,
        invoice_id=row.invoice_id,
        item_id=row.item_id,
        number=row.number,
        instalment=row.sequence,
        debtor=row.debtor,
        payment_id=row.source_id if of_payment else None,
        payment=names.get(row.source_id) if of_payment else None,
        credit_note=row.credit_note,
    )


class Acknowledged(Wire):
    """What the ERP did with a line."""

    line_id: UUID
    act: Literal["book", "undo"] = "book"
    result: Literal["booked", "refused"]
    reason: Text | None = None


class Acknowledgements(Wire):
    """Up to 10,000 lines."""

    lines: Annotated[list[Acknowledged], Field(min_length=1, max_length=MOST)]


class AcknowledgedLine(BaseModel):
    """What became of a line: `unchanged` was acknowledged before, `unknown` is no line of ours."""

    line: int
    line_id: UUID
    result: Literal["acknowledged", "unchanged", "unknown"]
    state: str | None


class AcknowledgedBatch(BaseModel):
    """A line per line, in order, and how many there are of each result."""

    results: list[AcknowledgedLine]
    counts: dict[str, int]


@routes.post("/v1/settlements/acknowledgements")
async def acknowledge(told: Acknowledgements, caller: Writes, room: Here) -> AcknowledgedBatch:
    """Say of each line whether the ERP booked it. A refused line is not exported again; it shows as a difference."""
    by_line = {one.line_id: one for one in told.lines}
    rows = [(one.line_id, one.act, one.result) for one in by_line.values()]

    async def work(db: AsyncConnection) -> dict[UUID, tuple[str, str]]:
        return await booking.acknowledge(db, caller.tenant_id, rows)

    found = await room.commit(work, caller.tenant_id)
    answers = [_answer(n, one.line_id, found.get(one.line_id)) for n, one in enumerate(told.lines, 1)]
    return AcknowledgedBatch(results=answers, counts=Counter(one.result for one in answers))


def _answer(n: int, line: UUID, became: tuple[str, str] | None) -> AcknowledgedLine:
    if became is None:
        return AcknowledgedLine(line=n, line_id=line, result="unknown", state=None)
    before, after = became
    result: Literal["acknowledged", "unchanged"] = "unchanged" if before == after else "acknowledged"
    return AcknowledgedLine(line=n, line_id=line, result=result, state=after)
