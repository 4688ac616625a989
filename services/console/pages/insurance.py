"""What insurers and courts set a last day for: unpaid insured invoices to declare, claims to file in proceedings.

Deadlines, consents and proceedings are the scheduler's; neither a promise nor a dispute moves one of them.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from libs.common.errors import Unavailable
from services.console.pages import forms
from services.console.pages.acting import Chaser, NothingChosen
from services.console.pages.asking import Words
from services.console.pages.commands import Told, ask, done, key_of, once
from services.console.pages.credit import day_or_none
from services.console.pages.excel import Row, excel_of, headed
from services.console.pages.guard import PageRoute, Posted, allows, may
from services.console.pages.owned import OWNER, all_of, amounts, beside, named, one_page, sums
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, web_of
from services.console.people.lookup import Person
from services.console.room import Room, here

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("payments:read"))]
DEADLINES, PROCEEDINGS = "/v1/credit/deadlines", "/v1/credit/insolvencies"
WITHIN = ("all", "30", "10", "passed")
"""How near the last day is: any, within so many days, gone by."""
ACTS = {"publish": "published_on", "file": "filed_on", "end": "ended_on"}
"""What happens to proceedings, and the day that it names."""
DAYS = ("extend_to", "declare_by", "act_by", "hand_over_by", "due_date")


def until_day(within: str, day: date) -> str | None:
    """The last day that a nearness stands for; None for any."""
    if within == "all":
        return None
    return (day + timedelta(days=-1 if within == "passed" else int(within))).isoformat()


def _clock(line: dict[str, Any]) -> dict[str, Any]:
    return amounts(line, "owed") | {name: date.fromisoformat(line[name]) for name in DAYS}


@routes.get("/credit/deadlines")
async def deadlines(request: Request, person: Reader, within: Words = "all", cursor: Words = "") -> Response:
    """Insured invoices that are unpaid and not declared, the first to be declared first; and the policies."""
    room, day = here(request), today(here(request).clock, ZONE)
    which = within if within in WITHIN else "all"
    facts: dict[str, Any] = {"lines": [], "terms": [], "away": False, "more": None, "first_page": None}
    try:
        found, more = await one_page(room, person, DEADLINES, cursor, until=until_day(which, day))
        facts |= {
            "lines": [_clock(line) for line in found],
            **beside(request, more),
            "terms": await _terms(room, person),
        }
        await named(room, person, facts["lines"])
    except Unavailable:  # the page says so
        facts["away"] = True
    facts |= {"within": which, "choices": WITHIN, "day": day, "may_ask": allows(person, "reminders:write")}
    facts["sums"] = sums([line["owed"] for line in facts["lines"]])
    return await shown(request, "deadlines.html", person, **facts)


async def _terms(room: Room, person: Person) -> list[dict[str, Any]]:
    """The newest version of each policy."""
    told = await ask(room, person, OWNER, "GET", "/v1/credit/insurers")
    newest = {each["name"]: each for each in sorted(told["items"], key=lambda each: int(each["number"]))}
    return list(newest.values())


@routes.get("/credit/deadlines.xlsx")
async def deadlines_file(request: Request, person: Reader, within: Words = "all") -> Response:
    """The same lines, all of them, as an Excel file."""
    room, t = here(request), web_of(request).texts_for(request, person)
    which = within if within in WITHIN else "all"
    until = until_day(which, today(room.clock, ZONE))
    lines = [_clock(line) for line in await all_of(room, person, DEADLINES, until=until)]
    await named(room, person, lines)
    names = (("customer", "name"), ("customer.number", "text"), ("invoice", "text"), ("invoice.left", "money"))
    days = tuple((f"credit.{name}", "date") for name in DAYS[:4])
    more = (("credit.policy", "text"), ("credit.days_left", "number"), ("excel.currency", "number"))
    columns = [(t(label), kind) for label, kind in (*names, ("invoice.due", "date"), *days, *more)]
    filters = [(t("credit.within"), t(f"credit.within.{which}"))]
    sheet = headed(t, t("credit.deadlines"), filters, columns, as_of=room.clock.now())

    async def rows() -> AsyncIterator[Sequence[Row]]:
        yield [_deadline(line, line["name"] or t("customer.erased")) for line in lines]

    return await excel_of(request).answer(sheet, rows())


def _deadline(line: dict[str, Any], name: str) -> Row:
    days = [line["due_date"], *(line[each] for each in DAYS[:4])]
    policy = f"{line['insurer']} · {line['policy']}"
    return [
        name,
        line["external_id"],
        line["number"],
        line["owed"],
        *days,
        policy,
        line["days_left"],
        line["owed"].currency,
    ]


@routes.post("/credit/declarations")
async def declare(request: Request, person: Chaser, form: Posted) -> Response:
    """The ticked invoices were declared to their insurer."""
    items = forms.identities(form, "item")
    if not items:
        raise NothingChosen(field="item")
    body = {
        "item_ids": [str(each) for each in items],
        "declared_on": forms.day(form, "declared_on").isoformat(),
        "reference": forms.needed(form, "reference"),
    }
    headers = once(key_of(form))
    await ask(here(request), person, OWNER, "POST", "/v1/credit/declarations", json=body, headers=headers)
    return done(request, form, Told("done.credit.declared", {"number": len(items)}))


@routes.post("/credit/insurers")
async def insurer(request: Request, person: Chaser, form: Posted) -> Response:
    """Enter what an insurer's policy says; under a name that is known, its next version."""
    claim = forms.text(form, "claim_days", most=3)
    body: dict[str, Any] = {
        "name": forms.needed(form, "name"),
        "insurer": forms.needed(form, "insurer"),
        "extension_days": _days(form, "extension_days"),
        "declaration_days": _days(form, "declaration_days"),
        "counts_from": forms.one_of(form, "counts_from", ("due_date", "extended_due_date")),
        "claim_days": _days(form, "claim_days") if claim else None,
    }
    await ask(here(request), person, OWNER, "POST", "/v1/credit/insurers", json=body, headers=once(key_of(form)))
    return done(request, form, Told("done.credit.terms"))


def _days(form: Any, name: str) -> int:
    typed = forms.needed(form, name, most=3)
    if not typed.isascii() or not typed.isdecimal() or int(typed) > 365:
        raise forms.FieldInvalid("A number of days, at most 365.", field=name)
    return int(typed)


@routes.get("/credit/insolvencies")
async def insolvencies(request: Request, person: Reader, cursor: Words = "") -> Response:
    """Proceedings of customers, and by when the claim is to be filed."""
    room, day = here(request), today(here(request).clock, ZONE)
    facts: dict[str, Any] = {"lines": [], "away": False, "more": None, "first_page": None, "names": {}}
    try:
        found, more = await one_page(room, person, PROCEEDINGS, cursor)
        facts |= {"lines": [_proceedings(line) for line in found], **beside(request, more)}
        facts["names"] = await named(room, person, facts["lines"], "author")
    except Unavailable:  # the page says so
        facts["away"] = True
    facts |= {"day": day, "may_ask": allows(person, "reminders:write")}
    return await shown(request, "insolvencies.html", person, **facts)


def _proceedings(line: dict[str, Any]) -> dict[str, Any]:
    days = ("judgment_on", "published_on", "file_by", "filed_on", "ended_on")
    return line | {name: day_or_none(line[name]) for name in days}


@routes.get("/credit/insolvencies.xlsx")
async def insolvencies_file(request: Request, person: Reader) -> Response:
    """All proceedings as an Excel file."""
    room, t = here(request), web_of(request).texts_for(request, person)
    lines = [_proceedings(line) for line in await all_of(room, person, PROCEEDINGS)]
    await named(room, person, lines)
    days = ("judgment_on", "published_on", "file_by.plain", "filed_on", "ended_on")
    names = (
        ("customer", "name"),
        ("customer.number", "text"),
        ("credit.proceedings", "text"),
        ("credit.trustee", "name"),
    )
    columns = [(t(label), kind) for label, kind in (*names, *((f"credit.{name}", "date") for name in days))]
    sheet = headed(t, t("credit.insolvencies"), [], columns, as_of=room.clock.now())

    async def rows() -> AsyncIterator[Sequence[Row]]:
        yield [
            [
                line["name"] or t("customer.erased"),
                line["external_id"],
                t(f"credit.proceedings.{line['kind']}"),
                line["trustee"],
                *(line[name.removesuffix(".plain")] for name in days),
            ]
            for line in lines
        ]

    return await excel_of(request).answer(sheet, rows())


@routes.post("/credit/insolvencies/{insolvency_id}/{act}")
async def proceed(
    request: Request, person: Chaser, form: Posted, insolvency_id: UUID, act: Literal["publish", "file", "end"]
) -> Response:
    """The judgment was published, the claim was filed, or the proceedings are over."""
    body = {ACTS[act]: forms.day(form, "on").isoformat()}
    body |= {"reference": forms.needed(form, "reference")} if act == "file" else {}
    path = f"{PROCEEDINGS}/{insolvency_id}/{act}"
    await ask(here(request), person, OWNER, "POST", path, json=body, headers=once(key_of(form)))
    return done(request, form, Told(f"done.credit.{act}"))
