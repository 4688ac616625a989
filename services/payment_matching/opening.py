"""Invoices and credit notes as the ledger hears them: items opened, changed, voided; credits applied.

Protects: the highest version of an invoice wins and a void one stays void; a credit note reduces what it names, the
oldest first, and what cannot be applied yet is applied when its invoice opens. Every credit note is answered by
CreditApplied, also with nothing, so that others know that it was dealt with.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.events import Event
from services.payment_matching.allocation import Owing, credited
from services.payment_matching.book import Book
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
    known = await items.of_invoices(db, {(e.tenant, e.subject) for e in told})
    fresh = [row for row in rows if row["item_id"] not in known]
    await items.add(db, fresh)
    if known:
        await _changed(db, [row for row in rows if row["item_id"] in known], known, at)
    await apply_credits(db, {(row["tenant_id"], row["debtor_id"]) for row in rows}, at)


async def _changed(db: AsyncConnection, rows: Sequence[items.Row], known: dict[UUID, items.Told], at: datetime) -> None:
    """Items on record take their new amounts and dates; an instalment that is gone owes nothing."""
    amounts = {row["item_id"]: row["amount_minor"] for row in rows}
    gone = {(one.tenant_id, one.item_id) for one in known.values() if one.item_id not in amounts}
    moved = {
        (one.tenant_id, one.item_id) for one in known.values() if amounts.get(one.item_id, one.amount) != one.amount
    }
    await _amend(db, moved | gone, amounts, at)
    await items.redate(db, rows)
    await items.cancel(db, gone)


async def _amend(db: AsyncConnection, keys: Collection[Key], amounts: dict[UUID, int], at: datetime) -> None:
    if not keys:
        return
    book = Book(at)
    await books.open_around_items(db, book, keys)
    for _, item in sorted(keys):
        if item in book.items:
            book.amend(item, amounts.get(item, 0), ERP, at.date())
    await books.write(db, book)


async def invoices_cancelled(db: AsyncConnection, events: Sequence[Event], at: datetime) -> None:
    """A void invoice owes nothing: money and credits that stood on it are free again."""
    await items.advance(db, [(e.tenant, e.subject, e.body.version, True) for e in events])
    known = await items.of_invoices(db, {(e.tenant, e.subject) for e in events})
    keys = {(one.tenant_id, one.item_id) for one in known.values()}
    await _amend(db, keys, {}, at)
    await items.cancel(db, keys)


async def credits_told(db: AsyncConnection, events: Sequence[Event], at: datetime) -> None:
    """CreditNoteIssued: put on record, apply, and answer each."""
    pays = await debtors.payers(db, {(e.tenant, e.body.debtor_id) for e in events})
    rows = [_credit_row(e.body, pays.get((e.tenant, e.body.debtor_id), e.body.payer_id)) for e in events]
    await items.add_credits(db, rows)
    owed = {(row["tenant_id"], row["credit_note_id"]) for row in rows}
    await apply_credits(db, {(row["tenant_id"], row["debtor_id"]) for row in rows}, at, answer=owed)


def _credit_row(body: Any, payer: UUID) -> items.Row:
    return {
        "tenant_id": body.tenant_id,
        "credit_note_id": body.credit_note_id,
        "entity_id": body.entity_id,
        "debtor_id": body.debtor_id,
        "payer_id": payer,
        "number": body.number,
        "issued_on": body.issue_date,
        "currency": body.amount.currency,
        "amount": body.amount.minor,
        "named": items.named_json(
            [(one.invoice_id, one.amount.minor if one.amount else None) for one in body.invoices]
        ),
    }


async def apply_credits(
    db: AsyncConnection, accounts: Collection[Key], at: datetime, *, answer: Collection[Key] = ()
) -> None:
    """Apply what these debtors' credit notes have left; the notes of `answer` say CreditApplied in any case."""
    left = await items.credits_left(db, accounts) if accounts else []
    if not left and not answer:
        return
    book = Book(at)
    notes = {(one.tenant_id, one.credit_note_id) for one in left}
    await books.lock_credits(db, book, notes | set(answer))
    owing = await items.owing(db, {(one.tenant_id, one.debtor_id) for one in left}) if left else {}
    wanted = {(tenant, i.item_id) for (tenant, _), by in owing.items() for some in by.values() for i in some}
    await books.lock_items(db, book, wanted)
    given = await items.credited(db, notes) if left else {}
    for one in left:
        _apply(book, one, owing.get((one.tenant_id, one.debtor_id), {}).get(one.currency, []), given)
    told = {event.subject for event in book.events}
    for _, note in sorted(answer):
        if note in book.credits and note not in told:
            book.answer(note)
    await books.write(db, book)


def _apply(book: Book, one: items.Left, owing: Sequence[Owing], given: dict[tuple[UUID, UUID], int]) -> None:
    note = book.credits.get(one.credit_note_id)
    if note is None or not note.unapplied:
        return
    now = [
        Owing(item.item_id, item.invoice_id, item.due_on, page.residual)
        for item in owing
        if (page := book.items.get(item.item_id)) and page.entity_id == note.entity_id
    ]
    named = [
        (invoice, None if most is None else max(0, most - given.get((one.credit_note_id, invoice), 0)))
        for invoice, most in one.named
    ]
    lines = credited(note.unapplied, named, now)
    if lines:
        book.credit(one.credit_note_id, lines, "erp" if named else "auto", ERP)
