"""Payments: what came in and what is left to allocate."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from services.console.pages.asking import Narrowed, Number, Words, address, paging
from services.console.pages.guard import PageRoute, may
from services.console.pages.shell import shown
from services.console.people.lookup import Person
from services.console.room import here
from services.console.store import payments
from services.console.store.payments import State

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("payments:read"))]
STATES = ("left", "matched", "reversed", "all")


@routes.get("/payments")
async def payment_list(
    request: Request, person: Reader, chosen: Narrowed, state: Words = "left", page: Number = 1
) -> Response:
    """Payments by state."""
    room = here(request)
    which = cast(State, state if state in STATES else "left")
    async with room.database.transaction(person.tenant_id) as db:
        found = await payments.listed(db, person.tenant_id, chosen, which, page)
    facts: dict[str, Any] = {
        "payments": found,
        "chosen": chosen,
        "state": which,
        "states": STATES,
        "paging": paging(request, page, found.count),
        "address": lambda **changes: address(request, **changes),
    }
    return await shown(request, "payments.html", person, **facts)
