"""Returns: money that the bank took back finds the payment it belongs to, and what that had settled owes again.

Protects: a return is never new money and never matched; one whose payment is not on record yet waits for it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.ids import uuid7
from services.payment_matching.banking import ReturnTold
from services.payment_matching.book import Book
from services.payment_matching.receiving import refused_by_debtor
from services.payment_matching.store import books, payments

BANK = "bank"

_KEEP = text("""
    insert into reversal (tenant_id, reversal_id, name, entity_id, "references", currency, amount_minor, code, on_day,
                          received_at)
    values (:tenant, :id, :name, :entity, :references, :currency, :amount, :code, :on_day, :at)
    on conflict (tenant_id, name) do nothing
    returning reversal_id
""")
_ORPHANS = text("""
    select r.reversal_id, r."references", r.currency, r.amount_minor, r.code, r.on_day from reversal r
     where r.tenant_id = :tenant and r.payment_id is null order by r.on_day, r.reversal_id for update skip locked
""")
_FOUND = text("""
    update reversal set payment_id = :payment where tenant_id = :tenant and reversal_id = :id
""")


async def take_returns(db: AsyncConnection, at: datetime, told: Sequence[ReturnTold]) -> int:
    """Keep these returns, each once, and undo what they take back where it is known; answers how many are new."""
    new = 0
    for one in told:
        row = {
            "tenant": one.tenant_id,
            "id": uuid7(),
            "name": one.name,
            "entity": one.entity_id,
            "references": list(one.references),
            "currency": one.currency,
            "amount": one.amount,
            "code": one.code,
            "on_day": one.on,
            "at": at,
        }
        new += await db.scalar(_KEEP, row) is not None
    for tenant in sorted({one.tenant_id for one in told}):
        await settle(db, at, tenant)
    return new


async def settle(db: AsyncConnection, at: datetime, tenant: UUID) -> None:
    """Let the returns that wait meet the payments that they name."""
    for row in (await db.execute(_ORPHANS, {"tenant": tenant})).all():
        payment = await payments.by_reference(db, tenant, row.references, row.currency, row.amount_minor)
        if payment is not None:
            await reverse(db, at, tenant, payment, Taken(row.amount_minor, row.code, row.on_day, BANK))
            await db.execute(_FOUND, {"tenant": tenant, "id": row.reversal_id, "payment": payment})


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken back: minor units, reason, day, and who says so."""

    amount: int
    code: str
    on: date
    by: str


async def reverse(db: AsyncConnection, at: datetime, tenant: UUID, payment: UUID, taken: Taken) -> Collection[UUID]:
    """Take a part of a payment back; answers the items that owe again. Raises NotFound or AlreadyReversed."""
    book = Book(at)
    await books.open_around_payments(db, book, [(tenant, payment)])
    payments.known(book, payment)
    refused = refused_by_debtor(taken.code)
    book.reverse(payment, taken.amount, taken.code, refused=refused, on=taken.on, by=taken.by)
    await books.write(db, book)
    return [page.item_id for page in book.items.values() if page.changed]
