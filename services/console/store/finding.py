"""The search over everything: customers by name or number, invoices by number or reference, amounts to the cent."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from services.console.store.ledger import named, numbered, owes_exactly, within
from services.console.tables import read_model as model

MOST = 8
MANY = 500
"""Hits of one kind among which the newest are looked for."""
_AMOUNT = re.compile(r"\d{1,3}(?:[ \u00a0.]?\d{3})*(?:[.,]\d{1,2})?")


def cents(words: str) -> int | None:
    """The amount in cents that somebody typed as `1 250,00`, `1250.5` or `1250`; None when it is none."""
    plain = words.strip().removesuffix("€").strip()
    if not _AMOUNT.fullmatch(plain):
        return None
    whole, _, fraction = plain.replace("\u00a0", "").replace(" ", "").replace(",", ".").rpartition(".")
    if not whole or len(fraction) == 3:
        whole, fraction = whole + fraction, ""
    return int(whole.replace(".", "")) * 100 + int((fraction + "00")[:2])


async def customers(
    db: AsyncConnection, tenant_id: UUID, words: str, only: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Customers whose name holds the words or whose number begins with them."""
    debtor = model.debtor
    shown = select(debtor.c.debtor_id, debtor.c.name, debtor.c.external_id, debtor.c.profile)
    mine = shown.where(debtor.c.tenant_id == tenant_id, ~debtor.c.erased, named(words), within(only))
    return [dict(row._mapping) for row in await db.execute(mine.order_by(func.lower(debtor.c.name)).limit(MOST))]


async def invoices(
    db: AsyncConnection, tenant_id: UUID, words: str, only: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Invoices whose number begins with the words, or that are for, or still owe, exactly this amount."""
    invoice, item, debtor = model.invoice, model.item, model.debtor
    mine = invoice.c.tenant_id == tenant_id
    which = [select(invoice.c.invoice_id).where(mine, numbered(words)).limit(MANY)]
    minor = cents(words)
    if minor is not None:
        owing = select(item.c.invoice_id).where(item.c.tenant_id == tenant_id, owes_exactly(minor))
        which += [select(invoice.c.invoice_id).where(mine, invoice.c.payable == minor).limit(MANY), owing]
    meant = union(*(select(each.subquery()) for each in which)).subquery("meant")
    of_debtor = and_(debtor.c.tenant_id == invoice.c.tenant_id, debtor.c.debtor_id == invoice.c.debtor_id)
    shown = select(invoice.c.invoice_id, invoice.c.number, invoice.c.payable, invoice.c.currency, debtor.c.name)
    both = meant.join(invoice, and_(mine, invoice.c.invoice_id == meant.c.invoice_id)).outerjoin(debtor, of_debtor)
    newest = shown.select_from(both).where(within(only)).order_by(invoice.c.issue_date.desc(), invoice.c.invoice_id)
    return [dict(row._mapping) for row in await db.execute(newest.limit(MOST))]


async def payments(db: AsyncConnection, tenant_id: UUID, words: str) -> list[dict[str, Any]]:
    """Payments of exactly this amount."""
    minor = cents(words)
    if minor is None:
        return []
    payment, debtor = model.payment, model.debtor
    of_payer = and_(debtor.c.tenant_id == payment.c.tenant_id, debtor.c.debtor_id == payment.c.payer_id)
    mine = payment.c.tenant_id == tenant_id
    came = select(payment.c.payment_id).where(mine, payment.c.amount == minor).limit(MANY)
    left = select(payment.c.payment_id).where(mine, unallocated(), payment.c.unapplied == minor).limit(MANY)
    meant = union(select(came.subquery()), select(left.subquery())).subquery("meant")
    shown = select(payment.c.payment_id, payment.c.amount, payment.c.currency, payment.c.value_date, debtor.c.name)
    both = meant.join(payment, and_(mine, payment.c.payment_id == meant.c.payment_id)).outerjoin(debtor, of_payer)
    newest = shown.select_from(both).order_by(payment.c.value_date.desc(), payment.c.payment_id)
    return [dict(row._mapping) for row in await db.execute(newest.limit(MOST))]


def unallocated() -> ColumnElement[bool]:
    """That something of a payment is left, as its index says it."""
    payment = model.payment
    return and_(payment.c.unapplied != 0, payment.c.state != "reversed")
