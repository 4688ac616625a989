"""The balance of a day over HTTP: where everything stands that was due on it, and that nothing was said twice."""

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from libs.common.errors import NotFound, Refused
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.scheduler import auditing, balancing
from services.scheduler.api.shared import In, Reads
from services.scheduler.balancing import DayBalance, Line, Standing
from services.scheduler.calendar import Calendar
from services.scheduler.room import Room
from services.scheduler.store import balance as store
from services.scheduler.store import zones

routes = APIRouter(prefix="/v1/daily-balance", tags=["daily balance"])
On = Annotated[date | None, Query(description="A day that has passed; yesterday if it is left out.")]
EARLIEST = date(2000, 1, 1)


class BalanceLine(BaseModel):
    """So many steps that stand in one place for one reason. `held` ones were due and not released."""

    standing: Standing
    state: str
    reason: str
    count: int


class CompanyBalance(BaseModel):
    """A company's day. `due` is the sum of its lines; `unanswered` releases have no end and nobody to wait for."""

    entity_id: UUID
    on: date
    due: int
    unanswered: int
    balanced: bool
    lines: list[BalanceLine]


class DailyBalance(BaseModel):
    """The day of every company, and how many steps were ever said twice, which must be 0."""

    double_reminders: int
    balanced: bool
    items: list[CompanyBalance]


class DueStep(BaseModel):
    """One step of one item that was due on the day, and where it stands."""

    item_id: UUID
    number: str
    cycle: int
    step: str
    tone: int
    release: int
    standing: Standing
    state: str
    reason: str


class DueSteps(BaseModel):
    """One page of steps."""

    items: list[DueStep]
    next: str | None


@routes.get("")
async def daily_balance(caller: Reads, room: In, on: On = None, entity_id: UUID | None = None) -> DailyBalance:
    """Where everything stands that was due on a day, company by company."""
    now = room.clock.now()
    async with room.database.transaction(caller.tenant_id) as db:
        calendars = await zones.calendars(db, {caller.tenant_id})
        found = {}
        for key, calendar in sorted(calendars.items()):
            if entity_id in (None, key[1]):
                found[key] = await auditing.of_day(db, key, calendar, _day(room, calendar, on))
        doubles = await auditing.doubles(db, now, caller.tenant_id)
    if entity_id is not None and not found:
        raise NotFound(f"There is no entity {entity_id}.")
    items = [_out(entity, day) for (_, entity), day in found.items()]
    return DailyBalance(
        double_reminders=doubles, balanced=doubles == 0 and all(each.balanced for each in items), items=items
    )


@routes.get("/steps")
async def list_due_steps(
    *,
    caller: Reads,
    room: In,
    entity_id: UUID,
    on: On = None,
    standing: Standing | None = None,
    reason: Annotated[str | None, Query(max_length=60)] = None,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
) -> DueSteps:
    """The steps behind a line, item by item."""
    start = place(room.settings, "due-steps", after)
    async with room.database.transaction(caller.tenant_id) as db:
        calendar = (await zones.calendars(db, {caller.tenant_id})).get((caller.tenant_id, entity_id))
        if calendar is None:
            raise NotFound(f"There is no entity {entity_id}.")
        day = _day(room, calendar, on)
        bounds = auditing.bounds(calendar, day)
        told = await store.counted(db, caller.tenant_id, entity_id, day, *bounds)
        chosen = {(state, why) for state, why, _ in told if _fits(balancing.line(state, why, 1), standing, reason)}
        found = await store.steps(db, caller.tenant_id, entity_id, day, bounds, chosen, start, limit + 1)
    rows, last = cut(found, limit)
    more = cursor(room.settings, "due-steps", last["item_id"], last["cycle"], last["step_key"]) if last else None
    return DueSteps(items=[_step(row) for row in rows], next=more)


def _fits(line: Line, standing: Standing | None, reason: str | None) -> bool:
    return standing in (None, line.standing) and reason in (None, line.reason)


def _day(room: Room, calendar: Calendar, on: date | None) -> date:
    """The day that was asked for. Raises Refused for one that is not over."""
    today = calendar.today(room.clock.now())
    if on is not None and not EARLIEST <= on < today:
        raise Refused(f"{on} is not over, or too long ago.", field="on", remedy="Ask for a day that has passed.")
    return on or today - timedelta(days=1)


def _out(entity: UUID, day: DayBalance) -> CompanyBalance:
    lines = [
        BalanceLine(standing=each.standing, state=each.state, reason=each.reason, count=each.count)
        for each in day.lines
    ]
    return CompanyBalance(
        entity_id=entity, on=day.on, due=day.due, unanswered=day.unanswered, balanced=day.balanced, lines=lines
    )


def _step(row: store.Row) -> DueStep:
    told = balancing.line(row["state"], row["reason"], 1)
    names = ("item_id", "number", "cycle", "tone", "release")
    shown = {name: row[name] for name in names}
    return DueStep(step=row["step_key"], standing=told.standing, state=told.state, reason=told.reason, **shown)
