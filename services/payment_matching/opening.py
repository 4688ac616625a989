"""Invoices as the ledger hears them: items opened, changed, voided.

Protects: the highest version of an invoice wins and a void one stays void; money and credits that stood on what is
gone, or worth another currency now, are free again.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.events import Event
from libs.common.money import Money
from services.payment_matching.book import Book
from services.payment_matching.crediting import apply_credits
from services.payment_matching.store import books, debtors, items

Key = tuple[UUID, UUID]
ERP = "erp"


async def invoices_told(db: AsyncConnection, events: Sequence[Event], at: datetime) -> None:
    """InvoiceIssued and InvoiceAmended: both tell the invoice whole."""
    news = await items.advance(db, [(e.tenant, e.subject, e.body.version, False) for e in events])
    told = [event for event in events if event.subject in news]
    if not told:
        return
    pays = await debtors.payers(db, {(e.tenant, e.body.debtor_id) for e in told})
    rows = [
        items.row_of(body, instalment, pays.get((body.tenant_id, body.debtor_id), body.payer_id))
        for body in (event.body for event in told)
        for instalment in body.instalments
    ]
    heard = {(e.tenant, e.subject) for e in told if not news[e.subject]}
    known = await items.of_invoices(db, heard) if heard else {}
    fresh = [row for row in rows if row["item_id"] not in known]
    await items.add(db, fresh)
    if known:
        await _changed(db, [row for row in rows if row["item_id"] in known], known, at)
    await apply_credits(db, {(row["tenant_id"], row["debtor_id"]) for row in rows}, at)


async def _changed(db: AsyncConnection, rows: Sequence[items.Row], known: dict[UUID, items.Told], at: datetime) -> None:
    """Items on record take their new amounts and dates; an instalment that is gone owes nothing."""
    amounts = {row["item_id"]: Money(row["amount_minor"], row["currency"]) for row in rows}
    gone = {(one.tenant_id, one.item_id) for one in known.values() if one.item_id not in amounts}
    was = {one.item_id: Money(one.amount, one.currency) for one in known.values()}
    moved = {(one.tenant_id, item) for item, one in known.items() if amounts.get(item, was[item]) != was[item]}
    await _amend(db, moved | gone, amounts, at)
    await items.redate(db, rows)
    await items.cancel(db, gone)


async def _amend(db: AsyncConnection, keys: Collection[Key], amounts: dict[UUID, Money], at: datetime) -> None:
    if not keys:
        return
    book = Book(at)
    await books.open_around_items(db, book, keys)
    for _, item in sorted(keys):
        if page := book.items.get(item):
            now = amounts.get(item, Money.zero(page.currency))
            if now.currency != page.currency:
                # What stands on it is worth another currency: all of it goes back to where it came from.
                book.amend(item, 0, ERP, at.date())
                page.currency = now.currency
            book.amend(item, now.minor, ERP, at.date())
    await books.write(db, book)


async def invoices_cancelled(db: AsyncConnection, events: Sequence[Event], at: datetime) -> None:
    """A void invoice owes nothing: money and credits that stood on it are free again."""
    await items.advance(db, [(e.tenant, e.subject, e.body.version, True) for e in events])
    known = await items.of_invoices(db, {(e.tenant, e.subject) for e in events})
    keys = {(one.tenant_id, one.item_id) for one in known.values()}
    await _amend(db, keys, {}, at)
    await items.cancel(db, keys)
