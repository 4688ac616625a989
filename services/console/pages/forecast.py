"""The forecast: what is likely to come in the next thirteen weeks, by due dates and by how late each customer pays."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common import directory
from libs.common.clock import today
from libs.common.money import exponent
from services.console.pages import charts
from services.console.pages.asking import Narrowed, Words, address
from services.console.pages.excel import Cell, Row, excel_of, headed
from services.console.pages.guard import PageRoute, may
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, web_of
from services.console.people.lookup import Person
from services.console.room import here
from services.console.store import forecast as store
from services.console.store import work

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("payments:read"))]
SOON = 4
"""Weeks of the first figure."""


@routes.get("/forecast")
async def forecast(request: Request, person: Reader, chosen: Narrowed, currency: Words = "") -> Response:
    """The weeks as bars and figures, what is in none of them, and the formula."""
    room = here(request)
    day = today(room.clock, ZONE)
    async with room.settled(person.tenant_id, day) as db:
        found = await store.expected(db, person.tenant_id, day, entity=chosen.entity, currency=currency)
    units = 10 ** exponent(found.currency)
    values = [[max(0, week.expected.minor) / units] for week in found.weeks]
    grid, bars = charts.piles(values, [True] * len(values))
    path, _, words = address(request).partition("?")
    facts: dict[str, Any] = {
        "forecast": found,
        "day": day,
        "chosen": chosen,
        "soon": SOON,
        "chart": {"grid": grid, "bars": bars},
        "export": f"{path}.xlsx" + (f"?{words}" if words else ""),
    }
    return await shown(request, "forecast.html", person, **facts)


@routes.get("/forecast.xlsx")
async def forecast_file(request: Request, person: Reader, chosen: Narrowed, currency: Words = "") -> Response:
    """The weeks as an Excel file."""
    room, t = here(request), web_of(request).texts_for(request, person)
    day = today(room.clock, ZONE)
    async with room.settled(person.tenant_id, day) as db:
        found = await store.expected(db, person.tenant_id, day, entity=chosen.entity, currency=currency)
        as_of = await work.as_of(db, person.tenant_id)
        entities = {each.entity_id: each.name for each in await directory.entities(db, person.tenant_id)}
    filters: list[tuple[str, Cell]] = [(t("excel.currency"), found.currency), (t("forecast.delay"), found.delay)]
    if chosen.entity in entities:
        filters.append((t("filter.entity"), entities[chosen.entity]))
    columns = [(t("forecast.week"), "date"), (t("forecast.expected"), "money"), (t("forecast.items"), "number")]
    sheet = headed(t, t("nav.forecast"), filters, [*columns, (t("forecast.due"), "money")], as_of=as_of)

    async def rows() -> AsyncIterator[Sequence[Row]]:
        yield [[week.first, week.expected, week.items, week.due] for week in found.weeks]

    return await excel_of(request).answer(sheet, rows())
