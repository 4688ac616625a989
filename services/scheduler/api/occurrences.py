"""Occurrences over HTTP: what was released, and what became of it."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.scheduler.api.shared import AmountOut, In, Reads, amount_of
from services.scheduler.store import lists

routes = APIRouter(prefix="/v1/occurrences", tags=["occurrences"])
State = Literal[
    "released", "proposed", "opened", "uncertain", "completed", "skipped", "stopped", "failed", "rejected", "bounced"
]
UNANSWERED = timedelta(hours=24)


class OccurrenceOut(BaseModel):
    """One step of one item in one cycle, with its last release and what became of it."""

    occurrence_id: UUID
    item_id: UUID
    number: str
    case_id: UUID
    entity_id: UUID
    cycle: int
    step: str
    tone: int
    release: int
    state: State
    reason: str
    reminder_id: UUID
    printed: AmountOut
    on: date
    released_at: datetime
    ended_at: datetime | None


class OccurrencePage(BaseModel):
    """One page of occurrences."""

    items: list[OccurrenceOut]
    next: str | None


def _out(row: Any) -> OccurrenceOut:
    names = (
        "occurrence_id", "item_id", "number", "case_id", "entity_id", "cycle", "tone", "release", "state", "reason",
        "reminder_id", "released_at", "ended_at",
    )  # fmt: skip
    return OccurrenceOut(
        step=row["step_key"],
        on=row["on_date"],
        printed=amount_of(row["printed_minor"], row["currency"]),
        **{name: row[name] for name in names},
    )


@routes.get("")
async def list_occurrences(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    state: State | None = None,
    item_id: UUID | None = None,
    unanswered: Annotated[bool, Query(description="Only releases without an end after 24 hours.")] = False,
) -> OccurrencePage:
    """What was released, in the order of the ids."""
    start = place(room.settings, "occurrences", after)
    since = room.clock.now() - UNANSWERED if unanswered else None
    async with room.database.transaction(caller.tenant_id) as db:
        found = await lists.occurrences(
            db, caller.tenant_id, limit + 1, start, state=state, item_id=item_id, unanswered_since=since
        )
    rows, last = cut(found, limit)
    more = cursor(room.settings, "occurrences", last["occurrence_id"]) if last else None
    return OccurrencePage(items=[_out(row) for row in rows], next=more)
