"""Invoices: the list, and one invoice."""

import re
from operator import itemgetter
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.calls import Peers
from libs.common.clock import today
from libs.common.errors import NotFound
from libs.common.money import Money
from services.console.pages.acting import proposals
from services.console.pages.asking import limits
from services.console.pages.customers import late
from services.console.pages.guard import PageRoute, allows, may
from services.console.pages.lists import Choice, Column, Listing
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, web_of
from services.console.pages.wording import merged
from services.console.people.lookup import Person
from services.console.room import here
from services.console.store import invoices

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("invoices:read"))]
DOCUMENT = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; "
    "frame-ancestors 'none'",
    "cache-control": "private, no-store",
    "cross-origin-opener-policy": "same-origin",
}
"""A document is somebody's file: it is shown as what it is, XML as text, and loads nothing."""
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
    counts_sales=True,
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
        Column("document", "invoice.document", "document", itemgetter("document_id"), sheet=False),
    ),
)


@routes.get("/invoices/{invoice_id}")
async def one_invoice(request: Request, person: Reader, invoice_id: UUID) -> Response:
    """One invoice: its instalments, what happened to it, what can be done about it."""
    room, tenant = here(request), person.tenant_id
    async with room.database.transaction(tenant) as db:
        invoice = await invoices.one(db, tenant, invoice_id, limits(person))
        items = await invoices.items(db, tenant, invoice_id)
        lines = await invoices.timeline(db, tenant, invoice_id)
    t = web_of(request).texts_for(request, person)
    open_items = [item for item in items if item["owed"] and not item["gone"]]
    owed = Money(sum(item["owed"] for item in open_items), open_items[0]["currency"]) if open_items else None
    facts: dict[str, Any] = {
        "invoice": invoice,
        "items": items,
        "lines": merged(t, lines, ()),
        "about": str(open_items[0]["item_id"]) if len(open_items) == 1 else "",
        "may_chase": bool(open_items) and invoice["debtor_id"] is not None and allows(person, "reminders:write"),
        **proposals(request, owed),
    }
    return await shown(request, "invoice.html", person, day=today(room.clock, ZONE), late=late, **facts)


@routes.get("/invoices/{invoice_id}/document")
async def source_document(request: Request, person: Reader, invoice_id: UUID) -> Response:
    """The invoice as it was received, PDF or XML, shown by the browser and by nothing in it."""
    room = here(request)
    async with room.database.transaction(person.tenant_id) as db:
        invoice = await invoices.one(db, person.tenant_id, invoice_id, limits(person))
    if invoice["document_id"] is None:
        raise NotFound("There is no document of this invoice.")
    return await document(room.peers, person.tenant_id, invoice["document_id"], invoice["number"])


async def document(peers: Peers, tenant: UUID, document_id: UUID, number: str | None) -> Response:
    """A document of `tenant`, named by the number of its invoice. Raises Unavailable or PeerRefused."""
    content, media = await peers.content("invoice_ingest", f"/internal/v1/documents/{document_id}", tenant=tenant)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", number or "invoice").strip("-.") or "invoice"
    is_pdf = media.partition(";")[0] == "application/pdf"
    told = DOCUMENT | {"content-disposition": f'inline; filename="{name}.{"pdf" if is_pdf else "xml"}"'}
    return Response(content, media_type="application/pdf" if is_pdf else "text/plain; charset=utf-8", headers=told)
