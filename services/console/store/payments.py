"""Payments: what came in, what of it nobody has given to an invoice yet, and the items it may be meant for."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, CompoundSelect, Join, and_, func, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.console.store.finding import MANY, cents
from services.console.store.ledger import named, numbered, of_payer, open_now, owed, owes_exactly
from services.console.store.slices import Found, Question
from services.console.tables import read_model as model

STATES = ("left", "account", "matched", "reversed", "all")


async def listed(db: AsyncConnection, question: Question) -> Found:
    """Payments by state; sums are what of those that match is left. `account` is what a person left on account."""
    payment, debtor = model.payment, model.debtor
    both = payment.outerjoin(debtor, of_payer(payment))
    mine = [payment.c.tenant_id == question.tenant_id, *_state(question.picks["state"])]
    mine += _narrowed(question)
    which = select(payment.c.payment_id).select_from(both).where(*mine)
    ways = {
        "customer": func.lower(debtor.c.name),
        "date": payment.c.value_date,
        "amount": payment.c.amount,
        "left": payment.c.unapplied,
    }
    told = question.order != "customer"
    cut = question.cut(which, ways, payment.c.payment_id, told=told).subquery("ordered")
    place = select(cut, func.row_number().over().label("place")).subquery("cut")
    of_line = and_(payment.c.tenant_id == question.tenant_id, payment.c.payment_id == place.c.payment_id)
    names = (debtor.c.name, debtor.c.external_id)
    lines_ = place.join(payment, of_line).outerjoin(debtor, of_payer(payment))
    rows = await db.execute(select(payment, *names).select_from(lines_).order_by(place.c.place))
    sums = select(payment.c.currency, func.count(), func.sum(payment.c.unapplied)).select_from(both).where(*mine)
    totals = list(await db.execute(sums.group_by(payment.c.currency)))
    lines = [_line(dict(row._mapping)) for row in rows]
    left = [Money(int(row[2]), row[0]) for row in totals]
    return Found(lines, sum(row[1] for row in totals), sorted(left, key=lambda each: -each.minor))


def _line(told: dict[str, Any]) -> dict[str, Any]:
    currency = told["currency"]
    money, rest = Money(told["amount"], currency), Money(told["unapplied"], currency)
    return told | {"money": money, "rest": rest, "shown_state": _told_state(told)}


def _told_state(told: dict[str, Any]) -> str:
    if told["state"] == "reversed":
        return "reversed"
    if not told["unapplied"]:
        return "matched"
    return "account" if told["how"] == "person" and told["state"] == "matched" else "left"


def _state(state: str) -> list[ColumnElement[bool]]:
    payment = model.payment
    alive = payment.c.state != "reversed"
    by_person = and_(payment.c.how.is_not_distinct_from("person"), payment.c.state == "matched")
    return {
        "left": [payment.c.unapplied != 0, alive, ~by_person],
        "account": [payment.c.unapplied != 0, alive, by_person],
        "matched": [payment.c.unapplied == 0, alive],
        "reversed": [~alive],
        "all": [],
    }[state]


def _narrowed(question: Question) -> list[ColumnElement[bool]]:
    chosen, payment = question.chosen, model.payment
    found = []
    if chosen.entity is not None:
        found.append(payment.c.entity_id == chosen.entity)
    if chosen.words:
        exact, minor = [named(chosen.words)], cents(chosen.words)
        if minor is not None:
            exact += [payment.c.amount == minor, payment.c.unapplied == minor]
        found.append(or_(*exact))
    return found


async def candidates(
    db: AsyncConnection, tenant_id: UUID, payment: dict[str, Any], words: str, most: int = 40
) -> list[dict[str, Any]]:
    """Open items that it may be meant for: those of who paid, or those that the words name; else of its amount.

    Words are a customer, an invoice number, or an amount. Items in the payment's currency come first, of these the ones
    of exactly the amount.
    """
    item, invoice, debtor = model.item, model.invoice, model.debtor
    facts = (item.c.item_id, item.c.invoice_id, item.c.due_date, item.c.currency, item.c.payer_id, item.c.debtor_id)
    shown = select(*facts, owed().label("owed"), invoice.c.number, debtor.c.name).select_from(_of_invoice())
    alike = item.c.currency == payment["currency"]
    mine = [item.c.tenant_id == tenant_id, ~item.c.gone, owed() > 0]
    if words:
        mine.append(item.c.item_id.in_(_meant(tenant_id, words)))
    elif payment["payer_id"] is not None:
        mine.append(item.c.payer_id == payment["payer_id"])
    else:
        mine += [alike, owes_exactly(payment["unapplied"])]
    first = (alike.desc(), (owed() == payment["unapplied"]).desc())
    rows = await db.execute(shown.where(*mine).order_by(*first, item.c.due_date, item.c.item_id).limit(most))
    return [dict(row._mapping) | {"money": Money(row.owed, row.currency)} for row in rows]


def _of_invoice() -> Join:
    """Items with their invoice, and their customer if it is known."""
    item, invoice, debtor = model.item, model.invoice, model.debtor
    of_invoice = and_(invoice.c.tenant_id == item.c.tenant_id, invoice.c.invoice_id == item.c.invoice_id)
    of_debtor = and_(debtor.c.tenant_id == item.c.tenant_id, debtor.c.debtor_id == item.c.debtor_id)
    return item.join(invoice, of_invoice).outerjoin(debtor, of_debtor)


async def invoices_of(db: AsyncConnection, tenant_id: UUID, items: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """Item → invoice_id and number of its invoice, and the name of its customer; unknown items are left out."""
    item = model.item
    facts = select(item.c.item_id, item.c.invoice_id, model.invoice.c.number, model.debtor.c.name)
    asked = facts.select_from(_of_invoice()).where(item.c.tenant_id == tenant_id, item.c.item_id.in_(list(items)))
    return {row.item_id: dict(row._mapping) for row in await db.execute(asked)} if items else {}


def _meant(tenant_id: UUID, words: str) -> CompoundSelect[Any]:
    """The open items that words name: by customer, by the start of the number, by amount, each by its own index."""
    item, invoice, debtor = model.item, model.invoice, model.debtor
    mine = select(item.c.item_id).where(item.c.tenant_id == tenant_id, open_now())
    whose = select(debtor.c.debtor_id).where(debtor.c.tenant_id == tenant_id, named(words)).limit(MANY)
    which = select(invoice.c.invoice_id).where(invoice.c.tenant_id == tenant_id, numbered(words)).limit(MANY)
    parts = [mine.where(item.c.debtor_id.in_(whose)), mine.where(item.c.invoice_id.in_(which))]
    minor = cents(words)
    return union(*parts, *([mine.where(owes_exactly(minor))] if minor is not None else []))


async def by_payer(db: AsyncConnection, tenant_id: UUID, payer_id: UUID, most: int = 20) -> list[dict[str, Any]]:
    """One payer's payments, the newest first."""
    payment = model.payment
    asked = select(payment).where(payment.c.tenant_id == tenant_id, payment.c.payer_id == payer_id)
    newest = asked.order_by(payment.c.value_date.desc(), payment.c.payment_id).limit(most)
    return [_line(dict(row._mapping)) for row in await db.execute(newest)]


async def owing_money(db: AsyncConnection, tenant_id: UUID, items: Collection[UUID]) -> list[Money]:
    """What each of these items owes now; those that owe nothing are left out."""
    item = model.item
    asked = select(owed(), item.c.currency).where(item.c.tenant_id == tenant_id, open_now())
    rows = await db.execute(asked.where(item.c.item_id.in_(list(items))))
    return [Money(minor, currency) for minor, currency in rows]


async def owing(db: AsyncConnection, tenant_id: UUID, items: Collection[UUID]) -> dict[UUID, int]:
    """What these items owe now, in minor units."""
    item = model.item
    asked = select(item.c.item_id, owed()).where(item.c.tenant_id == tenant_id, ~item.c.gone)
    return {row[0]: row[1] for row in await db.execute(asked.where(item.c.item_id.in_(list(items))))}
