"""Operations: the state of the stack and of the work in figures."""

from functools import partial
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from services.console.pages.guard import PageRoute, SignedIn
from services.console.pages.shell import day_start, shown
from services.console.pages.web import ZONE, web_of
from services.console.pages.wording import reason, worded
from services.console.room import here
from services.console.store import work

routes = APIRouter(route_class=PageRoute, include_in_schema=False)


@routes.get("/operations")
async def operations(request: Request, person: SignedIn) -> Response:
    """The services, and what they did for this tenant."""
    room = here(request)
    now = room.clock.now()
    services = await room.stack.look()
    async with room.database.transaction(person.tenant_id) as db:
        figures = await work.figures(db, person.tenant_id, today(room.clock, ZONE), day_start(now))
        lines = await work.latest(db, person.tenant_id)
    t = web_of(request).texts_for(request, person)
    facts: dict[str, Any] = {
        "services": services,
        "work": figures,
        "lines": [worded(t, line) for line in lines],
        "reason": partial(reason, t),
        "now": now,
    }
    return await shown(request, "operations.html", person, **facts)
