"""Debtors: their files, one by one or in lists, and their erasure."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.auth import Caller, requires
from libs.common.errors import NotFound, RelanceError
from libs.common.http import check_match, tag
from libs.common.ids import debtor_id
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.invoice_ingest import erasing
from services.invoice_ingest.api import answers, views
from services.invoice_ingest.api.invoices import LIST, Here
from services.invoice_ingest.api.lists import raw_lines, read_lines
from services.invoice_ingest.filing import Filing
from services.invoice_ingest.room import CHUNK, Room
from services.invoice_ingest.sources.canonical import DebtorEntry, DebtorFile
from services.invoice_ingest.store import debtors as store
from services.invoice_ingest.taking import Outcome

routes = APIRouter(prefix="/v1/debtors", tags=["debtors"])
Reads = Annotated[Caller, Depends(requires("debtors:read"))]
Writes = Annotated[Caller, Depends(requires("debtors:write"))]
External = Annotated[str, Path(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")]


@routes.put("/{external_id}", responses=answers.ONE, response_model=answers.Answer)
async def put_debtor(external_id: External, told: DebtorFile, request: Request, caller: Writes, room: Here) -> Response:
    """File a debtor, whole. Nothing more leaves to what it replaces once this answered."""
    entity = await room.entity(caller.tenant_id, told.entity_id)
    filing = Filing(caller.tenant_id, entity.entity_id, external_id.strip(), told)
    if "if-match" in request.headers:
        async with room.database.transaction(caller.tenant_id) as db:
            known = await store.one(db, caller.tenant_id, filing.debtor_id)
        check_match(request, known.version if known else 0)
    return answers.one((await room.file(caller.tenant_id, [filing]))[0])


@routes.post("/batch", response_model=answers.Lines, openapi_extra=LIST)
async def file_debtors(
    request: Request,
    caller: Writes,
    room: Here,
    dry_run: Annotated[bool, Query(description="Answer as if, and take nothing.")] = False,
) -> Response:
    """File up to 10,000 debtors of any entities, as a JSON array or as NDJSON: a line per line, in order."""
    outcomes: list[Outcome] = []
    async for told in read_lines(await raw_lines(request), DebtorEntry, CHUNK):
        filings = [await _filing(room, caller, each) for each in told]
        wanted = [each for each in filings if isinstance(each, Filing)]
        taken = iter(await room.file(caller.tenant_id, wanted, dry_run=dry_run) if wanted else ())
        outcomes += [each if isinstance(each, Outcome) else next(taken) for each in filings]
    return answers.many(outcomes, dry_run=dry_run)


async def _filing(room: Room, caller: Caller, told: DebtorEntry | RelanceError) -> Filing | Outcome:
    try:
        if isinstance(told, RelanceError):
            raise told
        entity = await room.entity(caller.tenant_id, told.entity_id)
        return Filing(caller.tenant_id, entity.entity_id, told.external_id, told)
    except RelanceError as refused:
        return Outcome("refused", getattr(told, "external_id", None), problem=refused)


@routes.get("")
async def list_debtors(
    *,
    caller: Reads,
    room: Here,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    entity_id: UUID | None = None,
    external_id: Annotated[str | None, Query(max_length=120)] = None,
    party_id: UUID | None = None,
    payer_id: UUID | None = None,
) -> views.DebtorPage:
    """Debtors, by the number that their entity's ledger gives them."""
    start = place(room.settings, "debtors", after)
    wanted: dict[str, Any] = {"external_id": external_id, "party_id": party_id, "payer_id": payer_id}
    async with room.database.transaction(caller.tenant_id) as db:
        rows, last = cut(await store.page(db, caller.tenant_id, limit, start, entity=entity_id, **wanted), limit)
        contacts = await store.contacts(db, caller.tenant_id, [row.debtor_id for row in rows])
    more = cursor(room.settings, "debtors", last.external_id, last.debtor_id) if last else None
    return views.DebtorPage(items=[views.debtor(row, contacts.get(row.debtor_id, ())) for row in rows], next=more)


@routes.get("/{external_id}")
async def read_debtor(
    external_id: External, caller: Reads, room: Here, response: Response, entity_id: UUID | None = None
) -> views.DebtorShown:
    """One debtor's file."""
    entity = await room.entity(caller.tenant_id, entity_id)
    one = debtor_id(caller.tenant_id, entity.entity_id, external_id)
    async with room.database.transaction(caller.tenant_id) as db:
        row = await store.one(db, caller.tenant_id, one)
        contacts = await store.contacts(db, caller.tenant_id, [one])
    if row is None:
        raise NotFound(f"There is no debtor {external_id!r}.")
    tag(response, row.version)
    return views.debtor(row, contacts.get(one, ()))


@routes.post("/{external_id}/erase")
async def erase_debtor(
    external_id: External, caller: Writes, room: Here, entity_id: UUID | None = None
) -> answers.Answer:
    """Erase a debtor's personal data; its invoices stay in the ledger under its number's digest."""
    entity = await room.entity(caller.tenant_id, entity_id)
    one = debtor_id(caller.tenant_id, entity.entity_id, external_id)

    async def work(db: AsyncConnection) -> Outcome:
        return await erasing.erase(db, caller.tenant_id, one, room.clock.now())

    outcome = await room.commit(caller.tenant_id, work)
    await room.stopped([outcome])
    return answers.Answer.model_validate(answers.facts(outcome) | {"external_id": None})
