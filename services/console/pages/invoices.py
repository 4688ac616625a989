"""Invoices: the list, and one invoice."""

from operator import itemgetter
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from services.console.pages.customers import late
from services.console.pages.guard import PageRoute, may
from services.console.pages.lists import Choice, Column, Listing
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, web_of
from services.console.pages.wording import worded
from services.console.people.lookup import Person
from services.console.room import here
from services.console.store import invoices

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("invoices:read"))]
STATES = ("open", "overdue", "paid", "cancelled", "all")
MOODS = {"overdue": "bad", "paid": "good"}
LISTING = Listing(
    path="/invoices",
    title="nav.invoices",
    count="invoices.count",
    find="filter.invoice",
    scope="invoices:read",
    read=invoices.listed,
    order="due",
    none="invoices.none",
    sums="invoices.owing",
    choices=(Choice("state", "invoice.status", STATES, words="invoices."),),
    columns=(
        Column(
            "number",
            "invoice",
            "invoice",
            itemgetter("number"),
            sorts=True,
            below=(Column("order", "invoice.order", "text", itemgetter("order_number")),),
        ),
        Column(
            "customer",
            "customer",
            "customer",
            itemgetter("name"),
            sorts=True,
            below=(Column("code", "customer.number", "text", itemgetter("external_id")),),
        ),
        Column("issued", "invoice.issued", "day", itemgetter("issue_date"), sorts=True),
        Column("due", "invoice.due", "day", itemgetter("due_date"), sorts=True),
        Column("late", "invoice.late", "late", itemgetter("late")),
        Column("amount", "invoice.amount", "money", itemgetter("amount"), sorts=True),
        Column("left", "invoice.left", "owing", itemgetter("left"), sorts=True),
        Column("state", "invoice.status", "tag", itemgetter("state"), words="invoice.state.", moods=MOODS),
    ),
)


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
