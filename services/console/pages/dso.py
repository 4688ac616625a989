"""DSO and outstanding: three ways of counting the days, what is owed and overdue by month, as charts and figures."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from libs.common import directory
from libs.common.clock import today
from libs.common.money import Money, exponent
from services.console.figures import Standing, month_ends, together
from services.console.pages import charts
from services.console.pages.asking import Narrowed, Words, address
from services.console.pages.excel import Cell, Row, excel_of, headed
from services.console.pages.guard import PageRoute, may
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, web_of
from services.console.people.lookup import Person
from services.console.room import here
from services.console.store import dso, past, work

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("payments:read"))]
MONTHS = 12
SECONDS = 2.0
"""How long a page works out months that nobody asked for before; the rest comes with the next look."""


@dataclass(frozen=True)
class Month:
    """What one month ended with; `standing` is None when there was no time to work it out."""

    day: date
    standing: Standing | None

    @property
    def sure(self) -> bool:
        """Whether somebody could have seen these figures on that day."""
        return self.standing is None or not self.standing.books


@dataclass(frozen=True)
class Course:
    """Months and the present day, of one currency."""

    currency: str
    currencies: list[str]
    months: list[Month]
    missing: int

    @property
    def now(self) -> Standing:
        standing = self.months[-1].standing
        assert standing is not None
        return standing


async def course(db: AsyncConnection, person: Person, now: date, entity: UUID | None, currency: str) -> Course:
    """The last twelve month ends and today, of an entity or of all, in the wanted currency or the largest."""
    tenant = person.tenant_id
    first = await past.begun(db, tenant, ZONE)
    days = [past.day_seen(day, now, first, ZONE) for day in month_ends(now, MONTHS)]
    lines, missing = await dso.closings(db, tenant, days, seconds=SECONDS)
    lines += await dso.standing(db, tenant, past.day_seen(now, now, first, ZONE))
    found = together(told for each, told in lines if entity in (None, each))
    present = {told.currency: told.outstanding for told in found.values() if told.day == now}
    currencies = sorted(present, key=lambda code: -present[code] / 10 ** exponent(code))
    chosen = currency if currency in currencies else next(iter(currencies), "EUR")
    wanted = [day.day for day in days] + [now]
    nothing = (0, 0, 0, (0,) * 13)
    months = [
        Month(day, None if day in missing else found.get((day, chosen), Standing(day, chosen, *nothing)))
        for day in wanted
    ]
    return Course(chosen, currencies, _from_first_sale(months), len(missing))


def _from_first_sale(months: list[Month]) -> list[Month]:
    """Without the months whose last 90 days began before the first sale that we know of: their days say nothing."""
    for place, month in enumerate(months[:-1]):
        if month.standing is None or sum(month.standing.sold) > month.standing.sold_90:
            return months[place:]
    return months[-1:]


@routes.get("/dso")
async def days_sales_outstanding(request: Request, person: Reader, chosen: Narrowed, currency: Words = "") -> Response:
    """The page: today's figures, how they came about, and the figures behind the charts."""
    room = here(request)
    now = today(room.clock, ZONE)
    async with room.settled(person.tenant_id, now, sales=True) as db:
        found = await course(db, person, now, chosen.entity, currency)
    grid, lines = _days(found)
    amounts, bars = _amounts(found)
    path, _, words = address(request).partition("?")
    facts: dict[str, Any] = {
        "course": found,
        "day": now,
        "chosen": chosen,
        "before": _before(found),
        "days_lines": {"grid": grid, "lines": lines, "xs": charts.xs(len(found.months))},
        "amounts": {"grid": amounts, "bars": bars},
        "shares": _shares(found),
        "export": f"{path}.xlsx" + (f"?{words}" if words else ""),
    }
    return await shown(request, "dso.html", person, **facts)


def _float(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _days(found: Course) -> tuple[charts.Scale, list[charts.Line]]:
    named = {
        "countback": [_float(m.standing.countback) if m.standing else None for m in found.months],
        "simple": [_float(m.standing.simple) if m.standing else None for m in found.months],
        "best": [_float(m.standing.best) if m.standing else None for m in found.months],
    }
    return charts.lines(named, [month.sure for month in found.months])


def _amounts(found: Course) -> tuple[charts.Scale, list[charts.Bar]]:
    units = 10 ** exponent(found.currency)
    values = [
        [max(0, m.standing.not_due) / units, max(0, m.standing.overdue) / units] if m.standing else None
        for m in found.months
    ]
    return charts.piles(values, [month.sure for month in found.months])


def _shares(found: Course) -> dict[str, Any]:
    """What share of the outstanding was overdue."""
    values = [
        100 * m.standing.overdue / m.standing.outstanding if m.standing and m.standing.outstanding > 0 else None
        for m in found.months
    ]
    grid, lines = charts.lines({"share": values}, [month.sure for month in found.months])
    return {"grid": grid, "lines": lines, "xs": charts.xs(len(found.months))}


def _before(found: Course) -> Standing | None:
    """What the oldest month that is shown ended with, to compare with."""
    return found.months[0].standing if len(found.months) > 1 else None


@routes.get("/dso.xlsx")
async def dso_file(request: Request, person: Reader, chosen: Narrowed, currency: Words = "") -> Response:
    """The figures behind the charts as an Excel file."""
    room, t = here(request), web_of(request).texts_for(request, person)
    now = today(room.clock, ZONE)
    async with room.settled(person.tenant_id, now, sales=True) as db:
        found = await course(db, person, now, chosen.entity, currency)
        as_of = await work.as_of(db, person.tenant_id)
        entities = {each.entity_id: each.name for each in await directory.entities(db, person.tenant_id)}
    filters: list[tuple[str, Cell]] = [(t("excel.currency"), found.currency), (t("dso.period"), now)]
    if chosen.entity in entities:
        filters.append((t("filter.entity"), entities[chosen.entity]))
    days = [(t(f"dso.{name}"), "number") for name in ("countback", "simple", "best")]
    money = [(t(f"dso.{name}"), "money") for name in ("outstanding", "not_due", "overdue", "sold")]
    columns = [(t("dso.day"), "date"), *days, *money, (t("dso.source"), "text")]
    sheet = headed(t, t("nav.dso"), filters, columns, as_of=as_of)

    async def rows() -> AsyncIterator[Sequence[Row]]:
        yield [_row(month.standing, t(f"dso.source.{_source(month, now)}")) for month in found.months if month.standing]

    return await excel_of(request).answer(sheet, rows())


def _source(month: Month, now: date) -> str:
    return "now" if month.day == now else "shown" if month.sure else "books"


def _row(told: Standing, source: str) -> Row:
    amounts = (told.outstanding, told.not_due, told.overdue, told.sold_90)
    days = [_tenth(value) for value in (told.countback, told.simple, told.best)]
    return [told.day, *days, *(Money(minor, told.currency) for minor in amounts), source]


def _tenth(value: Fraction | None) -> Decimal | None:
    return None if value is None else Decimal(f"{float(value):.1f}")
