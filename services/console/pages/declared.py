"""What was declared to insurers, of all customers: the first deadline first, with what each insurer made of it.

Declarations and answers are the scheduler's; an answer is noted on the customer's credit file.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from libs.common.errors import Unavailable
from services.console.pages.asking import Words
from services.console.pages.credit import day_or_none
from services.console.pages.credit_file import OUTCOMES
from services.console.pages.credit_sheets import DECLARED, declared_row
from services.console.pages.excel import Row, excel_of, headed
from services.console.pages.guard import PageRoute, may
from services.console.pages.insurance import WITHIN, until_day
from services.console.pages.owned import all_of, amounts, beside, named, one_page, sums
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, web_of
from services.console.people.lookup import Person
from services.console.room import here

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("payments:read"))]
PATH = "/v1/credit/declarations"
STATES = ("all", "awaited", *OUTCOMES)
OPEN = ("awaited", "accepted")
"""Outcomes after which something is still to come from the insurer."""
Line = dict[str, Any]


def _asked(state: str, within: str, day: date) -> tuple[str, str, dict[str, str | None]]:
    """The state and the nearness that an address asks for, and how the scheduler is asked for them."""
    which, near = state if state in STATES else "all", within if within in WITHIN else "all"
    return which, near, {"outcome": None if which == "all" else which, "until": until_day(near, day)}


def _read(line: Line, day: date) -> Line:
    """The line with its amounts as money, the last day `by`, and the days until then while something is to come."""
    line = amounts(line, "amount", "owed", "indemnified")
    days = {name: day_or_none(line[name]) for name in ("declared_on", "declare_by", "claim_by", "due_date")}
    by = days["claim_by"] or days["declare_by"]
    left = (by - day).days if by and line["outcome"] in OPEN else None
    return line | days | {"by": by, "days_left": left, "said": line["answers"][-1] if line["answers"] else None}


@routes.get("/credit/declarations")
async def declarations(
    request: Request, person: Reader, state: Words = "all", within: Words = "all", *, cursor: Words = ""
) -> Response:
    """Declared invoices, paid or not, of one state or near their deadline if the address asks so."""
    room, day = here(request), today(here(request).clock, ZONE)
    which, near, asked = _asked(state, within, day)
    facts: dict[str, Any] = {"lines": [], "away": False, "more": None, "first_page": None}
    try:
        found, more = await one_page(room, person, PATH, cursor, **asked)
        facts |= {"lines": [_read(line, day) for line in found], **beside(request, more)}
        await named(room, person, facts["lines"])
    except Unavailable:  # the page says so
        facts["away"] = True
    facts |= {"state": which, "states": STATES, "within": near, "choices": WITHIN}
    facts["sums"] = sums([line["amount"] for line in facts["lines"]])
    return await shown(request, "declared.html", person, **facts)


@routes.get("/credit/declarations.xlsx")
async def declarations_file(request: Request, person: Reader, state: Words = "all", within: Words = "all") -> Response:
    """The same lines, all of them, as an Excel file."""
    room, t = here(request), web_of(request).texts_for(request, person)
    day = today(room.clock, ZONE)
    which, near, asked = _asked(state, within, day)
    lines = await all_of(room, person, PATH, **asked)
    await named(room, person, lines)
    who = (("customer", "name"), ("customer.number", "text"), ("credit.claim_by", "date"))
    columns = [(t(label), kind) for label, kind in (*who, *DECLARED, ("excel.currency", "number"))]
    filters = [(t("credit.outcome"), t(f"credit.outcome.{which}")), (t("credit.within"), t(f"credit.within.{near}"))]
    sheet = headed(t, t("credit.declarations"), filters, columns, as_of=room.clock.now())

    async def rows() -> AsyncIterator[Sequence[Row]]:
        read = [amounts(line, "amount", "owed", "indemnified") for line in lines]
        yield [
            [
                line["name"] or t("customer.erased"),
                line["external_id"],
                day_or_none(line["claim_by"]),
                *declared_row(t, line),
            ]
            for line in read
        ]

    return await excel_of(request).answer(sheet, rows())
