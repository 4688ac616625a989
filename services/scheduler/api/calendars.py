"""Calendars over HTTP: the days on which an entity sends nothing and no deadline falls, with the reason of each.

They are facts of the directory: `PATCH /v1/directory/entities/{id}` changes country, region and closed days.
"""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from libs.common import directory
from services.scheduler.api.shared import In, Reads
from services.scheduler.calendar import Calendar, public_holidays
from services.scheduler.store.zones import of

routes = APIRouter(prefix="/v1/calendars", tags=["calendars"])
LANGUAGES = {"fr": "fr", "en": "en_US"}
"""Our languages as the library of holidays names them; it falls back on the country's own."""
Year = Annotated[int, Query(ge=2000, le=2100)]


class FreeDay(BaseModel):
    """A day without business: a public holiday with its name, or a day of the company's own. Weekends are not told."""

    on: date
    why: Literal["holiday", "closed"]
    name: str | None = None


class CalendarOut(BaseModel):
    """The business days of an entity in a year, and where it stands now."""

    entity_id: UUID
    country: str
    region: str | None
    time_zone: str
    known: bool
    """Whether the country has a calendar and the zone a clock; without, nothing is said."""
    today: date
    works_today: bool
    next_business_day: date
    year: int
    business_days: int
    days: list[FreeDay]


@routes.get("/{entity_id}")
async def read_calendar(
    entity_id: UUID, caller: Reads, room: In, year: Year | None = None, language: Literal["fr", "en"] = "fr"
) -> CalendarOut:
    """The days of a year, this one unless it is named, on which the entity does no business besides weekends."""
    async with room.database.transaction(caller.tenant_id) as db:
        entity = await directory.entity(db, caller.tenant_id, entity_id)
    calendar = of(entity)
    now = calendar.today(room.clock.now())
    wanted = year or now.year
    return CalendarOut(
        entity_id=entity_id,
        country=entity.country,
        region=entity.region,
        time_zone=entity.time_zone,
        known=calendar.unknown is None,
        today=now,
        works_today=calendar.is_business_day(now),
        next_business_day=calendar.add_business_days(now, 1),
        year=wanted,
        business_days=calendar.business_days_between(date(wanted - 1, 12, 31), date(wanted, 12, 31)),
        days=free_days(calendar, wanted, language),
    )


def free_days(calendar: Calendar, year: int, language: Literal["fr", "en"]) -> list[FreeDay]:
    """Public holidays and closed days of a year, in order; a day that is both is a holiday."""
    public = public_holidays(calendar.country, calendar.region, year, LANGUAGES[language])
    own = {day for day in calendar.closed if day.year == year} - public.keys()
    named = [FreeDay(on=day, why="holiday", name=name) for day, name in public.items()]
    return sorted([*named, *(FreeDay(on=day, why="closed") for day in own)], key=lambda each: each.on)
