"""Reports: everything that leaves as an Excel file in one place, each narrowed to a company, a day and a period.

Most files are those of the pages. The key figures and the tie-out become files here: they are their owners' figures,
asked for when the file is made, and nothing is counted anew.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common import directory
from libs.common.clock import today
from libs.common.errors import NotFound
from libs.common.money import Money, from_wire
from services.console.pages import measures, tieout
from services.console.pages.asking import Words, day_of, day_or, uuid_of
from services.console.pages.commands import ask
from services.console.pages.excel import Cell, Row, excel_of, headed
from services.console.pages.guard import PageRoute, allows, may
from services.console.pages.policies import OWNER as SCHEDULER
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, Texts, web_of
from services.console.people.lookup import Person
from services.console.room import here

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Opener = Annotated[Person, Depends(may("invoices:read"))]
Reader = Annotated[Person, Depends(may("payments:read"))]


@dataclass(frozen=True)
class Report:
    """A file: what it is called, its address and that of its page, who may have it, and the words it is narrowed by."""

    name: str
    file: str
    page: str
    scope: str
    words: tuple[str, ...] = ("entity",)
    always: tuple[tuple[str, str], ...] = ()
    """Words that its address always carries."""

    def address(self, path: str, told: Mapping[str, str]) -> str:
        """A path of it with what is chosen."""
        words = {name: told[name] for name in self.words if told.get(name)} | dict(self.always)
        return path + (f"?{urlencode(words)}" if words else "")


PERIOD = ("entity", "first", "last")
EVERYBODYS = (("mine", "no"),)
REPORTS: Sequence[tuple[str, Sequence[Report]]] = (
    (
        "reports.owed",
        (
            Report("balance", "/aged-balance.xlsx", "/aged-balance", "invoices:read", ("entity", "on"), EVERYBODYS),
            Report("customers", "/customers.xlsx", "/customers", "debtors:read", always=EVERYBODYS),
            Report("invoices", "/invoices.xlsx", "/invoices", "invoices:read", always=EVERYBODYS),
            Report("forecast", "/forecast.xlsx", "/forecast", "payments:read"),
            Report("credit", "/credit.xlsx", "/credit", "payments:read", always=EVERYBODYS),
            Report("deadlines", "/credit/deadlines.xlsx", "/credit/deadlines", "payments:read", ()),
        ),
    ),
    (
        "reports.collected",
        (
            Report("dso", "/dso.xlsx", "/dso", "payments:read"),
            Report("collection", "/figures/collection.xlsx", "/figures", "payments:read", PERIOD),
            Report("payments", "/payments.xlsx", "/payments", "payments:read", always=(("state", "all"),)),
            Report("tieout", "/tie-out.xlsx", "/tie-out", "payments:read", ()),
        ),
    ),
    (
        "reports.followed",
        (
            Report("kept", "/figures/promises.xlsx", "/figures", "payments:read", PERIOD),
            Report("steps", "/figures/steps.xlsx", "/figures", "payments:read", PERIOD),
            Report("promises", "/promises.xlsx", "/promises", "reminders:read", always=(("state", "all"), *EVERYBODYS)),
            Report("plans", "/plans.xlsx", "/plans", "reminders:read", ()),
            Report("disputes", "/disputes.xlsx", "/disputes", "reminders:read", always=(("state", "all"), *EVERYBODYS)),
            Report("holds", "/holds.xlsx", "/holds", "reminders:read", always=EVERYBODYS),
            Report("handing", "/hand-over.xlsx", "/hand-over", "reminders:read", always=EVERYBODYS),
            Report("recovery", "/hand-over/files.xlsx", "/hand-over/files", "payments:read", ()),
        ),
    ),
    (
        "reports.controlled",
        (
            Report("team", "/team.xlsx", "/team", "audit:read", ()),
            Report("audit", "/audit.xlsx", "/audit", "audit:read", ("since", "until")),
            Report("users", "/users.xlsx", "/users", "directory:admin", ()),
        ),
    ),
)


@routes.get("/reports")
async def reports(  # noqa: PLR0917 - the words of an address
    request: Request, person: Opener, entity: Words = "", on: Words = "", first: Words = "", last: Words = ""
) -> Response:
    """The files that this person may have, with what they are to be narrowed to."""
    now = today(here(request).clock, ZONE)
    begins, ends, day = day_or(first, now - measures.SPAN), day_or(last, now), day_of(on, now)
    period = {"first": begins.isoformat(), "last": ends.isoformat()}
    told = {"entity": entity if uuid_of(entity) else "", "on": day.isoformat() if day < now else "", **period}
    told |= {"since": period["first"], "until": period["last"]}
    groups = [(name, [each for each in some if allows(person, each.scope)]) for name, some in REPORTS]
    facts: dict[str, Any] = {
        "groups": [(name, some) for name, some in groups if some],
        "told": told,
        "company": uuid_of(entity),
        "on": day,
        "first": begins,
        "last": ends,
        "today": now,
    }
    return await shown(request, "reports.html", person, **facts)


Value = Callable[[Texts, Mapping[str, Any]], Cell]
COLUMNS: Mapping[str, Sequence[tuple[str, str, Value]]] = {
    "collection": (
        ("excel.currency", "text", lambda t, each: str(each["currency"])),
        ("figures.sold", "money", lambda t, each: from_wire(each["sold"])),
        ("figures.owed", "money", lambda t, each: from_wire(each["owed_at_end"])),
        ("figures.effectiveness", "number", lambda t, each: _number(each["effectiveness"])),
        ("figures.days_late", "number", lambda t, each: _number(each["days_late"])),
        ("figures.cost", "money", lambda t, each: _money(each["cost_of_overdue"])),
    ),
    "promises": (
        ("excel.currency", "text", lambda t, each: str(each["currency"])),
        ("figures.kept", "number", lambda t, each: int(each["kept"])),
        ("figures.partly", "number", lambda t, each: int(each["partly_kept"])),
        ("figures.broken", "number", lambda t, each: int(each["broken"])),
        ("figures.kept_rate", "number", lambda t, each: _number(each["kept_rate"])),
        ("figures.promised", "money", lambda t, each: from_wire(each["promised"])),
        ("figures.in_time", "money", lambda t, each: from_wire(each["paid_in_time"])),
    ),
    "steps": (
        ("step", "name", lambda t, each: measures.step_named(t, each["step"])),
        ("excel.currency", "text", lambda t, each: str(each["currency"])),
        ("figures.items", "number", lambda t, each: int(each["items"])),
        ("figures.settled", "number", lambda t, each: int(each["settled"])),
        ("figures.rate", "number", lambda t, each: _number(each["settled_rate"])),
        ("figures.asked", "money", lambda t, each: from_wire(each["reminded"])),
        ("figures.paid", "money", lambda t, each: from_wire(each["settled_amount"])),
    ),
}
"""Key figures as files: heading, kind of cell, and the value of a line. Rates are parts of one."""


def _money(told: Mapping[str, str] | None) -> Money | None:
    return from_wire(told) if told else None


def _number(told: str | None) -> Decimal | None:
    return None if told is None else Decimal(told)


@routes.get("/figures/{name}.xlsx")
async def figures_file(  # noqa: PLR0917 - the words of an address
    request: Request, person: Reader, name: str, first: Words = "", last: Words = "", entity: Words = ""
) -> Response:
    """Key figures of a period as an Excel file: `collection`, `promises` or `steps`. Raises NotFound."""
    if name not in COLUMNS:
        raise NotFound("There is no such report.")
    room, t, company = here(request), web_of(request).texts_for(request, person), uuid_of(entity)
    now = today(room.clock, ZONE)
    begins, ends = day_or(first, now - measures.SPAN), day_or(last, now)
    params = {"first": begins.isoformat(), "last": ends.isoformat()} | ({"entity_id": str(company)} if company else {})
    told = await ask(room, person, SCHEDULER, "GET", f"/v1/kpis/{name}", params=params)
    async with room.database.transaction(person.tenant_id) as db:
        names = {each.entity_id: each.name for each in await directory.entities(db, person.tenant_id)}
    head: list[tuple[str, Cell]] = [(t("simulation.first"), begins), (t("simulation.last"), ends)]
    head += [(t("filter.entity"), names[company])] if company in names else []
    columns = [(t(label), kind) for label, kind, _ in COLUMNS[name]]
    sheet = headed(t, t(f"reports.{'kept' if name == 'promises' else name}"), head, columns, as_of=room.clock.now())

    async def rows() -> AsyncIterator[Sequence[Row]]:
        yield [[value(t, each) for _, _, value in COLUMNS[name]] for each in told["figures"]]

    return await excel_of(request).answer(sheet, rows())


@routes.get("/tie-out.xlsx")
async def tie_out_file(request: Request, person: Reader) -> Response:
    """Both ledgers of each company at its last comparison as an Excel file, a line a currency."""
    room, t = here(request), web_of(request).texts_for(request, person)
    told = await ask(room, person, tieout.OWNER, "GET", "/v1/tie-out")
    async with room.database.transaction(person.tenant_id) as db:
        names = {str(each.entity_id): each.name for each in await directory.entities(db, person.tenant_id)}
    sums = ("ours", "theirs", "difference", "control", "off")
    kinds = ("money", "money", "money", "money", "number")
    columns = [(t("filter.entity"), "name"), (t("tieout.as_of"), "date"), (t("invoice.status"), "text")]
    columns += [(t(f"tieout.{name}"), kind) for name, kind in zip(sums, kinds, strict=True)]
    sheet = headed(t, t("nav.tieout"), [], columns, as_of=room.clock.now())

    async def rows() -> AsyncIterator[Sequence[Row]]:
        yield [
            [
                names.get(one["entity_id"], one["entity_id"]),
                day_or(one["as_of"] or "", today(room.clock, ZONE)),
                t(f"tieout.state.{one['state']}"),
                *(from_wire(each[name]) if each[name] else None for name in (*sums[:3], "control_account")),
                each["customers_off"],
            ]
            for one in told
            for each in one["balances"]
        ]

    return await excel_of(request).answer(sheet, rows())
