"""Quarantine: what waits for a person, and what that person decides."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field, ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import Conflict, NotFound
from libs.common.http import Wire, unfit
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.invoice_ingest import releasing
from services.invoice_ingest.api import answers, views
from services.invoice_ingest.api.invoices import Here, Reads, Writes
from services.invoice_ingest.sources.canonical import CanonicalInvoice
from services.invoice_ingest.sources.wire import Line
from services.invoice_ingest.store import quarantine as store
from services.invoice_ingest.taking import Outcome

routes = APIRouter(prefix="/v1/quarantine", tags=["quarantine"])
State = Literal["open", "released", "rejected", "superseded"]


class AlreadyDecided(Conflict):
    """This entry was decided before."""

    code = "already_decided"


class Releasing(Wire):
    """What a person corrects before it is taken, by field of the canonical invoice."""

    changes: Annotated[dict[str, Any], Field(max_length=30)] = {}
    note: Line | None = None


class Rejecting(Wire):
    """Why it is not taken."""

    note: Line


@routes.get("")
async def list_quarantine(
    *,
    caller: Reads,
    room: Here,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    state: State = "open",
    reason: Annotated[str | None, Query(max_length=60)] = None,
) -> views.QuarantinePage:
    """What waits, the oldest first."""
    start = place(room.settings, "quarantine", after)
    async with room.database.transaction(caller.tenant_id) as db:
        found = await store.page(db, caller.tenant_id, limit, start, state=state, reason=reason)
    rows, last = cut(found, limit)
    more = cursor(room.settings, "quarantine", last.received_at, last.quarantine_id) if last else None
    return views.QuarantinePage(items=[views.quarantined(row) for row in rows], next=more)


@routes.post("/{quarantine_id}/release", responses=answers.ONE, response_model=answers.Answer)
async def release(quarantine_id: UUID, told: Releasing, caller: Writes, room: Here) -> Response:
    """Take it after all, maybe corrected: the person's word counts over what stood against it."""

    async def work(db: AsyncConnection) -> Outcome:
        row = await store.lock(db, caller.tenant_id, quarantine_id)
        _open(row, quarantine_id)
        offer = releasing.offer(row, _corrected(row, told.changes), room.clock.now().date())
        return await releasing.release(db, row, offer, by=caller.subject, note=told.note, now=room.clock.now())

    outcome = await room.commit(caller.tenant_id, work)
    await room.taken([outcome])
    return answers.one(outcome)


def _open(row: Any, quarantine_id: UUID) -> None:
    if row is None:
        raise NotFound(f"There is no quarantined object {quarantine_id}.")
    if row.state != "open":
        raise AlreadyDecided(f"It is {row.state} already.")


def _corrected(row: Any, changes: dict[str, Any]) -> CanonicalInvoice:
    try:
        return releasing.corrected(row.told, changes)
    except ValidationError as error:
        raise unfit(error.errors(include_url=False, include_input=False, include_context=False)) from None


@routes.post("/{quarantine_id}/reject")
async def reject(quarantine_id: UUID, told: Rejecting, caller: Writes, room: Here) -> views.QuarantineShown:
    """Leave it out for good."""

    async def work(db: AsyncConnection) -> Any:
        row = await store.lock(db, caller.tenant_id, quarantine_id)
        _open(row, quarantine_id)
        at = room.clock.now()
        await store.decide(
            db, caller.tenant_id, quarantine_id, state="rejected", by=caller.subject, note=told.note, at=at
        )
        return await store.lock(db, caller.tenant_id, quarantine_id)

    return views.quarantined(await room.commit(caller.tenant_id, work))
