"""What a customer has to its credit: credit notes that reduce nothing yet, and money that nobody has matched.

It lowers what is owed by no item: it stands beside the outstanding amount, and only the net is less.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
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
