"""Credit control: what each payer owes against what it may owe, who is not delivered any more, and what two decide.

Whom the list is about and in which order is read here; limits, blocks and exposures are the scheduler's, asked for
line by line of a page. Whoever asked for a limit, a block or a write-off does not grant it: the scheduler refuses them.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from operator import itemgetter
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.errors import NotFound, Unavailable
from libs.common.money import Money, from_wire
from services.console.pages import forms
from services.console.pages.commands import Told, ask, done, key_of, once
from services.console.pages.excel import Row, excel_of, exported, headed
from services.console.pages.guard import PageRoute, Posted, may
from services.console.pages.lists import Choice, Column, Listing, asked, looked_up
from services.console.pages.owned import MOST, OWNER, PAGE, all_of, amounts, named
from services.console.pages.shell import shown
from services.console.pages.web import Texts, web_of
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import credit as store

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("payments:read"))]
Approver = Annotated[Person, Depends(may("notices:approve"))]
SCOPE = "payments:read"
CREDIT = "/v1/credit"
SHOW = ("all", "over", "blocked")
NEAR = 80
"""Percent of a limit from which it is nearly reached."""
MOODS = {"blocked": "bad", "over": "bad", "near": "care", "within": "good"}
GRANTORS = frozenset({"manager", "administrator"})
KINDS = {
    "limit": ("/v1/credit/limits", "entered", "limit_id", "entered_by", "entered_at"),
    "block": ("/v1/credit/blocks", "requested", "block_id", "requested_by", "requested_at"),
    "write_off": ("/v1/credit/write-offs", "proposed", "proposal_id", "proposed_by", "proposed_at"),
}
"""What one asks for and another grants: path, the state in which it waits, its key, who asked and when."""


def state_of(account: dict[str, Any], figure: dict[str, Any] | None) -> str:
    """How a payer stands in one currency: stopped, over its limit, near it, within it, or without one."""
    if account["blocked"]:
        return "blocked"
    if figure is None or figure["limit"] is None:
        return "none"
    used = figure["used_percent"] or 0
    return "over" if figure["over"] else "near" if used >= NEAR else "within"


async def tell(room: Room, person: Person, lines: Sequence[Any]) -> None:
    """What the scheduler knows of these payers; a line of which it tells nothing keeps what is owed."""
    payers = sorted({str(line["payer_id"]) for line in lines})
    known: dict[str, Any] = {}
    silent = True
    with suppress(Unavailable):  # shown as unknown: who owes what is the console's own
        for start in range(0, len(payers), MOST):
            some = {"payer_id": payers[start : start + MOST]}
            told = await ask(room, person, OWNER, "GET", "/v1/credit/accounts", params=some)
            known |= {each["payer_id"]: each for each in told["items"]}
        silent = False
    for line in lines:
        line["silent"] = silent
        _told(line, known.get(str(line["payer_id"])))


def _told(line: dict[str, Any], account: dict[str, Any] | None) -> None:
    """The limit and the block of a line. What is left of the limit is counted with the exposure that the line shows,
    by which the list is ordered."""
    line |= dict.fromkeys(("limit", "available", "used", "state", "advice", "since", "why"))
    if account is None:
        return
    figure = next((each for each in account["figures"] if each["exposure"]["currency"] == line["currency"]), None)
    limit = from_wire(figure["limit"]) if figure and figure["limit"] else None
    since = account["blocked_since"]
    line |= {"since": datetime.fromisoformat(since) if since else None, "why": account["blocked_why"]}
    line |= {"limit": limit, "advice": account["advice"]}
    if limit is not None:
        line |= {"available": limit - line["exposure"], "used": used_of(limit, line["exposure"])}
    over = limit is not None and line["exposure"] > limit
    line["state"] = state_of(account, {"limit": limit, "used_percent": line["used"], "over": over})


def used_of(limit: Money, exposure: Money) -> int:
    """Whole percent of a limit, rounded down; of a limit of zero 100 as soon as anything is owed."""
    return exposure.minor * 100 // limit.minor if limit.minor else 100 * bool(exposure.minor)


LISTING = Listing(
    path="/credit",
    title="nav.credit",
    count="credit.count",
    find="filter.customer",
    scope=SCOPE,
    read=store.listed,
    order="-exposure",
    none="credit.none",
    sums="invoices.owing",
    template="credit.html",
    tell=tell,
    told_whole=True,
    choices=(Choice("show", "credit.show", SHOW, words="credit.show."),),
    columns=(
        Column(
            "customer",
            "customer",
            "customer",
            itemgetter("name"),
            sorts=True,
            below=(
                Column("code", "customer.number", "text", itemgetter("external_id")),
                Column("collector", "customer.collector", "text", itemgetter("collector")),
            ),
        ),
        Column("exposure", "credit.exposure", "owing", itemgetter("exposure"), sorts=True),
        Column("overdue", "operations.overdue", "money", itemgetter("overdue"), sorts=True),
        Column("limit", "credit.limit", "limit", itemgetter("limit")),
        Column("available", "credit.available", "money", itemgetter("available")),
        Column("used", "credit.used", "used", itemgetter("used")),
        Column(
            "state",
            "invoice.status",
            "tag",
            itemgetter("state"),
            words="credit.state.",
            moods=MOODS,
            below=(Column("advice", "credit.advice", "code", itemgetter("advice"), words="credit.advice."),),
        ),
        Column(
            "since",
            "credit.since",
            "moment",
            itemgetter("since"),
            below=(Column("why", "credit.why", "text", itemgetter("why")),),
        ),
    ),
)


async def _narrowed(request: Request, person: Person) -> tuple[Listing, bool]:
    """The list over the payers that are over their limit or blocked, where an address asks so; and whether the
    scheduler is away."""
    wanted = asked(request, person, LISTING).picks["show"]
    if wanted == "all":
        return LISTING, False
    try:
        found = await all_of(here(request), person, "/v1/credit/accounts", **{wanted: "true"})
    except Unavailable:  # the page says so
        return replace(LISTING, read=partial(store.listed, payers=[])), True
    payers = [UUID(each["payer_id"]) for each in found]
    return replace(LISTING, read=partial(store.listed, payers=payers)), False


@routes.get("/credit")
async def accounts(request: Request, person: Reader) -> Response:
    """What payers owe against their limits; those that are over, or blocked, if an address asks so."""
    listing, away = await _narrowed(request, person)
    page = await looked_up(request, person, listing)
    away = away or any(line["silent"] for line in page.found.lines)
    waiting = await how_many(here(request), person)
    return await shown(request, "credit.html", person, list=page, away=away, waiting=waiting)


@routes.get("/credit.xlsx")
async def accounts_file(request: Request, person: Reader) -> Response:
    """The same lines, all of them, as an Excel file."""
    listing, _ = await _narrowed(request, person)
    return await exported(request, person, listing)


async def how_many(room: Room, person: Person) -> int:
    """How many requests wait for somebody else's word; 0 while the scheduler is away."""
    try:
        told = await ask(room, person, OWNER, "GET", f"{CREDIT}/undecided")
    except Unavailable:
        return 0
    return int(told["count"])


async def waiting_for(room: Room, person: Person, payer: UUID | None = None) -> list[dict[str, Any]]:
    """Limits, blocks and write-offs that nobody has decided, the oldest first. Raises Unavailable or PeerRefused."""

    async def of(kind: str) -> list[dict[str, Any]]:
        path, state, key, by, at = KINDS[kind]
        told = await all_of(room, person, path, state=state, payer_id=str(payer) if payer else None)
        return [
            amounts(each, "amount")
            | {"kind": kind, "id": each[key], "by": each[by], "at": datetime.fromisoformat(each[at])}
            for each in told
        ]

    some = await asyncio.gather(*(of(kind) for kind in KINDS))
    return sorted((line for lines in some for line in lines), key=itemgetter("at"))


@routes.get("/credit/requests")
async def requests(request: Request, person: Reader) -> Response:
    """What waits for a second person."""
    room = here(request)
    lines: list[dict[str, Any]] = []
    names: Any = {}
    away = False
    try:
        lines = await waiting_for(room, person)
        names = await named(room, person, lines, "by")
    except Unavailable:  # the page says so
        away = True
    facts = {"lines": lines[:PAGE], "names": names, "away": away, "grants": grants(person), "waiting": len(lines)}
    return await shown(request, "credit_requests.html", person, **facts)


def grants(person: Person) -> bool:
    """Whether this person may grant what another asked for."""
    return bool(GRANTORS & set(person.roles))


@routes.get("/credit/requests.xlsx")
async def requests_file(request: Request, person: Reader) -> Response:
    """What waits for a second person, as an Excel file."""
    room, t = here(request), web_of(request).texts_for(request, person)
    lines = await waiting_for(room, person)
    names = await named(room, person, lines, "by")
    kinds = (("customer", "name"), ("customer.number", "text"), ("credit.asked", "text"), ("credit.amount", "money"))
    more = (
        ("credit.why", "name"),
        ("silence.who", "text"),
        ("credit.asked.at", "moment"),
        ("excel.currency", "number"),
    )
    sheet = headed(
        t, t("credit.requests"), [], [(t(label), kind) for label, kind in (*kinds, *more)], as_of=room.clock.now()
    )

    async def rows() -> AsyncIterator[Sequence[Row]]:
        yield [_row(t, line, names) for line in lines]

    return await excel_of(request).answer(sheet, rows())


def _row(t: Texts, line: dict[str, Any], names: Any) -> Row:
    amount = line.get("amount")
    by, what = names.get(line["by"], line["by"]), t(asked_for(line))
    who = [line["name"] or t("customer.erased"), line["external_id"], what, amount]
    return [
        *who,
        line["reason"] if line["kind"] != "write_off" else line["note"],
        by,
        line["at"],
        amount and amount.currency,
    ]


def asked_for(line: dict[str, Any]) -> str:
    """The text of what was asked for."""
    return f"credit.asked.{line['act'] if line['kind'] == 'block' else line['kind']}"


@routes.post("/credit/requests/{kind}/{request_id}")
async def decide(request: Request, person: Approver, form: Posted, kind: str, request_id: UUID) -> Response:
    """Grant what another asked for, or not; the scheduler refuses whoever asked for it, and all but managers."""
    if kind not in KINDS:
        raise NotFound("There is no such kind of request.")
    act = "reject" if form.get("do") == "reject" else "approve"
    body = None if kind == "limit" and act == "approve" else {"why": forms.needed(form, "why")}
    path = f"{KINDS[kind][0]}/{request_id}/{'withdraw' if kind == 'limit' and act == 'reject' else act}"
    await ask(here(request), person, OWNER, "POST", path, json=body, headers=once(key_of(form), act))
    return done(request, form, Told(f"done.credit.{act}"))


def day_or_none(told: str | None) -> date | None:
    """A day of the wire."""
    return date.fromisoformat(told) if told else None
