"""Shadow over HTTP: what a company would have said, beside what another system really said."""

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from libs.common.errors import Refused
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.scheduler.api.shared import In, Reads
from services.scheduler.errors import NoPeriod
from services.scheduler.policy import LADDER
from services.scheduler.shadowing import Compared, Found, Said, compare, counts
from services.scheduler.store import importing as past
from services.scheduler.store import shadowing as store

routes = APIRouter(prefix="/v1/shadow", tags=["shadow"])
LONGEST = timedelta(days=366)
MOST = 100_000
"""Reminders of one side that are compared at once."""


class SaidOut(BaseModel):
    """A reminder of one side. `step` is empty for what another system said."""

    on: date
    tone: int
    step: str


class ComparedOut(BaseModel):
    """A reminder about one item. `found`: same tone on both sides, ours softer or harder, or on one side only."""

    item_id: UUID
    number: str
    found: Found
    ours: SaidOut | None
    theirs: SaidOut | None
    days_later: int | None


class ShadowAnswer(BaseModel):
    """Ours are the reminders that would have been sent, theirs the imported ones; the counts are over all lines."""

    entity_id: UUID
    first: date
    last: date
    within: int
    ours: int
    theirs: int
    counts: dict[Found, int]
    items: list[ComparedOut]
    next: str | None


@routes.get("")
async def compare_shadow(
    *,
    caller: Reads,
    room: In,
    entity_id: UUID,
    first: date,
    last: date,
    within: Annotated[int, Query(ge=0, le=30, description="Days apart at which two reminders are the same.")] = 3,
    found: Annotated[Found | None, Query(description="Only lines of this kind; the counts are over all.")] = None,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
) -> ShadowAnswer:
    """What would have been said beside what was, item by item."""
    if not timedelta(0) <= last - first <= LONGEST:
        raise NoPeriod("A period is a year at most.", field="last")
    start = place(room.settings, "shadow", after)
    asked = (caller.tenant_id, entity_id, first, last, MOST + 1)
    async with room.database.transaction(caller.tenant_id) as db:
        mine, theirs = await store.decided(db, *asked), await past.past(db, *asked)
    if max(len(mine), len(theirs)) > MOST:
        raise Refused("There are too many reminders in these days.", field="first", remedy="Ask for fewer days.")
    ours = [Said(row["item_id"], row["number"], row["on_date"], row["tone"], row["step_key"]) for row in mine]
    others = [Said(row["item_id"], row["number"], row["on_date"], row["tone"]) for row in theirs
              if row["kind"] in LADDER]  # fmt: skip
    lines = compare(ours, others, within)
    shown = [line for line in lines if found in (None, line.found)]
    rows, end = cut(shown[int(start[0]) if start else 0 :], limit)
    done = (int(start[0]) if start else 0) + len(rows)
    return ShadowAnswer(
        entity_id=entity_id,
        first=first,
        last=last,
        within=within,
        ours=len(ours),
        theirs=len(others),
        counts=counts(lines),
        items=[_out(line) for line in rows],
        next=cursor(room.settings, "shadow", done) if end else None,
    )


def _out(line: Compared) -> ComparedOut:
    return ComparedOut(
        item_id=line.item_id,
        number=line.number,
        found=line.found,
        ours=_said(line.ours),
        theirs=_said(line.theirs),
        days_later=line.days_later,
    )


def _said(said: Said | None) -> SaidOut | None:
    return None if said is None else SaidOut(on=said.on, tone=said.tone, step=said.step)
