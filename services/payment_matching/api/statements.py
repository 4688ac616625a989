"""Bank files: uploaded raw, proved, taken once; and how fresh each account is."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.clock import today
from libs.common.errors import NotFound
from libs.common.events import Amount
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.payment_matching.api import wire
from services.payment_matching.api.payments import Here, Reads, Writes
from services.payment_matching.banking import last_banking_day_before
from services.payment_matching.room import Room
from services.payment_matching.statements.layout import Layout
from services.payment_matching.store import feeds, files, lists, mappings

routes = APIRouter(tags=["statements"])
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("application/octet-stream", "application/xml", "text/plain", "text/csv")
        },
    }
}


class BalanceOut(BaseModel):
    """A balance of the account at a day."""

    amount: Amount
    on: date


class StatementLine(BaseModel):
    """What one statement of a file brought."""

    account: str
    reference: str
    opening: BalanceOut | None
    closing: BalanceOut | None
    entries: int
    payments: int
    known: int
    returns: int
    pending: int


class FileTaken(BaseModel):
    """A bank file that was taken; `unchanged` means that this very file was taken before."""

    result: Literal["created", "unchanged"]
    id: UUID
    format: str
    version: str
    message_id: str
    statements: list[StatementLine]


class FileOut(BaseModel):
    """A bank file as received, and what became of it."""

    file_id: UUID
    received_at: datetime
    actor: str
    size: int
    state: Literal["reading", "taken", "refused"]
    result: dict[str, Any] | None


class FilePage(BaseModel):
    """Bank files, the newest first."""

    files: list[FileOut]
    next: str | None


@routes.post(
    "/v1/statements",
    status_code=201,
    openapi_extra=BODY,
    responses={200: {"model": FileTaken, "description": "This file was taken before."}},
)
async def take_statement(
    request: Request,
    caller: Writes,
    room: Here,
    response: Response,
    *,
    entity_id: UUID | None = None,
    bank_account_id: UUID | None = None,
) -> FileTaken:
    """Take a bank file, raw: camt.052/053/054, MT940, MT942, CFONB 120, CODA, OFX, BAI2, or a table (CSV, XLSX).

    The bytes say which; the declared type is not asked. `entity_id` says whose an account is that nobody knows yet,
    `bank_account_id` whose mapping reads a table that several fit.
    """
    entity = None
    if entity_id is not None or len(await room.entities(caller.tenant_id)) == 1:
        entity = (await room.entity(caller.tenant_id, entity_id)).entity_id
    body = await request.body()
    opened, new = await room.take_file(caller.tenant_id, caller.subject, body, entity, bank_account_id)
    response.status_code = 201 if new else 200
    return FileTaken(result="created" if new else "unchanged", id=opened.file_id, **(opened.result or {}))


@routes.get("/v1/statements")
async def list_statements(
    caller: Reads, room: Here, limit: Limit = 50, cursor_: Annotated[Cursor, Query(alias="cursor")] = None
) -> FilePage:
    """Bank files as received, the newest first."""
    before, last_id = place(room.settings, "statements", cursor_) or (None, None)
    async with room.database.transaction(caller.tenant_id) as db:
        rows, last = cut(await files.page(db, caller.tenant_id, before, last_id, limit + 1), limit)
    following = cursor(room.settings, "statements", last.received_at, last.file_id) if last else None
    return FilePage(files=[FileOut.model_validate(row._mapping) for row in rows], next=following)


@routes.get("/v1/bank-accounts")
async def list_accounts(caller: Reads, room: Here) -> list[wire.BankAccountOut]:
    """Our bank accounts, and how far each one's statements reach."""
    entities = await room.entities(caller.tenant_id)
    async with room.database.transaction(caller.tenant_id) as db:
        rows = await lists.accounts(db, caller.tenant_id)
    shown = []
    for row in rows:
        entity = entities.get(row.entity_id)
        needed = last_banking_day_before(today(room.clock, entity.time_zone if entity else "Europe/Paris"))
        fresh = not row.unreadable and row.covered_to is not None and row.covered_to >= needed
        shown.append(wire.BankAccountOut.model_validate({**row._mapping, "fresh": fresh}))
    return shown


@routes.get("/v1/bank-accounts/{bank_account_id}/table-mapping")
async def read_mapping(bank_account_id: UUID, caller: Reads, room: Here) -> Layout:
    """How the tables (CSV, XLSX) of this account are read."""
    async with room.database.transaction(caller.tenant_id) as db:
        found = await mappings.known(db, caller.tenant_id, bank_account_id)
    if not found:
        raise NotFound(f"No mapping is saved for the bank account {bank_account_id}.")
    return found[0].layout


@routes.put("/v1/bank-accounts/{bank_account_id}/table-mapping")
async def save_mapping(bank_account_id: UUID, mapping: Layout, caller: Writes, room: Here) -> Layout:
    """Save how the tables of this account are read; it replaces the mapping before."""
    await _save(room, caller.tenant_id, bank_account_id, mapping)
    return mapping


@routes.delete("/v1/bank-accounts/{bank_account_id}/table-mapping", status_code=204)
async def drop_mapping(bank_account_id: UUID, caller: Writes, room: Here) -> None:
    """Forget the mapping; what was read by it stays."""
    await _save(room, caller.tenant_id, bank_account_id, None)


async def _save(room: Room, tenant: UUID, bank_account: UUID, layout: Layout | None) -> None:
    if await room.commit(lambda db: mappings.save(db, tenant, bank_account, layout), tenant) is None:
        raise NotFound(f"There is no bank account {bank_account}.")


@routes.post("/v1/bank-accounts/{bank_account_id}/accept-gap")
async def accept_gap(bank_account_id: UUID, caller: Writes, room: Here) -> list[wire.BankAccountOut]:
    """A person accepts that statements are missing: coverage is counted anew from the newest one on."""
    tenant = caller.tenant_id

    async def work(db: AsyncConnection) -> None:
        named = [row.account for row in await lists.accounts(db, tenant) if row.bank_account_id == bank_account_id]
        known = await feeds.accounts(db, tenant, named)
        if not known:
            raise NotFound(f"There is no bank account {bank_account_id}.")
        for account in known.values():
            await feeds.reach(db, room.clock.now(), account, anew=True)

    await room.commit(work, tenant)
    return await list_accounts(caller, room)
