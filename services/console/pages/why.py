"""Why it was sent, why not, what comes next: the scheduler's explanation of one item, now or as of a past day."""

from datetime import date, datetime, time
from functools import partial
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from libs.common.clock import today
from libs.common.errors import NotFound
from services.console.pages.asking import Words, day_of, limits
from services.console.pages.commands import ask
from services.console.pages.guard import PageRoute, may
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, Texts, web_of
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import invoices

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("reminders:read"))]
PART = "x-relance-part"
"""The header with which our script asks for the inside of a dialog instead of a page."""


@routes.get("/items/{item_id}/why")
async def why(request: Request, person: Reader, item_id: UUID, at: Words = "") -> Response:
    """One item explained, as a page or as the inside of a dialog."""
    room, web = here(request), web_of(request)
    now = today(room.clock, ZONE)
    day = day_of(at, now)
    await _seen(room, person, item_id)
    asked = {"at": datetime.combine(day, time(23, 59), ZoneInfo(ZONE)).isoformat()} if day < now else {}
    told = await ask(room, person, "scheduler", "GET", f"/v1/items/{item_id}/explain", params=asked)
    bare = request.headers.get(PART) is not None
    facts: dict[str, Any] = {"told": told, "at": day, "day": now, "bare": bare}
    facts["step"] = partial(step_named, web.texts_for(request, person))
    if bare:
        return web.page(request, "_why.html", person, **facts)
    return await shown(request, "why.html", person, **facts)


@routes.get("/notices/{notice_id}/why")
async def why_notice(request: Request, person: Reader, notice_id: UUID) -> Response:
    """Why a notice was sent or not: its first item, as known on that day."""
    async with here(request).database.transaction(person.tenant_id) as db:
        found = await invoices.of_notice(db, person.tenant_id, notice_id)
    if found is None:
        raise NotFound("There is no such notice.")
    day: date = found["told_at"].astimezone(ZoneInfo(ZONE)).date()
    return RedirectResponse(f"/items/{found['item_id']}/why?at={day.isoformat()}", 303)


async def _seen(room: Room, person: Person, item_id: UUID) -> None:
    """Raises NotFound for an item that is none of this tenant's, or outside what this person may see."""
    async with room.database.transaction(person.tenant_id) as db:
        invoice = await invoices.of_item(db, person.tenant_id, item_id)
        if invoice is None:
            raise NotFound("There is no such item.")
        await invoices.one(db, person.tenant_id, invoice, limits(person))


def step_named(t: Texts, key: str) -> str:
    """A step of the policy in words: its own key where we have none."""
    return t.words.get(f"step.{key}", key.replace("_", " ").replace("-", " "))
