"""Customers: the list, and one customer's file."""

from datetime import date
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from services.console.pages.asking import Narrowed, Number, Words, address, paging
from services.console.pages.guard import PageRoute, may
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, web_of
from services.console.pages.wording import worded
from services.console.people.lookup import Person
from services.console.room import here
from services.console.store import customers, payments
from services.console.store.customers import Order

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("debtors:read"))]
ORDERS = ("overdue", "owed", "oldest", "name")


@routes.get("/customers")
async def customer_list(
    request: Request, person: Reader, chosen: Narrowed, order: Words = "overdue", page: Number = 1
) -> Response:
    """Customers with what they owe."""
    room = here(request)
    day = today(room.clock, ZONE)
    by = cast(Order, order if order in ORDERS else "overdue")
    async with room.database.transaction(person.tenant_id) as db:
        found = await customers.listed(db, person.tenant_id, day, chosen, by, page=page)
        collectors = await customers.collectors(db, person.tenant_id)
    facts: dict[str, Any] = {
        "customers": found,
        "day": day,
        "chosen": chosen,
        "order": by,
        "orders": ORDERS,
        "collectors": collectors,
        "paging": paging(request, page, found.count),
        "address": lambda **changes: address(request, **changes),
    }
    return await shown(request, "customers.html", person, **facts)


@routes.get("/customers/{debtor_id}")
async def customer_file(request: Request, person: Reader, debtor_id: UUID) -> Response:
    """One customer: who they are, what they owe, what was said."""
    room, tenant = here(request), person.tenant_id
    day = today(room.clock, ZONE)
    async with room.database.transaction(tenant) as db:
        debtor = await customers.one(db, tenant, debtor_id)
        payer = debtor["payer_id"] or debtor_id
        facts: dict[str, Any] = {
            "debtor": debtor,
            "payer": await customers.one(db, tenant, payer) if payer != debtor_id else None,
            "sums": await customers.sums(db, tenant, debtor_id, day),
            "items": await customers.open_lines(db, tenant, debtor_id),
            "tones": await customers.tones(db, tenant, payer),
            "lines": await customers.timeline(db, tenant, debtor_id, payer),
            "holds": await customers.silences(db, tenant, payer),
            "waiting": await customers.waiting(db, tenant, payer),
            "payments": await payments.of_payer(db, tenant, payer),
        }
    t = web_of(request).texts_for(request, person)
    facts["lines"] = [worded(t, line) for line in facts["lines"]]
    return await shown(request, "customer.html", person, day=day, late=late, **facts)


def late(due: date, day: date) -> int:
    """Days overdue; 0 while it is not."""
    return max(0, (day - due).days)
