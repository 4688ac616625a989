"""The business calendars: on which days each company sends nothing, by its country, its region and its own choice.

What follows from them is the scheduler's, which is asked when the page is drawn; they are facts of the directory, which
an administrator changes here.
"""

from collections import defaultdict
from contextlib import suppress
from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common import directory
from libs.common.clock import today
from libs.common.errors import RelanceError
from libs.common.workdays import regions
from services.console.directory import entities
from services.console.pages import forms
from services.console.pages.asking import Words, address, uuid_of
from services.console.pages.commands import Told, ask, done
from services.console.pages.guard import PageRoute, Posted, allows, may
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, web_of
from services.console.people.lookup import Person
from services.console.room import Room, here

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("reminders:read"))]
Administrator = Annotated[Person, Depends(may("directory:admin"))]
OWNER = "scheduler"
LONGEST = 60
"""Days that may be closed at once."""
MOST = 400
"""Closed days that a company may have."""


@routes.get("/calendars")
async def calendars(request: Request, person: Reader, entity: Words = "", year: Words = "") -> Response:
    """The companies with their calendars; of one, the days of a year on which it is closed, and why."""
    room, t = here(request), web_of(request).texts_for(request, person)
    now = today(room.clock, ZONE)
    async with room.database.transaction(person.tenant_id) as db:
        known = sorted(await directory.entities(db, person.tenant_id), key=lambda each: each.name.casefold())
    chosen = next((each for each in known if each.entity_id == uuid_of(entity)), known[0] if known else None)
    wanted = int(year) if year.isdecimal() and 2000 <= int(year[:5]) <= 2100 else now.year
    told = await _told(room, person, chosen.entity_id, wanted, t.language) if chosen else None
    facts: dict[str, Any] = {
        "companies": known,
        "chosen": chosen,
        "year": wanted,
        "told": told,
        "months": _months(told) if told else {},
        "regions": sorted(regions(chosen.country).items(), key=lambda pair: pair[1]) if chosen else [],
        "region_name": lambda each: regions(each.country).get(each.region, each.region),
        "before": address(request, year=wanted - 1),
        "after": address(request, year=wanted + 1),
        "address": lambda **changes: address(request, **changes),
        "may_change": allows(person, "directory:admin"),
        "day": now,
    }
    return await shown(request, "calendars.html", person, **facts)


async def _told(room: Room, person: Person, entity: UUID, year: int, language: str) -> dict[str, Any] | None:
    """What the scheduler goes by; None when it does not answer."""
    with suppress(RelanceError):  # the page says that it is away
        params = {"year": year, "language": language}
        found: dict[str, Any] = await ask(room, person, OWNER, "GET", f"/v1/calendars/{entity}", params=params)
        return found
    return None


def _months(told: dict[str, Any]) -> dict[date, list[dict[str, Any]]]:
    """The days that are told, by the first of their month."""
    found: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for each in told["days"]:
        on = date.fromisoformat(each["on"])
        found[on.replace(day=1)].append({**each, "on": on, "weekend": on.weekday() > 4})
    return dict(found)


@routes.post("/calendars/{entity_id}/region")
async def choose_region(request: Request, person: Administrator, form: Posted, entity_id: UUID) -> Response:
    """Another region, or none: its public holidays count from now on."""
    wanted = forms.text(form, "region", most=12) or None
    async with here(request).changing(person.tenant_id, person.actor) as change:
        await entities.alter(change, entity_id, {"region": wanted})
    return done(request, form, Told("done.calendar.region"))


@routes.post("/calendars/{entity_id}/close")
async def close(request: Request, person: Administrator, form: Posted, entity_id: UUID) -> Response:
    """From one day to another, both included, the company is closed."""
    first = forms.day(form, "first")
    last = forms.day(form, "last") if forms.text(form, "last") else first
    if not first <= last < first + timedelta(days=LONGEST):
        raise forms.FieldInvalid(f"At most {LONGEST} days, the last not before the first.", field="last")
    days = {first + timedelta(days=count) for count in range((last - first).days + 1)}
    days = {day for day in days if day.weekday() < 5} or days
    async with here(request).changing(person.tenant_id, person.actor) as change:
        found = await directory.entity(change.db, person.tenant_id, entity_id)
        closed = sorted(days.union(found.closed_days))
        if len(closed) > MOST:
            raise forms.FieldInvalid(f"A company has at most {MOST} closed days.", field="first")
        await entities.alter(change, entity_id, {"closed_days": closed})
    added = [f"{day}" for day in sorted(days.difference(found.closed_days))]
    undo = f"/calendars/{entity_id}/open?" + "&".join(f"on={day}" for day in added) if added else ""
    return done(request, form, Told("done.calendar.closed", {}, undo))


@routes.post("/calendars/{entity_id}/open")
async def reopen(request: Request, person: Administrator, form: Posted, entity_id: UUID) -> Response:
    """Days on which business is done after all."""
    days = [_day(text) for text in request.query_params.getlist("on")[:LONGEST]]
    async with here(request).changing(person.tenant_id, person.actor) as change:
        found = await directory.entity(change.db, person.tenant_id, entity_id)
        left = [day for day in found.closed_days if day not in days]
        await entities.alter(change, entity_id, {"closed_days": left})
    return done(request, form, Told("done.calendar.open"))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise forms.FieldInvalid("This is no day.", field="on") from None
