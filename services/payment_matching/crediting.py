"""Credit notes as the ledger hears them: put on record, applied, amended, voided.

Protects: the highest version of a credit note wins; it reduces what it names, the oldest first, and what cannot be
applied yet is applied when its invoice opens; what an amended one no longer grants is owed again. Every version is
answered by CreditApplied, also with nothing, so that others know that it was dealt with.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.events import Event
from libs.common.money import Money
from services.payment_matching.allocation import Owing, Standing, credited, no_longer_granted
from services.payment_matching.book import Book
from services.payment_matching.store import books, credit_notes, debtors, items

Key = tuple[UUID, UUID]
ERP = "erp"


async def credits_told(db: AsyncConnection, events: Sequence[Event], at: datetime) -> None:
    """CreditNoteIssued: each version tells the credit note whole; void ones amount to nothing."""
    pays = await debtors.payers(db, {(e.tenant, e.body.debtor_id) for e in events})
    rows = [_credit_row(e.body, pays.get((e.tenant, e.body.debtor_id), e.body.payer_id)) for e in events]
    fresh = await credit_notes.add(db, rows)
    amended = await credit_notes.amend(db, [row for row in rows if row["credit_note_id"] not in fresh])
    news = [row for row in rows if row["credit_note_id"] in fresh | amended]
    if amended:
        await _revise(db, [row for row in news if row["credit_note_id"] in amended], at)
    owed = {(row["tenant_id"], row["credit_note_id"]) for row in news}
    await apply_credits(db, {(row["tenant_id"], row["debtor_id"]) for row in news}, at, answer=owed)


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
        "named": credit_notes.named_json(
            [(one.invoice_id, one.amount.minor if one.amount else None) for one in body.invoices]
        ),
        "told_version": body.version,
    }


async def _revise(db: AsyncConnection, rows: Sequence[items.Row], at: datetime) -> None:
    """Credit notes on record amount to something else, or name something else."""
    book = Book(at)
    await books.open_around_credits(db, book, {(row["tenant_id"], row["credit_note_id"]) for row in rows})
    for row in sorted(rows, key=lambda row: row["credit_note_id"]):
        note = row["credit_note_id"]
        mine = [one for one in book.standing.values() if one.source_id == note]
        worth, currency = row["amount"], row["currency"]
        back = no_longer_granted(
            # What has gone to another account, or is worth another currency, starts anew.
            worth if _stays(book, note, row) else 0,
            credit_notes.named(row["named"]),
            [(book.items[one.item_id].invoice_id, Standing(one.allocation_id, one.amount, one.order)) for one in mine],
        )
        book.revise(note, Money(worth, currency), back, ERP, at.date())
    await books.write(db, book)


def _stays(book: Book, note: UUID, row: items.Row) -> bool:
    """Whether the credit note is still of the account and currency of the items it stands on."""
    on = [book.items[one.item_id] for one in book.standing.values() if one.source_id == note]
    return all(item.debtor_id == row["debtor_id"] and item.currency == row["currency"] for item in on)


async def apply_credits(
    db: AsyncConnection, accounts: Collection[Key], at: datetime, *, answer: Collection[Key] = ()
) -> None:
    """Apply what these debtors' credit notes have left; the notes of `answer` say CreditApplied in any case."""
    left = await credit_notes.left(db, accounts) if accounts else []
    if not left and not answer:
        return
    book = Book(at)
    notes = {(one.tenant_id, one.credit_note_id) for one in left}
    await books.lock_credits(db, book, notes | set(answer))
    owing = await items.owing(db, {(one.tenant_id, one.debtor_id) for one in left}) if left else {}
    wanted = {(tenant, i.item_id) for (tenant, _), by in owing.items() for some in by.values() for i in some}
    await books.lock_items(db, book, wanted)
    given = await credit_notes.given(db, notes) if left else {}
    for one in left:
        _apply(book, one, owing.get((one.tenant_id, one.debtor_id), {}).get(one.currency, []), given)
    told = {event.subject for event in book.events}
    for _, note in sorted(answer):
        if note in book.credits and note not in told:
            book.answer(note)
    await books.write(db, book)


def _apply(book: Book, one: credit_notes.Left, owing: Sequence[Owing], given: Mapping[Key, int]) -> None:
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
