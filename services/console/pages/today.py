"""Today: the morning's queue. A tab carries its number and its amount; a line opens beside the list.

What a notice says is the notifier's to tell: it is asked when a line is opened, and shown as unavailable when it does
not answer. Approving sends exactly what was shown: the notifier refuses when the set has changed.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from libs.common.errors import RelanceError
from services.console.pages.asking import Narrowed, Number, Words, address, paging
from services.console.pages.commands import ask
from services.console.pages.guard import PageRoute, allows, may
from services.console.pages.shell import shown
from services.console.pages.web import ZONE
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import customers
from services.console.store import today as store
from services.console.store.today import TABS, Tab

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("notices:read"))]


@routes.get("/")
async def todays(
    request: Request, person: Reader, chosen: Narrowed, tab: Words = "send", *, page: Number = 1, line: Words = ""
) -> Response:
    """The queue, one tab of it, and one of its lines."""
    room, tenant = here(request), person.tenant_id
    day = today(room.clock, ZONE)
    which: Tab = tab if tab in TABS else "send"
    async with room.database.transaction(tenant) as db:
        counts = await store.counts(db, tenant, day, chosen)
        rows = await store.listed(db, tenant, day, chosen, tab=which, page=page)
        collectors = await customers.collectors(db, tenant)
    opened = next((row for row in rows if str(row["id"]) == line), rows[0] if rows else None)
    facts: dict[str, Any] = {
        "counts": counts,
        "tabs": TABS,
        "tab": which,
        "rows": rows,
        "day": day,
        "chosen": chosen,
        "collectors": collectors,
        "opened": opened,
        "words": await words_of(room, person, which, opened),
        "may_approve": allows(person, "notices:approve"),
        "paging": paging(request, page, counts[which].lines),
        "address": lambda **changes: address(request, **changes),
        "late": lambda due: max(0, (day - due).days),
        "path_query": request.url.query,
        "here_again": address(request, line=None),
    }
    return await shown(request, "today.html", person, **facts)


async def words_of(room: Room, person: Person, tab: Tab, opened: dict[str, Any] | None) -> dict[str, Any] | None:
    """What the opened line says, from the notifier; None when there is nothing to ask or no answer."""
    kind = {"send": "notices", "formal": "notices", "calls": "tasks", "replies": "tasks"}.get(tab)
    if kind is None or opened is None:
        return None
    try:
        path = f"/v1/{kind}/{opened['id']}"
        found: dict[str, Any] = await ask(room, person, "notifier", "GET", path)
    except RelanceError:
        return None
    return found
