"""Today: the morning's queue. A tab carries its number and its amount; a line opens beside the list.

What a notice says is the notifier's to tell: it is asked when a line is opened, and shown as unavailable when it does
not answer. Approving sends exactly what was shown: the notifier refuses when the set has changed.
"""

import asyncio
from contextlib import suppress
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from libs.common.errors import RelanceError
from services.console.pages.acting import proposals
from services.console.pages.asking import Narrowed, Number, Words, address, paging, uuid_of
from services.console.pages.commands import ask
from services.console.pages.guard import PageRoute, allows, may
from services.console.pages.shell import shown
from services.console.pages.silence import told_by
from services.console.pages.two_people import waiting_for
from services.console.pages.web import ZONE
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import customers, silence
from services.console.store import today as store
from services.console.store.today import TABS, Tab

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Line = dict[str, Any]
Reader = Annotated[Person, Depends(may("notices:read"))]


@routes.get("/")
async def todays(
    request: Request, person: Reader, chosen: Narrowed, tab: Words = "send", *, page: Number = 1, line: Words = ""
) -> Response:
    """The queue, one tab of it, and one of its lines."""
    room, tenant = here(request), person.tenant_id
    day = today(room.clock, ZONE)
    which: Tab = tab if tab in TABS else "send"
    async with room.settled(tenant, day) as db:
        counts = await store.counts(db, tenant, day, chosen)
        rows = await store.listed(db, tenant, day, chosen, tab=which, page=page)
        collectors = await customers.collectors(db, tenant)
        opened, place = await _opened(db, person, rows, which, line, day=day)
    beside = rows[place + 1 : place + 2] or rows[max(0, place - 1) : place]
    after = str(beside[0]["id"]) if beside and beside[0] is not opened else None
    beside_it, waits = await asyncio.gather(_beside(request, person, which, opened), waiting_for(room, person))
    facts: dict[str, Any] = {
        "counts": counts,
        "waits": waits,
        "tabs": TABS,
        "tab": which,
        "rows": rows,
        "day": day,
        "chosen": chosen,
        "collectors": collectors,
        "opened": opened,
        "may_approve": allows(person, "notices:approve"),
        "may_chase": allows(person, "reminders:write"),
        "may_note": allows(person, "notices:write"),
        "paging": paging(request, page, counts[which].lines),
        "address": lambda **changes: address(request, **changes),
        "late": lambda due: max(0, (day - due).days),
        "query": request.url.query,
        "here_again": address(request, line=None),
        "next_line": address(request, line=after),
        **beside_it,
    }
    return await shown(request, "today.html", person, **facts)


async def _opened(
    db: AsyncConnection, person: Person, rows: list[Line], tab: Tab, line: str, *, day: date
) -> tuple[Line | None, int]:
    """The line that is open and its place on the page: the one that the address names, else the first."""
    for place, row in enumerate(rows):
        if str(row["id"]) == line:
            return row, place
    named = uuid_of(line)
    found = await store.one(db, person.tenant_id, day, tab, named) if named and not person.limited else None
    return (found, -1) if found else (rows[0] if rows else None, 0)


async def _beside(request: Request, person: Person, tab: Tab, opened: Line | None) -> dict[str, Any]:
    """What stands beside the list: the message, the script or the reply from the notifier, a promise, a hold."""
    room, tenant = here(request), person.tenant_id
    day = today(room.clock, ZONE)
    facts: dict[str, Any] = {"words": None, "contacts": [], "held": None, "seen_at": room.clock.now().isoformat()}
    facts |= proposals(request, opened["late"] if opened else None)
    if opened is None:
        return facts
    async with room.database.transaction(tenant) as db:
        if tab == "promises":
            facts["held"] = await silence.one_promise(db, tenant, opened["id"], day)
        elif tab == "blocked":
            facts["held"] = await silence.one_hold(db, tenant, opened["id"], day)
        else:
            facts["contacts"] = await customers.contacts(db, tenant, opened["payer_id"])
    if tab == "promises" and facts["held"]:
        await told_by("promises", "promise_id")(room, person, [facts["held"]])
    elif tab == "blocked" and facts["held"]:
        await told_by("holds", "hold_id")(room, person, [facts["held"]])
    elif tab not in ("promises", "blocked"):
        facts["words"] = await _words_of(room, person, tab, opened)
    return facts


async def _words_of(room: Room, person: Person, tab: Tab, opened: Line) -> dict[str, Any] | None:
    """What the opened line says, from the notifier; None when it does not answer."""
    kind = "notices" if tab in ("send", "formal") else "tasks"
    with suppress(RelanceError):  # the pane says that the words are not available
        found: dict[str, Any] = await ask(room, person, "notifier", "GET", f"/v1/{kind}/{opened['id']}")
        return found
    return None
