"""Invoices: one, many, read, cancelled, let out of take-over."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from libs.common.auth import Caller, requires
from libs.common.directory import Entity
from libs.common.errors import NotFound, RelanceError
from libs.common.http import Wire, inline
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.invoice_ingest import changes
from services.invoice_ingest.accounts import Offer
from services.invoice_ingest.api import answers, views
from services.invoice_ingest.api.lists import raw_lines, read_lines
from services.invoice_ingest.room import AT_ONCE, Room, here
from services.invoice_ingest.sources.canonical import CanonicalInvoice, Kind
from services.invoice_ingest.sources.wire import Key, Line, Number, Version
from services.invoice_ingest.store import invoices as store
from services.invoice_ingest.taking import Outcome

routes = APIRouter(tags=["invoices"])
Reads = Annotated[Caller, Depends(requires("invoices:read"))]
Writes = Annotated[Caller, Depends(requires("invoices:write"))]
Here = Annotated[Room, Depends(inline(here))]
API = "api"
"""The source of what comes by this door without saying which system tells it."""
LIST: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "array", "maxItems": 10_000, "items": {"type": "object"}}},
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    }
}


class Cancellation(Wire):
    """Why an invoice is void, and the source's version of that."""

    version: Version | None = None
    reason: Line | None = None


async def take_one(room: Room, caller: Caller, invoice: CanonicalInvoice) -> Response:
    """One invoice or credit note as this caller's."""
    entity = await room.entity(caller.tenant_id, invoice.entity_id)
    outcomes = await room.take([room.offer(entity, invoice, invoice.source or API)])
    return answers.one(outcomes[0])


@routes.post("/v1/invoices", responses=answers.ONE, response_model=answers.Answer, status_code=201)
async def take_invoice(invoice: CanonicalInvoice, caller: Writes, room: Here) -> Response:
    """Take one invoice: new, changed or void as its `version` and `status` say."""
    return await take_one(room, caller, invoice)


@routes.post("/v1/invoices/batch", response_model=answers.Lines, openapi_extra=LIST)
async def take_invoices(
    request: Request,
    caller: Writes,
    room: Here,
    dry_run: Annotated[bool, Query(description="Answer as if, and take nothing.")] = False,
    take_over: Annotated[bool, Query(description="Old history: wait in take-over, chase nothing by itself.")] = False,
) -> Response:
    """Take up to 10,000 invoices and credit notes, as a JSON array or as NDJSON: a line per line, in order."""
    outcomes: list[Outcome] = []
    async for told in read_lines(await raw_lines(request), CanonicalInvoice, AT_ONCE):
        outcomes += await merged(room, await offered(room, caller, told, take_over), dry_run)
    return answers.many(outcomes, dry_run=dry_run)


async def offered(
    room: Room, caller: Caller, told: Sequence[CanonicalInvoice | RelanceError], take_over: bool
) -> list[Offer | Outcome]:
    """The offers that lines make, or their refusals, in order; each entity is looked up once."""
    named = {each.entity_id for each in told if isinstance(each, CanonicalInvoice)}
    homes = {each: await _home(room, caller, each) for each in named}
    return [
        Outcome("refused", None, problem=each)
        if isinstance(each, RelanceError)
        else _offer(each, homes[each.entity_id], take_over)
        for each in told
    ]


async def _home(room: Room, caller: Caller, named: UUID | None) -> tuple[Entity, date] | RelanceError:
    """The entity with its business date, or why it is none of the caller's."""
    try:
        entity = await room.entity(caller.tenant_id, named)
    except RelanceError as refused:
        return refused
    return entity, room.today(entity)


def _offer(told: CanonicalInvoice, home: tuple[Entity, date] | RelanceError, take_over: bool) -> Offer | Outcome:
    if isinstance(home, RelanceError):
        return Outcome("refused", told.external_id or told.number, problem=home)
    entity, today = home
    return Offer(entity.tenant_id, entity.entity_id, told.source or API, told, today, take_over=take_over)


async def merged(room: Room, told: list[Offer | Outcome], dry_run: bool) -> list[Outcome]:
    """Outcomes in the order of the lines: those refused before they were offers stay in their places."""
    offers = [each for each in told if isinstance(each, Offer)]
    taken = iter(await room.take_lines(offers, dry_run=dry_run))
    return [each if isinstance(each, Outcome) else next(taken) for each in told]


class Filters(Wire):
    """Which invoices to list, and from where on."""

    limit: Limit = 50
    cursor: Cursor = None
    entity_id: UUID | None = None
    debtor_id: UUID | None = None
    number: Number | None = None
    external_id: Key | None = None
    source: Key | None = None
    kind: Kind | None = None
    credit: bool | None = None
    cancelled: bool | None = None
    take_over: bool | None = None
    issued_from: date | None = None
    issued_to: date | None = None
    due_before: date | None = None


@routes.get("/v1/invoices")
async def list_invoices(caller: Reads, room: Here, asked: Annotated[Filters, Query()]) -> views.InvoicePage:
    """Invoices and credit notes, by date of issue."""
    wanted = asked.model_dump(exclude={"limit", "cursor"}, exclude_none=True)
    start = place(room.settings, "invoices", asked.cursor)
    async with room.database.transaction(caller.tenant_id) as db:
        rows, last = cut(await store.page(db, caller.tenant_id, asked.limit, start, wanted), asked.limit)
        parts = await store.instalments(db, caller.tenant_id, [row.invoice_id for row in rows])
    more = cursor(room.settings, "invoices", last.issue_date, last.invoice_id) if last else None
    return views.InvoicePage(items=[views.invoice(row, parts.get(row.invoice_id, ())) for row in rows], next=more)


@routes.get("/v1/invoices/{invoice_id}")
async def read_invoice(invoice_id: UUID, caller: Reads, room: Here) -> views.InvoiceWhole:
    """One invoice or credit note, whole."""
    async with room.database.transaction(caller.tenant_id) as db:
        row = await store.one(db, caller.tenant_id, invoice_id)
        if row is None:
            raise NotFound(f"There is no invoice {invoice_id}.")
        parts = await store.instalments(db, caller.tenant_id, [invoice_id])
        named = await store.named_by_credit(db, caller.tenant_id, invoice_id)
        links = await store.documents_of(db, caller.tenant_id, invoice_id)
    return views.whole(row, parts.get(invoice_id, ()), named, links)


@routes.post("/v1/invoices/{invoice_id}/cancel")
async def cancel_invoice(invoice_id: UUID, told: Cancellation, caller: Writes, room: Here) -> answers.Answer:
    """Void an invoice or a credit note. Nothing more leaves for it once this answered."""
    now = room.clock.now()
    outcome = await room.commit(
        caller.tenant_id, lambda db: changes.cancel(db, caller.tenant_id, invoice_id, told.version, now)
    )
    await room.stopped([outcome])
    if outcome.problem is not None:
        raise outcome.problem
    return answers.Answer.model_validate(answers.facts(outcome))


@routes.post("/v1/invoices/{invoice_id}/release")
async def release_invoice(invoice_id: UUID, caller: Writes, room: Here) -> answers.Answer:
    """Let an invoice out of take-over: from now on it is chased like any other."""
    now = room.clock.now()
    outcome = await room.commit(
        caller.tenant_id, lambda db: changes.restate(db, caller.tenant_id, invoice_id, now, take_over=False)
    )
    await room.stopped([outcome])
    return answers.Answer.model_validate(answers.facts(outcome))
