"""Instalment plans: what was agreed, what came of it and what is next; agreed on a customer's file.

Plans are the scheduler's: it is asked for them page by page, and told of new ones. A plan is made of equal parts of
what the ticked invoices owe, the rest in the last one, as long as nobody needs another.
"""

import calendar
from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from libs.common.errors import Refused, Unavailable
from libs.common.money import Money, from_wire, total
from services.console.pages import forms
from services.console.pages.acting import Chaser, NothingChosen, about_customer
from services.console.pages.asking import Words, address
from services.console.pages.commands import Told, ask, done, key_of, once
from services.console.pages.excel import Row, excel_of, headed
from services.console.pages.guard import PageRoute, Posted, allows, may
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, web_of
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import customers, payments

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("reminders:read"))]
STATES = ("running", "completed", "defaulted", "cancelled", "all")
MOODS = {"running": "care", "completed": "good", "defaulted": "bad"}
PARTS = {"to_come": "", "paid": "good", "paid_late": "care", "missed": "bad"}
EVERY = ("month", "two_weeks", "week")
MOST = 60
PAGE = 100
FILE = 50
"""Pages of one Excel file."""


async def _page(room: Room, person: Person, state: str, cursor: str) -> tuple[list[dict[str, Any]], str | None]:
    """Plans as the scheduler tells them, with their sums and their customers' names."""
    params = (
        {"limit": str(PAGE)} | ({"state": state} if state != "all" else {}) | ({"cursor": cursor} if cursor else {})
    )
    told = await ask(room, person, "scheduler", "GET", "/v1/plans", params=params)
    day = today(room.clock, ZONE)
    async with room.database.transaction(person.tenant_id) as db:
        names = await customers.names(db, person.tenant_id, {UUID(each["payer_id"]) for each in told["items"]})
    return [_read(each, names, day) for each in told["items"]], told["next"]


def _read(told: dict[str, Any], names: dict[UUID, str | None], day: date) -> dict[str, Any]:
    parts = [
        {
            **part,
            "on": date.fromisoformat(part["on"]),
            "amount": from_wire(part["amount"]),
            "paid": from_wire(part["paid"]),
        }
        for part in told["instalments"]
    ]
    to_come = [part for part in parts if part["state"] in ("to_come", "missed")]
    running = told["state"] == "running"
    return told | {
        "payer_id": UUID(told["payer_id"]),
        "name": names.get(UUID(told["payer_id"])),
        "parts": parts,
        "whole": total((part["amount"] for part in parts), parts[0]["amount"].currency),
        "paid": total((part["paid"] for part in parts), parts[0]["amount"].currency),
        "next_part": to_come[0] if running and to_come else None,
        "late": max(0, (day - to_come[0]["on"]).days) if running and to_come else 0,
    }


@routes.get("/plans")
async def plan_list(request: Request, person: Reader, state: Words = "running", cursor: Words = "") -> Response:
    """The plans of one state, and what came of each."""
    which = state if state in STATES else "running"
    plans: list[dict[str, Any]] = []
    more, away = None, False
    try:
        plans, more = await _page(here(request), person, which, cursor)
    except Unavailable:  # the page says so
        away = True
    facts: dict[str, Any] = {
        "away": away,
        "plans": plans,
        "state": which,
        "states": STATES,
        "moods": MOODS,
        "part_moods": PARTS,
        "may_chase": allows(person, "reminders:write"),
        "more": address(request, cursor=more) if more else None,
        "first_page": address(request, cursor=None) if cursor else None,
        "export": f"/plans.xlsx?state={which}",
    }
    return await shown(request, "plans.html", person, **facts)


@routes.get("/plans.xlsx")
async def plans_file(request: Request, person: Reader, state: Words = "running") -> Response:
    """Every instalment of the plans of one state, a line each."""
    room, t = here(request), web_of(request).texts_for(request, person)
    which = state if state in STATES else "running"
    kinds = (("customer", "name"), ("plan.agreed", "date"), ("invoice.status", "text"), ("plan.on", "date"))
    more = (("plan.amount", "money"), ("plan.paid", "money"), ("plan.part", "text"), ("excel.currency", "number"))
    columns = [(t(label), kind) for label, kind in (*kinds, *more)]
    sheet = headed(t, t("nav.plans"), [(t("invoice.status"), t(f"plans.{which}"))], columns, as_of=room.clock.now())

    first = await _page(room, person, which, "")  # a scheduler that is away is told before a file is begun

    async def rows() -> AsyncIterator[Sequence[Row]]:
        plans, cursor = first
        for _ in range(FILE):
            yield [_row(t, plan, part) for plan in plans for part in plan["parts"]]
            if cursor is None:
                return
            plans, cursor = await _page(room, person, which, cursor)

    return await excel_of(request).answer(sheet, rows())


def _row(t: Any, plan: dict[str, Any], part: dict[str, Any]) -> Row:
    agreed, name = date.fromisoformat(plan["agreed_at"][:10]), plan["name"] or t("customer.erased")
    state, stands = t(f"plans.{plan['state']}"), t(f"plan.part.{part['state']}")
    return [name, agreed, state, part["on"], part["amount"], part["paid"], stands, part["amount"].currency]


@routes.post("/customers/{debtor_id}/plan")
async def agree(request: Request, person: Chaser, form: Posted, debtor_id: UUID) -> Response:
    """The customer pays the chosen invoices in instalments; nothing of them is chased while these come."""
    room = here(request)
    await about_customer(room, person, debtor_id)
    items = forms.identities(form, "item")
    if not items:
        raise NothingChosen(field="item")
    whole = await _owed(room, person, items)
    count, every = _count(form), forms.one_of(form, "every", EVERY)
    first = forms.day(form, "first_on")
    parts = [{"on": on.isoformat(), "amount": each.wire()} for on, each in shares(whole, count, first, every)]
    body = {"item_ids": [str(each) for each in items], "instalments": parts}
    made = await ask(room, person, "scheduler", "POST", "/v1/plans", json=body, headers=once(key_of(form), "plan"))
    return done(request, form, Told("done.plan", {"parts": count}, f"/plans/{made['plan_id']}/cancel"))


async def _owed(room: Room, person: Person, items: Sequence[UUID]) -> Money:
    """What these items owe together. Raises Refused when they owe nothing, or in more than one currency."""
    async with room.database.transaction(person.tenant_id) as db:
        owing = await payments.owing_money(db, person.tenant_id, items)
    if len({each.currency for each in owing}) != 1:
        raise Refused("A plan is for open invoices of one currency.", field="item", remedy="Tick other invoices.")
    return total(owing, owing[0].currency)


def _count(form: Any) -> int:
    typed = forms.needed(form, "count")
    if not typed.isdecimal() or not 2 <= int(typed) <= MOST:
        raise forms.FieldInvalid(f"A number from 2 to {MOST}.", field="count")
    return int(typed)


def shares(whole: Money, count: int, first: date, every: str) -> list[tuple[date, Money]]:
    """Equal parts, the rest in the last one, a month or so many weeks apart."""
    part, rest = divmod(whole.minor, count)
    amounts = [Money(part, whole.currency)] * (count - 1) + [Money(part + rest, whole.currency)]
    return [(_later(first, place, every), amount) for place, amount in enumerate(amounts)]


def _later(first: date, steps: int, every: str) -> date:
    """The same day of a later month, or its last one; or so many weeks later."""
    if every != "month":
        return first + timedelta(weeks=steps * (2 if every == "two_weeks" else 1))
    year, month = divmod(first.year * 12 + first.month - 1 + steps, 12)
    return date(year, month + 1, min(first.day, calendar.monthrange(year, month + 1)[1]))


@routes.post("/plans/{plan_id}/cancel")
async def cancel(request: Request, person: Chaser, form: Posted, plan_id: UUID) -> Response:
    """The plan is off: its invoices are chased again."""
    await ask(here(request), person, "scheduler", "POST", f"/v1/plans/{plan_id}/cancel", headers=once(key_of(form)))
    return done(request, form, Told("done.plan.cancelled"))
