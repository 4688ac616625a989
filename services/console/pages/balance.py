"""The aged balance at any date, from the cell to the invoices behind it; each as a page and as an Excel file."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from libs.common import directory
from libs.common.clock import today
from libs.common.errors import RelanceError
from libs.common.money import Money, exponent
from services.console.pages.asking import Narrowed, Number, Words, address, day_of, in_words, paging
from services.console.pages.excel import CHUNK, Cell, Row, excel_of, headed
from services.console.pages.guard import PageRoute, may
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, Texts, web_of
from services.console.people.lookup import Person
from services.console.room import here
from services.console.store import balance, crediting, customers, past, work
from services.console.store.ledger import BUCKETS, PAGE, Chosen
from services.console.store.slices import MOST

_AGES = tuple(str(index) for index in range(BUCKETS))
routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("invoices:read"))]


async def day_asked(request: Request, db: AsyncConnection, person: Person, on: str) -> past.Day:
    """The day that an address names, as it is to be looked at."""
    now = today(here(request).clock, ZONE)
    first = await past.begun(db, person.tenant_id, ZONE)
    return past.day_seen(day_of(on, now), now, first, ZONE)


@routes.get("/aged-balance")
async def aged_balance(
    request: Request, person: Reader, chosen: Narrowed, on: Words = "", page: Number = 1
) -> Response:
    """What is owed, by age and customer."""
    room = here(request)
    async with room.settled(person.tenant_id, today(room.clock, ZONE)) as db:
        day = await day_asked(request, db, person, on)
        found = await balance.aged(db, person.tenant_id, day, chosen, page=page)
        collectors = await customers.collectors(db, person.tenant_id)
        theirs = await _credits(db, person, day, found)
        credit = await crediting.of_all(db, person.tenant_id, chosen) if day.how == "now" else {}
    facts: dict[str, Any] = {
        "balance": found,
        "day": day.day,
        "how": day.how,
        "credit": credit,
        "credits": theirs,
        "today": today(room.clock, ZONE),
        "chosen": chosen,
        "collectors": collectors,
        "paging": paging(request, page, found.customers),
        "address": lambda **changes: address(request, **changes),
        "drill": lambda **cell: _drill(request, **cell),
        "export": _export(request),
    }
    return await shown(request, "balance.html", person, **facts)


async def _credits(
    db: AsyncConnection, person: Person, day: past.Day, found: balance.Balance
) -> Mapping[tuple[UUID, str], Money]:
    """What the customers of a page have to their credit now; nobody kept what it was on a day gone by."""
    if day.how != "now" or not found.lines:
        return {}
    return await crediting.of_these(db, person.tenant_id, {line.debtor_id for line in found.lines})


def _drill(request: Request, **cell: Any) -> str:
    """The address of what a cell is made of, narrowed as this page is."""
    path, _, words = address(request, page=None, **cell).partition("?")
    return f"{path}/items?{words}"


def _export(request: Request) -> str:
    path, _, words = address(request, page=None).partition("?")
    return f"{path}.xlsx" + (f"?{words}" if words else "")


async def _filters(
    t: Texts, db: AsyncConnection, person: Person, day: past.Day, chosen: Chosen
) -> list[tuple[str, Cell]]:
    """What the head of a file says besides the instant."""
    entities = {each.entity_id: each.name for each in await directory.entities(db, person.tenant_id)}
    told: list[tuple[str, Cell]] = [(t("balance.day"), day.day), (t("balance.how"), t(f"balance.how.{day.how}"))]
    return [*told, *in_words(t, chosen, entities)]


@routes.get("/aged-balance.xlsx")
async def aged_balance_file(request: Request, person: Reader, chosen: Narrowed, on: Words = "") -> Response:
    """The whole balance as an Excel file."""
    room, t = here(request), web_of(request).texts_for(request, person)
    await room.settle(person.tenant_id, today(room.clock, ZONE))
    async with room.database.snapshot(person.tenant_id) as db:
        day = await day_asked(request, db, person, on)
        ages = [(t(f"age.{index}"), "money") for index in range(BUCKETS)]
        names = [(t("customer"), "name"), (t("customer.number"), "text"), (t("filter.profile"), "text")]
        credit = (t("customer.credit"), "money")
        columns = [*names, (t("excel.currency"), "number"), (t("operations.outstanding"), "money"), *ages, credit]
        as_of = await work.as_of(db, person.tenant_id)
        filters = await _filters(t, db, person, day, chosen)
        sheet = headed(t, t("nav.balance"), filters, columns, as_of=as_of)

        async def rows() -> AsyncIterator[Sequence[Row]]:
            for page in range(1, MOST // CHUNK + 1):
                found = await balance.aged(db, person.tenant_id, day, chosen, page=page, size=CHUNK)
                theirs = await _credits(db, person, day, found)
                yield [[*_row(t, line), theirs.get((line.debtor_id, line.currency))] for line in found.lines]
                if len(found.lines) < CHUNK:
                    return

        return await excel_of(request).answer(sheet, rows())


def _row(t: Texts, line: balance.AgedCustomer) -> Row:
    profile = t(f"profile.{line.profile}") if line.profile else None
    return [line.name or t("customer.erased"), line.number, profile, line.currency, line.total, *line.ages]


async def cell_asked(request: Request) -> balance.Cell:
    """The cell that an address names; what makes no sense widens it."""
    words = request.query_params
    currency, debtor, age = words.get("currency", "EUR"), words.get("debtor", ""), words.get("age", "")
    try:
        exponent(currency)
    except RelanceError:
        currency = "EUR"
    try:
        whose = UUID(debtor) if debtor else None
    except ValueError:
        whose = None
    return balance.Cell(currency, whose, int(age) if age in _AGES else None)


Asked = Annotated[balance.Cell, Depends(cell_asked)]


@routes.get("/aged-balance/items")
async def balance_items(
    request: Request, person: Reader, chosen: Narrowed, cell: Asked, *, on: Words = "", page: Number = 1
) -> Response:
    """What one cell is made of."""
    async with here(request).database.transaction(person.tenant_id) as db:
        day = await day_asked(request, db, person, on)
        start = (page - 1) * PAGE
        found = await balance.items(db, person.tenant_id, day, chosen, cell, offset=start)
        debtor = await customers.one(db, person.tenant_id, cell.debtor_id) if cell.debtor_id else None
    facts: dict[str, Any] = {
        "found": found,
        "day": day.day,
        "how": day.how,
        "cell": cell,
        "debtor": debtor,
        "paging": paging(request, page, found.count),
        "export": _export(request),
        "back": address(request, debtor=None, age=None, currency=None, page=None).replace("/items", "", 1),
    }
    return await shown(request, "balance_items.html", person, **facts)


@routes.get("/aged-balance/items.xlsx")
async def balance_items_file(
    request: Request, person: Reader, chosen: Narrowed, cell: Asked, on: Words = ""
) -> Response:
    """What one cell is made of, as an Excel file."""
    t = web_of(request).texts_for(request, person)
    async with here(request).database.snapshot(person.tenant_id) as db:
        day = await day_asked(request, db, person, on)
        filters = await _filters(t, db, person, day, chosen)
        if cell.age is not None:
            filters.append((t("balance.age"), t(f"age.{cell.age}")))
        dates = [(t("invoice.issued"), "date"), (t("invoice.due"), "date"), (t("invoice.late"), "number")]
        names = [(t("invoice"), "text"), (t("customer"), "name")]
        columns = [*names, *dates, (t("invoice.left"), "money"), (t("excel.currency"), "number")]
        as_of = await work.as_of(db, person.tenant_id)
        sheet = headed(t, t("balance.items"), filters, columns, as_of=as_of)

        async def rows() -> AsyncIterator[Sequence[Row]]:
            for start in range(0, MOST, CHUNK):
                found = await balance.items(db, person.tenant_id, day, chosen, cell, limit=CHUNK, offset=start)
                yield [
                    [o.number, o.name, o.issue_date, o.due_date, max(0, o.late), o.owed, o.owed.currency]
                    for o in found.lines
                ]
                if len(found.lines) < CHUNK:
                    return

        return await excel_of(request).answer(sheet, rows())
