"""The payments workbench: the statement's lines left, what each is meant for right, with the running remainder.

Who paid and the bank's text are payment_matching's to tell; so are its suggestions and every match. A match is one
key: Enter takes the likeliest suggestion and the next line opens. What waits for a second person is decided before
anything else is done with its payment.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.errors import RelanceError
from libs.common.money import from_wire, totals
from services.console.pages import seconding
from services.console.pages.asking import Words
from services.console.pages.commands import ask
from services.console.pages.guard import PageRoute, allows, may
from services.console.pages.lists import Choice, Column, Listing, looked_up
from services.console.pages.matching import WRITTEN_OFF
from services.console.pages.shell import shown
from services.console.pages.web import web_of
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import payments as store

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("payments:read"))]
OWNER = "payment_matching"
UNKNOWN: dict[str, Any] = {
    "payer_name": None,
    "payer_iban": None,
    "remittance": None,
    "allocations": [],
    "write_offs": [],
}
MOODS = {"left": "care", "matched": "good", "reversed": "bad"}


async def tell(room: Room, person: Person, lines: Sequence[Any]) -> None:
    """What only payment_matching knows of these payments: who paid in which words, and its likeliest suggestion."""
    ids = [str(line["payment_id"]) for line in lines]
    found: dict[str, Any] = {"payments": {}, "suggestions": {}}
    with suppress(RelanceError):  # shown as unknown: the amounts are the console's own
        asked = {"payments": ids, "suggestions": ids}
        found = await room.peers.post(OWNER, "/internal/v1/lookups", tenant=person.tenant_id, json=asked)
    owing = await _owing(room, person, found["suggestions"].values())
    for line in lines:
        told = UNKNOWN | found["payments"].get(str(line["payment_id"]), {})
        best = found["suggestions"].get(str(line["payment_id"]))
        best = best if best and _still_meant(best, owing) else None
        line["who"] = line["name"] or told["payer_name"]
        line["words"] = told["remittance"] or ""
        line["told"], line["best"] = told, best
        line["waits"] = told.get("proposal_id")
        line["equal"] = is_equal(line, best, owing)
        line["share"] = round(100 * best["share"]) if best else None


async def _owing(room: Room, person: Person, suggestions: Iterable[dict[str, Any]]) -> dict[UUID, int]:
    """What the suggested items owe now, in minor units."""
    items = {UUID(each["item_id"]) for one in suggestions for each in one["items"]}
    async with room.database.transaction(person.tenant_id) as db:
        return await store.owing(db, person.tenant_id, items)


def _still_meant(best: dict[str, Any], owing: Mapping[UUID, int]) -> bool:
    """Whether the items still owe what they would get: another payment may have come before."""
    return all(owing.get(UUID(each["item_id"]), 0) >= from_wire(each["amount"]).minor for each in best["items"])


def is_equal(line: dict[str, Any], best: dict[str, Any] | None, owing: Mapping[UUID, int]) -> bool:
    """Whether the likeliest suggestion uses the payment up and settles every item of it, to the cent, without a credit
    note, and is sure enough."""
    if not best or best["credits"] or best["share"] < 0.5:
        return False
    given = [(UUID(each["item_id"]), from_wire(each["amount"])) for each in best["items"]]
    whole = all(owing.get(item) == amount.minor for item, amount in given)
    return whole and list(totals(amount for _, amount in given).values()) == [line["rest"]]


LISTING = Listing(
    path="/payments",
    title="nav.payments",
    count="payments.count",
    find="payments.find",
    scope="payments:read",
    read=store.listed,
    order="-date",
    none="payments.none",
    sums="payments.to_allocate",
    key="payment_id",
    tell=tell,
    template="payments.html",
    collectors=False,
    profiles=False,
    choices=(Choice("state", "invoice.status", store.STATES, words="payments."),),
    columns=(
        Column(
            "customer",
            "payment.payer",
            "customer",
            lambda line: line.get("who") or line["name"],
            sorts=True,
            below=(Column("words", "payment.words", "text", lambda line: line.get("words", "")[:60], sheet=False),),
        ),
        Column("code", "customer.number", "text", itemgetter("external_id"), seen=False),
        Column("date", "payment.date", "day", itemgetter("value_date"), sorts=True),
        Column("amount", "invoice.amount", "money", itemgetter("money"), sorts=True),
        Column("left", "operations.left", "owing", itemgetter("rest"), sorts=True),
        Column(
            "best", "payment.best", "share", lambda line: line.get("share"), words="payment.", moods=MOODS, sheet=False
        ),
        Column("state", "invoice.status", "tag", itemgetter("shown_state"), words="payment.", moods=MOODS, seen=False),
    ),
)


@routes.get("/payments")
async def workbench(request: Request, person: Reader, find: Words = "") -> Response:
    """The lines, and one of them with what it may be meant for."""
    room, tenant = here(request), person.tenant_id
    found = await looked_up(request, person, LISTING)
    lines, opened = list(found.found.lines), found.opened
    place = lines.index(opened) if opened else 0
    beside = lines[place + 1 : place + 2] or lines[max(0, place - 1) : place]
    waiting, more_waits = await seconding.waiting(room, person)
    waits = None
    if opened is not None and opened["waits"]:
        waits = await seconding.of_payment(room, person, opened["waits"], waiting)
    items, suggestions = [], []
    if opened is not None and opened["shown_state"] in ("left", "account") and waits is None:
        async with room.database.transaction(tenant) as db:
            items = await store.candidates(db, tenant, opened, find.strip())
        suggestions = await _suggestions(request, person, opened)
    facts: dict[str, Any] = {
        "list": found,
        "items": items,
        "find": find,
        "suggestions": suggestions,
        "equals": [line for line in lines if line["equal"] and line["shown_state"] == "left" and not line["waits"]],
        "waits": waits,
        "waiting": [line for line in waiting if line != waits],
        "more_waits": more_waits,
        "may_match": allows(person, "payments:write"),
        "offs": WRITTEN_OFF,
        "next_line": found.address(line=beside[0]["payment_id"] if beside else None, find=None),
    }
    return await shown(request, "payments.html", person, **facts)


async def _suggestions(request: Request, person: Person, opened: dict[str, Any]) -> list[dict[str, Any]]:
    """What payment_matching suggests, in the reader's language; nothing when it does not answer."""
    language = web_of(request).language(request, person)
    with suppress(RelanceError):
        path = f"/v1/payments/{opened['payment_id']}/suggestions"
        told = await ask(here(request), person, OWNER, "GET", path, params={"language": language})
        owing = await _owing(here(request), person, told["suggestions"])
        return [each for each in told["suggestions"] if _still_meant(each, owing)]
    return []
