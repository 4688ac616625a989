"""Opening and writing the book: pages locked in one order everywhere (payments, credits, items, each by id)."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from services.payment_matching.book import Book
from services.payment_matching.pages import CreditPage, Given, ItemPage, PaymentPage
from services.payment_matching.store.tries import MEET

Key = tuple[UUID, UUID]
"""(tenant, id)"""

_PAIRS = "unnest(cast(:tenants as uuid[]), cast(:ids as uuid[])) as g(tenant_id, id)"

_PAYMENTS = text(f"""
    select p.tenant_id, p.payment_id, p.entity_id, p.currency, p.amount_minor, p.unapplied_minor, p.returned_minor,
           p.version, p.value_on, p.payer_id, p.by_person, p.source
      from payment p join {_PAIRS} on p.tenant_id = g.tenant_id and p.payment_id = g.id
     order by p.payment_id for update of p
""")  # noqa: S608 - the pieces are our own constants
_CREDITS = text(f"""
    select c.tenant_id, c.credit_note_id, c.entity_id, c.payer_id, c.currency, c.amount_minor, c.unapplied_minor,
           c.version, c.told_version, c.issued_on
      from credit_note c join {_PAIRS} on c.tenant_id = g.tenant_id and c.credit_note_id = g.id
     order by c.credit_note_id for update of c
""")  # noqa: S608 - the pieces are our own constants
_ITEMS = text(f"""
    select i.tenant_id, i.item_id, i.invoice_id, i.entity_id, i.debtor_id, i.payer_id, i.currency, i.amount_minor,
           i.residual_minor, i.version, i.due_on, i.settled_on
      from open_item i join {_PAIRS} on i.tenant_id = g.tenant_id and i.item_id = g.id
     order by i.item_id for update of i
""")  # noqa: S608 - the pieces are our own constants
_GIVEN = """
    select a.allocation_id, a.tenant_id, a.source, a.source_id, a.item_id, a.amount_minor, a.paid_minor, a.how, a.seq,
           a.value_on, a.actor, a.evidence, a.kind
      from allocation a join {pairs} on a.tenant_id = g.tenant_id and a.{column} = g.id
     where a.undone_at is null order by a.seq
"""
_BY_SOURCE = text(_GIVEN.format(pairs=_PAIRS, column="source_id"))
_BY_ITEM = text(_GIVEN.format(pairs=_PAIRS, column="item_id"))


def _pairs(keys: Iterable[Key]) -> dict[str, list[UUID]]:
    wanted = sorted(set(keys))
    return {"tenants": [tenant for tenant, _ in wanted], "ids": [one for _, one in wanted]}


async def lock_payments(db: AsyncConnection, book: Book, keys: Collection[Key]) -> None:
    """Lock these payments and put them in the book; those that do not exist are left out."""
    wanted = {key for key in keys if key[1] not in book.payments}
    if wanted:
        pages = [PaymentPage(*row) for row in await db.execute(_PAYMENTS, _pairs(wanted))]
        book.payments.update({page.payment_id: page for page in pages})


async def lock_credits(db: AsyncConnection, book: Book, keys: Collection[Key]) -> None:
    """Lock these credit notes and put them in the book."""
    wanted = {key for key in keys if key[1] not in book.credits}
    if wanted:
        pages = [CreditPage(*row) for row in await db.execute(_CREDITS, _pairs(wanted))]
        book.credits.update({page.credit_note_id: page for page in pages})


async def lock_items(db: AsyncConnection, book: Book, keys: Collection[Key]) -> None:
    """Lock these items and put them in the book."""
    wanted = {key for key in keys if key[1] not in book.items}
    if wanted:
        pages = [ItemPage(*row) for row in await db.execute(_ITEMS, _pairs(wanted))]
        book.items.update({page.item_id: page for page in pages})


async def given_by(db: AsyncConnection, sources: Collection[Key]) -> list[Given]:
    """The allocations that stand of these payments or credits, oldest first."""
    return [Given(*row) for row in await db.execute(_BY_SOURCE, _pairs(sources))] if sources else []


async def given_to(db: AsyncConnection, items: Collection[Key]) -> list[Given]:
    """The allocations that stand on these items, oldest first."""
    return [Given(*row) for row in await db.execute(_BY_ITEM, _pairs(items))] if items else []


async def open_around_items(db: AsyncConnection, book: Book, items: Collection[Key]) -> None:
    """Lock items with everything that stands on them, for an invoice that changes."""
    await _lock_sources(db, book, await given_to(db, items))
    await lock_items(db, book, items)
    # What was given between the look and the lock: its page is locked late, and a deadlock there is tried again.
    found = await given_to(db, items)
    await _lock_sources(db, book, found)
    book.standing.update({one.allocation_id: one for one in found})


async def _lock_sources(db: AsyncConnection, book: Book, found: Collection[Given]) -> None:
    await lock_payments(db, book, {(one.tenant_id, one.source_id) for one in found if one.source == "payment"})
    await lock_credits(db, book, {(one.tenant_id, one.source_id) for one in found if one.source == "credit"})


async def open_around_payments(db: AsyncConnection, book: Book, payments: Collection[Key]) -> None:
    """Lock payments with every item they stand on, to take something back."""
    await lock_payments(db, book, payments)
    await _lock_what_they_gave(db, book, payments)


async def open_around_credits(db: AsyncConnection, book: Book, notes: Collection[Key]) -> None:
    """Lock credit notes with every item they stand on, to take something back."""
    await lock_credits(db, book, notes)
    await _lock_what_they_gave(db, book, notes)


async def _lock_what_they_gave(db: AsyncConnection, book: Book, sources: Collection[Key]) -> None:
    found = await given_by(db, sources)
    await lock_items(db, book, {(one.tenant_id, one.item_id) for one in found})
    book.standing.update({one.allocation_id: one for one in found})


# What an item owes now may be what waiting money is meant for: it meets that money again.
_WRITE_ITEMS = text(f"""
    with written as (
        update open_item i
           set amount_minor = g.amount, residual_minor = g.residual, currency = g.currency, version = g.version,
               settled_on = g.settled_on
          from unnest(cast(:tenants as uuid[]), cast(:ids as uuid[]), cast(:amounts as bigint[]),
                      cast(:residuals as bigint[]), cast(:currencies as text[]), cast(:versions as bigint[]),
                      cast(:settled as date[]))
               as g(tenant_id, id, amount, residual, currency, version, settled_on)
         where i.tenant_id = g.tenant_id and i.item_id = g.id
        returning i.tenant_id, i.item_id, i.residual_minor),
         changed as (select w.tenant_id, w.item_id from written w where w.residual_minor > 0)
    {MEET}
""")  # noqa: S608 - the piece is our own constant
_WRITE_PAYMENTS = text("""
    update payment p
       set unapplied_minor = g.unapplied, returned_minor = g.returned, version = g.version, payer_id = g.payer_id,
           by_person = g.by_person
      from unnest(cast(:tenants as uuid[]), cast(:ids as uuid[]), cast(:unapplied as bigint[]),
                  cast(:returned as bigint[]), cast(:versions as bigint[]), cast(:payers as uuid[]),
                  cast(:persons as boolean[]))
           as g(tenant_id, id, unapplied, returned, version, payer_id, by_person)
     where p.tenant_id = g.tenant_id and p.payment_id = g.id
""")
_WRITE_CREDITS = text("""
    update credit_note c
       set amount_minor = g.amount, currency = g.currency, unapplied_minor = g.unapplied, version = g.version
      from unnest(cast(:tenants as uuid[]), cast(:ids as uuid[]), cast(:amounts as bigint[]),
                  cast(:currencies as text[]), cast(:unapplied as bigint[]), cast(:versions as bigint[]))
           as g(tenant_id, id, amount, currency, unapplied, version)
     where c.tenant_id = g.tenant_id and c.credit_note_id = g.id
""")
_UNDO = text("""
    update allocation a set undone_at = :at, undone_by = g.by, undone_why = g.why,
           booking = case a.booking when 'booked' then 'to_undo' when 'known' then 'to_undo' when 'waiting' then 'void'
                     else a.booking end
      from unnest(cast(:tenants as uuid[]), cast(:ids as uuid[]), cast(:by as text[]), cast(:why as text[]))
           as g(tenant_id, id, by, why)
     where a.tenant_id = g.tenant_id and a.allocation_id = g.id
""")
_ALLOCATE = text("""
    insert into allocation (tenant_id, allocation_id, source, source_id, item_id, currency, amount_minor,
                            paid_currency, paid_minor, how, actor, evidence, value_on, made_at, kind, booking)
    select g.tenant_id, g.id, g.source, g.source_id, g.item_id, g.currency, g.amount, g.paid_currency, g.paid, g.how,
           g.actor, cast(g.evidence as jsonb), g.value_on, :at, g.kind,
           case when g.how = 'erp' and not g.rest then 'known' else 'waiting' end
      from unnest(cast(:tenants as uuid[]), cast(:ids as uuid[]), cast(:sources as text[]),
                  cast(:source_ids as uuid[]), cast(:items as uuid[]), cast(:currencies as text[]),
                  cast(:amounts as bigint[]), cast(:paid_in as text[]), cast(:paid as bigint[]),
                  cast(:hows as text[]), cast(:actors as text[]), cast(:evidence as text[]),
                  cast(:values as date[]), cast(:kinds as text[]), cast(:rests as boolean[]))
           as g(tenant_id, id, source, source_id, item_id, currency, amount, paid_currency, paid, how, actor, evidence,
                value_on, kind, rest)
""")


async def write(db: AsyncConnection, book: Book) -> None:
    """Write every page that changed, the allocations made and undone, and record what is told."""
    items = [page for page in book.items.values() if page.changed]
    payments = [page for page in book.payments.values() if page.changed]
    notes = [page for page in book.credits.values() if page.changed]
    # A line made and undone in one transaction was never there.
    gone = {allocation for _, allocation, _, _ in book.undone}
    made = [one for one in book.made if one.allocation_id not in gone]
    new = {one.allocation_id for one in book.made}
    undone = [one for one in book.undone if one[1] not in new]
    if items:
        await db.execute(_WRITE_ITEMS, _item_columns(items))
    if payments:
        await db.execute(_WRITE_PAYMENTS, _payment_columns(payments))
    if notes:
        await db.execute(_WRITE_CREDITS, _credit_columns(notes))
    if undone:
        names = ("tenants", "ids", "by", "why")
        await db.execute(_UNDO, {"at": book.at} | dict(zip(names, map(list, zip(*undone, strict=True)), strict=True)))
    if made:
        await db.execute(_ALLOCATE, {"at": book.at} | _given_columns(book, made))
    await outbox.record(db, *book.events)


def _item_columns(pages: Sequence[ItemPage]) -> dict[str, list[Any]]:
    return {
        "tenants": [page.tenant_id for page in pages],
        "ids": [page.item_id for page in pages],
        "amounts": [page.amount for page in pages],
        "residuals": [page.residual for page in pages],
        "currencies": [page.currency for page in pages],
        "versions": [page.version for page in pages],
        "settled": [page.settled_on for page in pages],
    }


def _payment_columns(pages: Sequence[PaymentPage]) -> dict[str, list[Any]]:
    return {
        "tenants": [page.tenant_id for page in pages],
        "ids": [page.payment_id for page in pages],
        "unapplied": [page.unapplied for page in pages],
        "returned": [page.returned for page in pages],
        "versions": [page.version for page in pages],
        "payers": [page.payer_id for page in pages],
        "persons": [page.by_person for page in pages],
    }


def _credit_columns(pages: Sequence[CreditPage]) -> dict[str, list[Any]]:
    return {
        "tenants": [page.tenant_id for page in pages],
        "ids": [page.credit_note_id for page in pages],
        "amounts": [page.amount for page in pages],
        "currencies": [page.currency for page in pages],
        "unapplied": [page.unapplied for page in pages],
        "versions": [page.version for page in pages],
    }


def _given_columns(book: Book, made: Sequence[Given]) -> dict[str, list[Any]]:
    return {
        "tenants": [one.tenant_id for one in made],
        "ids": [one.allocation_id for one in made],
        "sources": [one.source for one in made],
        "source_ids": [one.source_id for one in made],
        "items": [one.item_id for one in made],
        "currencies": [book.items[one.item_id].currency for one in made],
        "amounts": [one.amount for one in made],
        "paid_in": [_paid_in(book, one) for one in made],
        "paid": [one.paid for one in made],
        "hows": [one.how for one in made],
        "actors": [one.actor for one in made],
        "evidence": [orjson.dumps(one.evidence, default=str).decode() for one in made],
        "values": [one.value_on for one in made],
        "kinds": [one.kind for one in made],
        "rests": [one.rest for one in made],
    }


def _paid_in(book: Book, one: Given) -> str:
    """The currency of what an allocation is made from; what is written off is in the item's."""
    source = book.payments if one.source == "payment" else book.items
    return source[one.source_id if one.source == "payment" else one.item_id].currency
