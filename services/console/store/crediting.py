"""What a customer has to its credit: credit notes that reduce nothing yet, and money that nobody has matched.

It lowers what is owed by no item: it stands beside the outstanding amount, and only the net is less.
"""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Subquery, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.console.store.ledger import Chosen, of_debtor
from services.console.tables import read_model as model


async def notes_of(db: AsyncConnection, tenant_id: UUID, debtor_id: UUID) -> list[dict[str, Any]]:
    """A customer's credit notes of which something is left, the newest first: `money` as issued, `rest` as left."""
    credit = model.credit
    left = func.coalesce(credit.c.unapplied, credit.c.amount)
    facts = (credit.c.credit_note_id, credit.c.number, credit.c.issue_date, credit.c.currency, credit.c.amount)
    asked = select(*facts, left.label("left")).where(
        credit.c.tenant_id == tenant_id, credit.c.debtor_id == debtor_id, credit.c.currency.is_not(None), left != 0
    )
    rows = await db.execute(asked.order_by(credit.c.issue_date.desc(), credit.c.credit_note_id))
    return [
        dict(row._mapping) | {"money": Money(row.amount, row.currency), "rest": Money(row.left, row.currency)}
        for row in rows
    ]


async def to_their_credit(db: AsyncConnection, tenant_id: UUID, debtor_id: UUID) -> Mapping[str, Money]:
    """By currency: what is left of a customer's credit notes, and of the payments that it made itself."""
    payment = model.payment
    found: dict[str, Money] = {}
    for note in await notes_of(db, tenant_id, debtor_id):
        found[note["currency"]] = found.get(note["currency"], Money.zero(note["currency"])) + note["rest"]
    mine = (payment.c.tenant_id == tenant_id, payment.c.payer_id == debtor_id, payment.c.state != "reversed")
    asked = select(payment.c.currency, func.sum(payment.c.unapplied)).where(*mine, payment.c.unapplied != 0)
    for currency, minor in await db.execute(asked.group_by(payment.c.currency)):
        found[currency] = found.get(currency, Money.zero(currency)) + Money(int(minor), currency)
    return found


def _left(tenant_id: UUID) -> Subquery:
    """Everything that is to somebody's credit, a line a credit note or payment; money that nobody is named for is not
    in it."""
    credit, payment = model.credit, model.payment
    left = func.coalesce(credit.c.unapplied, credit.c.amount)
    notes = select(credit.c.tenant_id, credit.c.debtor_id, credit.c.currency, left.label("left")).where(
        credit.c.tenant_id == tenant_id, credit.c.currency.is_not(None), left != 0
    )
    facts = (payment.c.tenant_id, payment.c.payer_id, payment.c.currency, payment.c.unapplied)
    mine = (payment.c.tenant_id == tenant_id, payment.c.payer_id.is_not(None))
    money = select(*facts).where(*mine, payment.c.unapplied != 0, payment.c.state != "reversed")
    return union_all(notes, money).subquery("parts")


def by_payer(tenant_id: UUID) -> Subquery:
    """What each payer has to its credit, a line a currency: payer_id, currency, left."""
    credit, payment = model.credit, model.payment
    payer = func.coalesce(credit.c.payer_id, credit.c.debtor_id).label("payer_id")
    left = func.coalesce(credit.c.unapplied, credit.c.amount)
    notes = select(payer, credit.c.currency, left.label("left")).where(
        credit.c.tenant_id == tenant_id, credit.c.currency.is_not(None), left != 0
    )
    mine = (payment.c.tenant_id == tenant_id, payment.c.payer_id.is_not(None))
    money = select(payment.c.payer_id, payment.c.currency, payment.c.unapplied).where(
        *mine, payment.c.unapplied != 0, payment.c.state != "reversed"
    )
    parts = union_all(notes, money).subquery("parts")
    keys = (parts.c.payer_id, parts.c.currency)
    return select(*keys, func.sum(parts.c.left).label("left")).group_by(*keys).subquery("has")


async def of_all(db: AsyncConnection, tenant_id: UUID, chosen: Chosen) -> Mapping[str, Money]:
    """By currency: what all customers that match have to their credit."""
    parts = _left(tenant_id)
    asked = select(parts.c.currency, func.sum(parts.c.left)).group_by(parts.c.currency)
    if narrowed := chosen.debtors():
        asked = asked.select_from(parts.join(model.debtor, of_debtor(parts))).where(*narrowed)
    return {currency: Money(int(minor), currency) for currency, minor in await db.execute(asked)}


async def of_these(db: AsyncConnection, tenant_id: UUID, debtors: Collection[UUID]) -> Mapping[tuple[UUID, str], Money]:
    """(customer, currency) → what it has to its credit, of these customers."""
    parts = _left(tenant_id)
    keys = (parts.c.debtor_id, parts.c.currency)
    asked = select(*keys, func.sum(parts.c.left)).where(parts.c.debtor_id.in_(list(debtors))).group_by(*keys)
    rows = await db.execute(asked)
    return {(debtor, currency): Money(int(minor), currency) for debtor, currency, minor in rows}
