"""Promises, disputes, holds and exclusions: each a list with its ages and who asked, and a line's acts beside it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from operator import itemgetter
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.errors import RelanceError
from services.console.pages.acting import DISPUTES, RESOLUTIONS
from services.console.pages.guard import PageRoute, allows, may
from services.console.pages.lists import Choice, Column, Listing, Tell, looked_up
from services.console.pages.shell import shown
from services.console.people import users
from services.console.people.lookup import Person
from services.console.room import Room
from services.console.store import silence as store

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("reminders:read"))]


def told_by(kind: str, key: str) -> Tell:
    """What only the scheduler knows of such lines: who asked (`by`), and for a hold in which words (`why`)."""

    async def tell(room: Room, person: Person, lines: Sequence[Any]) -> None:
        ids = [str(line[key]) for line in lines]
        found: dict[str, Any] = {}
        with suppress(RelanceError):  # shown as unknown: the lines are the console's own
            asked = {kind: ids}
            told = await room.peers.post("scheduler", "/internal/v1/lookups", tenant=person.tenant_id, json=asked)
            found = told[kind]
        async with room.database.transaction(person.tenant_id) as db:
            names = await users.names(db, person.tenant_id, {each["author"] for each in found.values()})
        for line in lines:
            each = found.get(str(line[key]), {})
            line["by"], line["why"] = names.get(each.get("author", ""), ""), each.get("reason", "")

    return tell


WHO = Column(
    "customer",
    "customer",
    "customer",
    itemgetter("name"),
    sorts=True,
    below=(Column("code", "customer.number", "text", itemgetter("external_id")),),
)
BY = Column("by", "silence.who", "text", lambda line: line.get("by"), sheet=False)

PROMISES = Listing(
    path="/promises",
    title="nav.promises",
    count="promises.count",
    find="filter.customer",
    scope="reminders:read",
    read=store.promises,
    order="for",
    none="promises.none",
    key="promise_id",
    tell=told_by("promises", "promise_id"),
    template="promises.html",
    choices=(Choice("state", "invoice.status", store.PROMISES, words="promises."),),
    columns=(
        WHO,
        Column("amount", "promise.amount", "owing", itemgetter("money"), sorts=True),
        Column("for", "promise.for", "day", itemgetter("promised_for"), sorts=True),
        Column("late", "promise.late", "days", itemgetter("late")),
        Column("made", "promise.made", "moment", itemgetter("made_at"), sorts=True, seen=False),
        BY,
        Column(
            "state",
            "invoice.status",
            "tag",
            itemgetter("state"),
            words="promises.",
            moods={"due": "care", "broken": "bad", "kept": "good"},
        ),
    ),
)
DISPUTED = Listing(
    path="/disputes",
    title="nav.disputes",
    count="disputes.count",
    find="filter.customer",
    scope="reminders:read",
    read=store.disputes,
    order="opened",
    none="disputes.none",
    key="dispute_id",
    tell=told_by("disputes", "dispute_id"),
    template="disputes.html",
    choices=(
        Choice("state", "invoice.status", store.DISPUTES, words="disputes."),
        Choice("reason", "dispute.reason", ("any", *DISPUTES), words="dispute."),
    ),
    columns=(
        replace(WHO, below=(*WHO.below, Column("invoice", "invoice", "text", itemgetter("number")))),
        Column("reason", "dispute.reason", "code", itemgetter("reason"), words="dispute."),
        Column("amount", "dispute.amount", "owing", itemgetter("money"), sorts=True),
        Column("opened", "dispute.opened", "moment", itemgetter("opened_at"), sorts=True, seen=False),
        Column("age", "silence.age", "days", itemgetter("age")),
        Column("review", "silence.review", "day", itemgetter("review_on")),
        BY,
        Column("state", "invoice.status", "tag", itemgetter("state"), words="disputes.", moods={"open": "bad"}),
    ),
)
HOLDS = Listing(
    path="/holds",
    title="nav.holds",
    count="holds.count",
    find="filter.customer",
    scope="reminders:read",
    read=store.holds,
    order="review",
    none="holds.none",
    key="hold_id",
    tell=told_by("holds", "hold_id"),
    template="holds.html",
    choices=(
        Choice("state", "invoice.status", store.HOLDS, words="holds."),
        Choice("kind", "silence.kind", store.HOLD_KINDS, words="hold."),
    ),
    columns=(
        WHO,
        Column(
            "kind",
            "silence.kind",
            "code",
            itemgetter("kind"),
            words="hold.",
            sorts=True,
            below=(Column("scope", "silence.scope", "code", itemgetter("scope"), words="scope."),),
        ),
        Column("placed", "silence.placed", "moment", itemgetter("placed_at"), sorts=True, seen=False),
        Column("age", "silence.age", "days", itemgetter("age")),
        Column("review", "silence.review", "day", itemgetter("review_on"), sorts=True, below=(BY,)),
        Column("state", "invoice.status", "tag", itemgetter("state"), words="holds.", moods={"review_due": "care"}),
    ),
)


async def _page(request: Request, person: Person, listing: Listing) -> Response:
    facts: dict[str, Any] = {"may_chase": allows(person, "reminders:write"), "resolutions": RESOLUTIONS}
    return await shown(request, listing.template, person, list=await looked_up(request, person, listing), **facts)


@routes.get("/promises")
async def promises(request: Request, person: Reader) -> Response:
    """Promises to pay, and taking one off."""
    return await _page(request, person, PROMISES)


@routes.get("/disputes")
async def disputes(request: Request, person: Reader) -> Response:
    """Disputes, and ending one."""
    return await _page(request, person, DISPUTED)


@routes.get("/holds")
async def holds(request: Request, person: Reader) -> Response:
    """Holds and exclusions, and going on."""
    return await _page(request, person, HOLDS)
