"""Payments: taken in one by one or in lists, read, matched and un-matched by people, reversed."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.auth import Caller, requires
from libs.common.errors import NotFound, Refused, RelanceError, TooLarge
from libs.common.http import Wire, inline, parsed, read_json, unfit
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.payment_matching import deciding, proposing, returning
from services.payment_matching.allocation import Line
from services.payment_matching.api import incoming, wire
from services.payment_matching.errors import PaymentConflict
from services.payment_matching.receiving import NewPayment
from services.payment_matching.room import Room, here
from services.payment_matching.store import lists, proposals
from services.payment_matching.store.payments import Taken

routes = APIRouter(tags=["payments"])
Reads = Annotated[Caller, Depends(requires("payments:read"))]
Writes = Annotated[Caller, Depends(requires("payments:write"))]
Here = Annotated[Room, Depends(inline(here))]
API = "api"
MOST = 10_000
CHUNK = 500
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
CREATED: dict[int | str, dict[str, Any]] = {200: {"model": incoming.Answer, "description": "It is on record already."}}
LIST: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "array", "maxItems": MOST, "items": {"type": "object"}}},
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    }
}


def answer(taken: Taken, external_id: str, response: Response) -> incoming.Answer:
    """201 for new money, 200 for known money. Raises PaymentConflict."""
    if taken.result == "conflict":
        raise PaymentConflict(f"{external_id} was sent before with other content.", field="external_id")
    response.status_code = 201 if taken.result == "created" else 200
    return incoming.Answer(result=taken.result, id=taken.payment_id, external_id=external_id)


@routes.post("/v1/payments", status_code=201, responses=CREATED)
async def take_payment(told: incoming.PaymentIn, caller: Writes, room: Here, response: Response) -> incoming.Answer:
    """Take one payment. An ERP's own `allocations` are authoritative; without them it is matched."""
    entity = await room.entity(caller.tenant_id, told.entity_id)
    taken = await room.receive([told.new(caller.tenant_id, entity.entity_id, API)])
    return answer(taken[0], told.external_id, response)


@routes.post("/v1/payments/batch", openapi_extra=LIST)
async def take_payments(request: Request, caller: Writes, room: Here) -> incoming.Batch:
    """Take up to 10,000 payments, a JSON array or NDJSON: a line per line, in order; each stands alone."""
    lines = await _lines(request)
    answers: list[incoming.BatchLine] = []
    for start in range(0, len(lines), CHUNK):
        answers += await _chunk(room, caller, start, lines[start : start + CHUNK])
    return incoming.Batch(results=answers, counts=Counter(line.result for line in answers))


async def _lines(request: Request) -> Sequence[Any]:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media in NDJSON:
        found: Any = [line for line in (await request.body()).splitlines() if line.strip()]
    else:
        found = parsed(request)
    if not isinstance(found, list):
        raise Refused("Expected a JSON array, or one JSON object a line.", field="body", remedy="Send a list.")
    if len(found) > MOST:
        raise TooLarge(f"A list has at most {MOST} lines; this one has {len(found)}.", most=MOST)
    return found


async def _chunk(room: Room, caller: Caller, start: int, lines: Sequence[Any]) -> list[incoming.BatchLine]:
    told: list[tuple[int, incoming.PaymentIn, NewPayment]] = []
    answers: dict[int, incoming.BatchLine] = {}
    for n, line in enumerate(lines, start + 1):
        try:
            one = incoming.PaymentIn.model_validate(read_json(line) if isinstance(line, bytes) else line)
            entity = await room.entity(caller.tenant_id, one.entity_id)
            told.append((n, one, one.new(caller.tenant_id, entity.entity_id, API)))
        except ValidationError as error:
            answers[n] = _refused(n, line, unfit(error.errors(include_url=False, include_input=False)))
        except RelanceError as refused:
            answers[n] = _refused(n, line, refused)
    taken = await room.receive([new for _, _, new in told]) if told else []
    for (n, one, _), found in zip(told, taken, strict=True):
        if found.result == "conflict":
            conflict = PaymentConflict(field="external_id")
            answers[n] = _refused(n, {"external_id": one.external_id}, conflict, result="conflict")
        else:
            answers[n] = incoming.BatchLine(
                line=n, external_id=one.external_id, result=found.result, id=found.payment_id
            )
    return [answers[n] for n in sorted(answers)]


def _refused(
    n: int, line: Any, error: RelanceError, result: Literal["refused", "conflict"] = "refused"
) -> incoming.BatchLine:
    known = line.get("external_id") if isinstance(line, dict) else None
    return incoming.BatchLine(
        line=n,
        external_id=known if isinstance(known, str) else None,
        result=result,
        code=error.code,
        detail=error.detail,
        field=error.field,
        remedy=error.remedy_text or None,
    )


class Filters(Wire):
    """Which payments to list, and from where on."""

    limit: Limit = 50
    cursor: Cursor = None
    state: wire.State | None = None
    payer_id: UUID | None = None
    entity_id: UUID | None = None


@routes.get("/v1/payments")
async def list_payments(caller: Reads, room: Here, wanted: Annotated[Filters, Query()]) -> wire.PaymentPage:
    """Payments, the newest first; `state=unmatched` is the list that waits for a person."""
    after = place(room.settings, "payments", wanted.cursor)
    chosen = {"state": wanted.state, "payer": wanted.payer_id, "entity": wanted.entity_id}
    async with room.database.transaction(caller.tenant_id) as db:
        found = await lists.payments(
            db, caller.tenant_id, wanted.limit + 1, **chosen, after=after[0] if after else None
        )
        rows, last = cut(found, wanted.limit)
        names = await lists.external_ids(db, caller.tenant_id, [row.payment_id for row in rows])
        given = await lists.allocations(db, caller.tenant_id, [row.payment_id for row in rows])
        waits = await proposals.waiting(db, caller.tenant_id, [row.payment_id for row in rows])
    told = [
        wire.payment(row, names.get(row.payment_id), given.get(row.payment_id, ()), waits.get(row.payment_id))
        for row in rows
    ]
    return wire.PaymentPage(payments=told, next=cursor(room.settings, "payments", last.seq) if last else None)


@routes.get("/v1/payments/{payment_id}")
async def read_payment(payment_id: UUID, caller: Reads, room: Here) -> wire.PaymentOut:
    """One payment with its allocations."""
    async with room.database.transaction(caller.tenant_id) as db:
        return await shown(db, caller.tenant_id, payment_id)


async def shown(db: AsyncConnection, tenant: UUID, payment_id: UUID) -> wire.PaymentOut:
    """One payment as clients read it. Raises NotFound."""
    rows = await lists.some_payments(db, tenant, [payment_id])
    if not rows:
        raise NotFound(f"There is no payment {payment_id}.")
    names = await lists.external_ids(db, tenant, [payment_id])
    given = await lists.allocations(db, tenant, [payment_id])
    waits = await proposals.waiting(db, tenant, [payment_id])
    return wire.payment(rows[0], names.get(payment_id), given.get(payment_id, ()), waits.get(payment_id))


@routes.get("/v1/payments/{payment_id}/suggestions")
async def read_suggestions(
    payment_id: UUID, caller: Reads, room: Here, language: wire.Language = "fr"
) -> wire.Suggestions:
    """Up to five sets of items that it may be meant for, each with its evidence in words."""
    tenant = caller.tenant_id
    async with room.database.transaction(tenant) as db:
        payment = await shown(db, tenant, payment_id)
        rows = await lists.suggestions(db, tenant, payment_id)
        items = await lists.some_items(db, tenant, {item for row in rows for item in row.items})
    found = [wire.suggestion(row, items, payment.amount.currency, language) for row in rows]
    return wire.Suggestions(payment_id=payment_id, suggestions=found)


@routes.post("/v1/payments/{payment_id}/allocations", status_code=201)
async def allocate(
    payment_id: UUID, wanted: wire.AllocationsIn, caller: Writes, room: Here, response: Response
) -> wire.PaymentOut:
    """Give it to items. What a person decides, the machine never changes. 202 where it takes a second person.

    An item in another currency takes two amounts: what it owes less, and what of the payment that is (`paid`).
    """
    decision = deciding.Decision(caller.tenant_id, payment_id, caller.subject)
    lines = [deciding.Wanted(one.item_id, one.amount, one.paid, one.write_off) for one in wanted.allocations]
    notes = [Line(one.credit_note_id, one.amount.minor) for one in wanted.credits]

    async def work(db: AsyncConnection) -> wire.PaymentOut:
        if await proposing.allocate(db, room.clock.now(), decision, lines, notes):
            response.status_code = 202
        return await shown(db, caller.tenant_id, payment_id)

    found = await room.commit(work, caller.tenant_id)
    await room.stopped(caller.tenant_id, [one.item_id for one in wanted.allocations])
    return found


@routes.delete("/v1/payments/{payment_id}/allocations/{allocation_id}")
async def unallocate(payment_id: UUID, allocation_id: UUID, caller: Writes, room: Here) -> wire.PaymentOut:
    """Take one allocation back: the item owes again, from the level that it had reached."""
    decision = deciding.Decision(caller.tenant_id, payment_id, caller.subject)

    async def work(db: AsyncConnection) -> wire.PaymentOut:
        await deciding.take_back(db, room.clock.now(), decision, allocation_id)
        return await shown(db, caller.tenant_id, payment_id)

    found = await room.commit(work, caller.tenant_id)
    await room.stopped(caller.tenant_id)
    return found


@routes.post("/v1/payments/{payment_id}/account")
async def put_on_account(payment_id: UUID, told: wire.OnAccount, caller: Writes, room: Here) -> wire.PaymentOut:
    """Say whose it is and leave it unapplied: reminders wait for it, and the machine only suggests from here on."""

    async def work(db: AsyncConnection) -> None:
        decision = deciding.Decision(caller.tenant_id, payment_id, caller.subject)
        await deciding.put_on_account(db, room.clock.now(), decision, told.debtor_id)

    return await _decided(room, caller, payment_id, work)


@routes.post("/v1/payments/{payment_id}/suggestions/reject")
async def reject_suggestions(payment_id: UUID, caller: Writes, room: Here) -> wire.PaymentOut:
    """None of them is right: the machine keeps still about this payment."""

    async def work(db: AsyncConnection) -> None:
        decision = deciding.Decision(caller.tenant_id, payment_id, caller.subject)
        await deciding.reject(db, room.clock.now(), decision)

    return await _decided(room, caller, payment_id, work)


@routes.post("/v1/payments/{payment_id}/retry")
async def look_again(payment_id: UUID, caller: Writes, room: Here) -> wire.PaymentOut:
    """Take back that it is on account, or that what was suggested is not right: it is tried anew."""

    async def work(db: AsyncConnection) -> None:
        decision = deciding.Decision(caller.tenant_id, payment_id, caller.subject)
        await deciding.look_again(db, room.clock.now(), decision)

    return await _decided(room, caller, payment_id, work)


async def _decided(
    room: Room, caller: Caller, payment_id: UUID, work: Callable[[AsyncConnection], Awaitable[None]]
) -> wire.PaymentOut:
    """Carry a decision out and show the payment as it stands then."""

    async def decide(db: AsyncConnection) -> wire.PaymentOut:
        await work(db)
        return await shown(db, caller.tenant_id, payment_id)

    found = await room.commit(decide, caller.tenant_id)
    await room.stopped(caller.tenant_id)
    return found


@routes.post("/v1/payments/{payment_id}/reverse")
async def reverse(payment_id: UUID, told: incoming.Reversal, caller: Writes, room: Here) -> wire.PaymentOut:
    """The bank took it back: what it had settled owes again."""
    return await reverse_one(room, caller.tenant_id, payment_id, told, caller.subject)


async def reverse_one(
    room: Room, tenant: UUID, payment_id: UUID, told: incoming.Reversal, actor: str
) -> wire.PaymentOut:
    """Take a payment back, in whole or in part."""

    async def work(db: AsyncConnection) -> wire.PaymentOut:
        now = room.clock.now()
        payment = await shown(db, tenant, payment_id)
        if told.amount and (told.amount.currency != payment.amount.currency or told.amount.minor <= 0):
            raise Refused(f"A positive amount in {payment.amount.currency} is meant.", field="amount")
        amount = told.amount.minor if told.amount else payment.amount.minor - payment.returned.minor
        taken = returning.Taken(max(1, amount), told.code, told.on or now.date(), actor)
        await deciding.reversed_by_hand(db, now, deciding.Decision(tenant, payment_id, actor), taken)
        return await shown(db, tenant, payment_id)

    found = await room.commit(work, tenant)
    await room.stopped(tenant)
    return found
