"""Customers: the list, and one customer's file."""

from datetime import date
from operator import attrgetter
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from libs.common.money import totals
from services.console.pages import credit_file
from services.console.pages.acting import proposals
from services.console.pages.asking import limits
from services.console.pages.guard import PageRoute, allows, may
from services.console.pages.lists import Column, Listing
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, web_of
from services.console.pages.wording import merged
from services.console.people.lookup import Person
from services.console.room import here
from services.console.store import crediting, customers, notes, payments, silence

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("debtors:read"))]
LISTING = Listing(
    path="/customers",
    title="nav.customers",
    count="customers.count",
    find="filter.customer",
    scope="debtors:read",
    read=customers.listed,
    order="-overdue",
    none="customers.none",
    sums="invoices.owing",
    columns=(
        Column(
            "name",
            "customer",
            "customer",
            attrgetter("name"),
            sorts=True,
            below=(
                Column("number", "customer.number", "text", attrgetter("number")),
                Column("profile", "filter.profile", "code", attrgetter("profile"), words="profile."),
            ),
        ),
        Column("collector", "customer.collector", "text", attrgetter("collector"), sorts=True),
        Column("overdue", "operations.overdue", "owing", attrgetter("overdue"), sorts=True),
        Column(
            "owed",
            "operations.outstanding",
            "money",
            attrgetter("total"),
            sorts=True,
            below=(Column("items", "customer.items", "items", attrgetter("items")),),
        ),
        Column("ages", "balance.age", "ages", attrgetter("ages"), sheet=False),
        Column("oldest", "customer.oldest", "days", attrgetter("late"), sorts=True),
    ),
)


@routes.get("/customers/{debtor_id}")
async def customer_file(request: Request, person: Reader, debtor_id: UUID) -> Response:
    """One customer: who they are, what they owe, what was said, what keeps silent, and what can be done."""
    room, tenant = here(request), person.tenant_id
    day = today(room.clock, ZONE)
    async with room.database.transaction(tenant) as db:
        debtor = await customers.one(db, tenant, debtor_id, limits(person))
        payer = debtor["payer_id"] or debtor_id
        items = await customers.open_lines(db, tenant, debtor_id)
        facts: dict[str, Any] = {
            "debtor": debtor,
            "payer": await customers.one(db, tenant, payer) if payer != debtor_id else None,
            "sums": await customers.sums(db, tenant, debtor_id, day),
            "paid_for": await customers.paid_for(db, tenant, debtor_id, day, limits(person)),
            "items": items,
            "tones": await customers.tones(db, tenant, payer),
            "held": await silence.held_items(db, tenant, [item["item_id"] for item in items]),
            "holds": await silence.holds_of(db, tenant, payer, debtor_id),
            "promises": await silence.promises_of(db, tenant, payer, day),
            "disputes": await silence.disputes_of(db, tenant, payer, day),
            "waiting": await customers.waiting(db, tenant, payer),
            "payments": await payments.by_payer(db, tenant, payer),
            "credits": await crediting.notes_of(db, tenant, debtor_id),
            "to_credit": await crediting.to_their_credit(db, tenant, debtor_id),
        }
        lines = await customers.timeline(db, tenant, debtor_id, payer)
        noted = await notes.of_debtors(db, tenant, {debtor_id, payer})
    t = web_of(request).texts_for(request, person)
    overdue = facts["sums"][0]["overdue"] if facts["sums"] else None
    of_all = [each["overdue"] for each in (*facts["sums"], *facts["paid_for"])]
    facts |= proposals(request, overdue) | {
        "credit": await credit_file.card(room, person, payer) if allows(person, "reminders:read") else None,
        "lines": merged(t, lines, noted),
        "together": [amount for amount in totals(of_all).values() if amount.minor],
        "pinned": [each for each in noted if each["pinned"]],
        "may_chase": allows(person, "reminders:write"),
        "may_note": allows(person, "notices:write"),
    }
    return await shown(request, "customer.html", person, day=day, late=late, **facts)


def late(due: date, day: date) -> int:
    """Days overdue; 0 while it is not."""
    return max(0, (day - due).days)
