"""Invoices: the list, and one invoice."""

from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from services.console.pages.asking import Narrowed, Number, Words, address, paging
from services.console.pages.customers import late
from services.console.pages.guard import PageRoute, may
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, web_of
from services.console.pages.wording import worded
from services.console.people.lookup import Person
from services.console.room import here
from services.console.store import customers, invoices
from services.console.store.invoices import State

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("invoices:read"))]
STATES = ("open", "overdue", "paid", "cancelled", "all")


@routes.get("/invoices")
async def invoice_list(
    request: Request, person: Reader, chosen: Narrowed, state: Words = "open", page: Number = 1
) -> Response:
    """Invoices by state."""
    room = here(request)
    day = today(room.clock, ZONE)
    which = cast(State, state if state in STATES else "open")
    async with room.database.transaction(person.tenant_id) as db:
        found = await invoices.listed(db, person.tenant_id, day, chosen, which, page=page)
        collectors = await customers.collectors(db, person.tenant_id)
    facts: dict[str, Any] = {
        "invoices": found,
        "day": day,
        "chosen": chosen,
        "state": which,
        "states": STATES,
        "collectors": collectors,
        "late": late,
        "paging": paging(request, page, found.count),
        "address": lambda **changes: address(request, **changes),
    }
    return await shown(request, "invoices.html", person, **facts)


@routes.get("/invoices/{invoice_id}")
async def one_invoice(request: Request, person: Reader, invoice_id: UUID) -> Response:
    """One invoice: its instalments, and what happened to it."""
    room, tenant = here(request), person.tenant_id
    async with room.database.transaction(tenant) as db:
        invoice = await invoices.one(db, tenant, invoice_id)
        items = await invoices.items(db, tenant, invoice_id)
        lines = await invoices.timeline(db, tenant, invoice_id)
    t = web_of(request).texts_for(request, person)
    facts: dict[str, Any] = {"invoice": invoice, "items": items, "lines": [worded(t, line) for line in lines]}
    return await shown(request, "invoice.html", person, day=today(room.clock, ZONE), late=late, **facts)
