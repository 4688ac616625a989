"""The aged balance at any date, from the cell to the customer."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from services.console.pages.asking import Narrowed, Number, Words, address, day_of, paging
from services.console.pages.guard import PageRoute, may
from services.console.pages.shell import shown
from services.console.pages.web import ZONE
from services.console.people.lookup import Person
from services.console.room import here
from services.console.store import balance, customers

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("invoices:read"))]


@routes.get("/aged-balance")
async def aged_balance(
    request: Request, person: Reader, chosen: Narrowed, on: Words = "", page: Number = 1
) -> Response:
    """What is owed, by age and customer."""
    room = here(request)
    now = today(room.clock, ZONE)
    day = day_of(on, now)
    async with room.database.transaction(person.tenant_id) as db:
        found = await balance.aged(db, person.tenant_id, day, now, chosen, page=page)
        collectors = await customers.collectors(db, person.tenant_id)
    facts: dict[str, Any] = {
        "balance": found,
        "day": day,
        "today": now,
        "chosen": chosen,
        "collectors": collectors,
        "paging": paging(request, page, found.customers),
        "address": lambda **changes: address(request, **changes),
    }
    return await shown(request, "balance.html", person, **facts)
