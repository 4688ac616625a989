"""The team of a manager: who looks after which portfolio, what waits in each today, what is late, who did what."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from services.console.pages.excel import Row, excel_of, headed
from services.console.pages.guard import PageRoute, may
from services.console.pages.portfolios import TEAM
from services.console.pages.shell import day_start, shown
from services.console.pages.web import ZONE, Texts, web_of
from services.console.people import portfolios
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import team as store
from services.console.store import work
from services.console.store.today import TABS

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Manager = Annotated[Person, Depends(may(TEAM))]
"""Who may read who did what, and so may see who did not."""
WEEK = timedelta(days=7)


async def _found(room: Room, person: Person) -> list[store.Portfolio]:
    day = today(room.clock, ZONE)
    async with room.settled(person.tenant_id, day) as db:
        return await store.portfolios(db, person.tenant_id, day, day_start(room.clock.now()))


@routes.get("/team")
async def team(request: Request, person: Manager) -> Response:
    """Portfolios with their work of today, substitutes by date, and the people with what they did in a week."""
    room = here(request)
    now, day = room.clock.now(), today(room.clock, ZONE)
    found = await _found(room, person)
    async with room.database.transaction(person.tenant_id) as db:
        members = await store.members(db, person.tenant_id, day_start(now - WEEK))
        covers = await portfolios.listed(db, person, day, everybodys=True)
    facts: dict[str, Any] = {
        "day": day,
        "tabs": TABS,
        "portfolios": found,
        "totals": store.totals(found),
        "members": members,
        "deeds": store.DEEDS,
        "covers": covers,
    }
    return await shown(request, "team.html", person, **facts)


@routes.get("/team.xlsx")
async def team_file(request: Request, person: Manager) -> Response:
    """The portfolios and their work as an Excel file: a line a currency, the work on the first of them."""
    room, t = here(request), web_of(request).texts_for(request, person)
    found = await _found(room, person)
    async with room.database.transaction(person.tenant_id) as db:
        as_of = await work.as_of(db, person.tenant_id)
    tabs = [(t(f"today.{tab}"), "number") for tab in TABS]
    first = [(t("filter.portfolio"), "name"), (t("team.who"), "name"), (t("nav.customers"), "number")]
    money = [(t("operations.outstanding"), "money"), (t("operations.overdue"), "money"), (t("excel.currency"), "text")]
    sheet = headed(t, t("nav.team"), [], [*first, *tabs, (t("team.late"), "number"), *money], as_of=as_of)

    async def rows() -> AsyncIterator[Sequence[Row]]:
        yield [row for each in found for row in _rows(t, each)]

    return await excel_of(request).answer(sheet, rows())


def _rows(t: Texts, each: store.Portfolio) -> list[Row]:
    name, who = each.name or t("team.nobodys"), ", ".join(holder.name for holder in each.holders)
    late = {amount.currency: amount for amount in each.overdue}
    counts = [each.customers, *(each.load(tab).lines for tab in TABS), each.late]
    if not each.owed:
        return [[name, who, *counts, None, None, None]]
    nothing: list[None] = [None] * len(counts)
    return [
        [name, who, *(nothing if place else counts), owed, late.get(owed.currency), owed.currency]
        for place, owed in enumerate(each.owed)
    ]
