"""Payments on record: taken in once however often they are told, found again by their references, claimed in order."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from libs.common.ids import uuid7
from libs.common.money import Money
from libs.common.sets import adding, columns
from services.payment_matching.book import Book
from services.payment_matching.pages import PaymentPage
from services.payment_matching.receiving import Like, NewPayment, Telling, same_money
from services.payment_matching.store import books
from services.payment_matching.tables import payment_reference, payment_telling

Result = Literal["created", "unchanged", "conflict"]

_ONE_AT_A_TIME = text("select pg_advisory_xact_lock(hashtextextended(cast(:tenant as text), 8104))")
_KNOWN = text("""
    select t.tenant_id, t.channel, t.name, t.payment_id, t.digest
      from payment_telling t
      join unnest(cast(:tenants as uuid[]), cast(:channels as text[]), cast(:names as text[]))
           as g(tenant_id, channel, name)
        on t.tenant_id = g.tenant_id and t.channel = g.channel and t.name = g.name
""")
_LIKE = text("""
    select g.ord, p.payment_id, p.entity_id, p.value_on, p.payer_name, p.payer_iban, p.remittance, p.end_to_end_id,
           (select array_agg(distinct t.channel) from payment_telling t
             where t.tenant_id = p.tenant_id and t.payment_id = p.payment_id) as channels
      from unnest(cast(:ords as int[]), cast(:tenants as uuid[]), cast(:currencies as text[]),
                  cast(:amounts as bigint[]), cast(:days as date[]), cast(:sources as text[]))
           as g(ord, tenant_id, currency, amount, day, source)
     cross join lateral (
           select * from payment o
            where o.tenant_id = g.tenant_id and o.currency = g.currency and o.amount_minor = g.amount
              and o.value_on between g.day - 3 and g.day + 3 and o.source <> g.source and not o.replaced
            order by o.value_on, o.payment_id limit 100) p
""")
_INSERT = text("""
    insert into payment (tenant_id, payment_id, entity_id, account, source, currency, amount_minor, unapplied_minor,
                         returned_minor, value_on, received_at, payer_name, payer_iban, remittance, structured,
                         end_to_end_id, instructed_minor, instructed_currency, exchange_rate, debtor_id, told,
                         version)
    select g.tenant_id, g.payment_id, g.entity_id, g.account, g.source, g.currency, g.amount, g.amount, 0, g.value_on,
           :at, g.payer_name, g.payer_iban, g.remittance,
           array(select jsonb_array_elements_text(cast(g.structured as jsonb))), g.end_to_end_id,
           g.instructed, g.instructed_currency, g.rate, g.debtor_id, cast(g.told as jsonb), 1
      from unnest(cast(:tenants as uuid[]), cast(:ids as uuid[]), cast(:entities as uuid[]), cast(:accounts as text[]),
                  cast(:sources as text[]), cast(:currencies as text[]), cast(:amounts as bigint[]),
                  cast(:days as date[]), cast(:names as text[]), cast(:ibans as text[]), cast(:texts as text[]),
                  cast(:structured as text[]), cast(:e2es as text[]), cast(:instructed as bigint[]),
                  cast(:instructed_in as text[]), cast(:rates as text[]), cast(:debtors as uuid[]),
                  cast(:told as text[]))
           with ordinality
           as g(tenant_id, payment_id, entity_id, account, source, currency, amount, value_on, payer_name, payer_iban,
                remittance, structured, end_to_end_id, instructed, instructed_currency, rate, debtor_id, told, place)
     order by g.place
""")
_BY_REFERENCE = text("""
    select distinct on (g.reference) g.reference, r.payment_id
      from unnest(cast(:references as text[])) as g(reference)
      join payment_reference r on r.tenant_id = :tenant and r.reference = g.reference
      join payment p on p.tenant_id = r.tenant_id and p.payment_id = r.payment_id
     where p.currency = :currency and p.amount_minor - p.returned_minor >= :amount and not p.replaced
     order by g.reference, p.amount_minor = :amount desc, p.value_on desc, p.payment_id
""")
_RICHER = text("""
    update payment
       set told = cast(:told as jsonb), debtor_id = coalesce(debtor_id, :debtor), pending = true
     where tenant_id = :tenant and payment_id = :payment and unapplied_minor > 0 and not by_person
       and told = '[]'::jsonb
""")
_ORDERED = text("""
    update payment p
       set instructed_minor = g.instructed, instructed_currency = g.currency,
           exchange_rate = coalesce(p.exchange_rate, g.rate),
           pending = p.pending or (p.unapplied_minor > 0 and not p.by_person)
      from unnest(cast(:tenants as uuid[]), cast(:payments as uuid[]), cast(:instructed as bigint[]),
                  cast(:currencies as text[]), cast(:rates as text[]))
           as g(tenant_id, payment_id, instructed, currency, rate)
     where p.tenant_id = g.tenant_id and p.payment_id = g.payment_id and p.instructed_minor is null
       and p.currency <> g.currency
""")
_REPLACED = text("""
    update payment set replaced = true, pending = false
     where tenant_id = :tenant and payment_id = any(cast(:payments as uuid[]))
""")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a payment told: a new one, one known, or a name used for other money."""

    payment_id: UUID
    result: Result


async def receive(db: AsyncConnection, at: datetime, told: Sequence[NewPayment]) -> list[Taken]:
    """Take these payments, in order; one answer each. Says PaymentReceived for what is new.

    One intake of a tenant at a time: what two doors hear at once must see each other to be known as the same.
    """
    for tenant in sorted({one.tenant_id for one in told}):
        await db.execute(_ONE_AT_A_TIME, {"tenant": str(tenant)})
    known = await _known(db, told)
    taken = [_told_before(one, known) for one in told]
    spoken_for = {found.payment_id for found in taken if found}
    like = await _like(db, told)
    new: list[tuple[UUID, NewPayment]] = []
    richer: list[tuple[UUID, NewPayment]] = []
    for place, one in enumerate(told):
        found = taken[place] or _told_before(one, known)
        if found is None:
            able = [other for other in like.get(place, []) if other.payment_id not in spoken_for]
            same = same_money(one, able)
            found = Taken(same.payment_id, "unchanged") if same else Taken(uuid7(), "created")
            richer += [(found.payment_id, one)] if same and (one.told or one.debtor_id) else []
            spoken_for.add(found.payment_id)
            known.update({(one.tenant_id, telling): (found.payment_id, one.digest()) for telling in one.tellings})
        if found.result == "created":
            new.append((found.payment_id, one))
        taken[place] = found
    answers = [found for found in taken if found]
    await _add(db, Book(at), new)
    again = [(found.payment_id, one) for found, one in zip(answers, told, strict=True) if found.result == "unchanged"]
    await _name(db, again)
    await _enrich(db, richer)
    await _ordered(db, again)
    return answers


async def _enrich(db: AsyncConnection, richer: Sequence[tuple[UUID, NewPayment]]) -> None:
    """Told before by another: the ERP says whose it is and what it pays."""
    for payment, one in richer:
        told = orjson.dumps([asdict(part) for part in one.told], default=str).decode()
        asked = {"tenant": one.tenant_id, "payment": payment, "debtor": one.debtor_id, "told": told}
        await db.execute(_RICHER, asked)


async def _ordered(db: AsyncConnection, again: Sequence[tuple[UUID, NewPayment]]) -> None:
    """Told before without it: in which currency it was ordered, and at which rate; what is on record already stays."""
    found: dict[tuple[UUID, UUID], tuple[Money, str | None]] = {}
    for payment, one in again:
        if one.instructed:
            found.setdefault((one.tenant_id, payment), (one.instructed, one.exchange_rate))
    if not found:
        return
    rows = [(*key, money.minor, money.currency, rate) for key, (money, rate) in sorted(found.items())]
    names = ("tenants", "payments", "instructed", "currencies", "rates")
    await db.execute(_ORDERED, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


Known = dict[tuple[UUID, Telling], tuple[UUID, bytes]]


async def _known(db: AsyncConnection, told: Sequence[NewPayment]) -> Known:
    rows = [(one.tenant_id, telling) for one in told for telling in one.tellings]
    found = await db.execute(
        _KNOWN,
        {
            "tenants": [tenant for tenant, _ in rows],
            "channels": [telling.channel for _, telling in rows],
            "names": [telling.name for _, telling in rows],
        },
    )
    return {(row.tenant_id, Telling(row.channel, row.name)): (row.payment_id, bytes(row.digest)) for row in found}


def _told_before(one: NewPayment, known: Known) -> Taken | None:
    for telling in one.tellings:
        if found := known.get((one.tenant_id, telling)):
            payment, digest = found
            differs = telling.channel != "bank" and digest != one.digest()
            return Taken(payment, "conflict" if differs else "unchanged")
    return None


async def _like(db: AsyncConnection, told: Sequence[NewPayment]) -> dict[int, list[Like]]:
    found: dict[int, list[Like]] = {}
    columns_ = {
        "ords": list(range(len(told))),
        "tenants": [one.tenant_id for one in told],
        "currencies": [one.currency for one in told],
        "amounts": [one.amount for one in told],
        "days": [one.value_on for one in told],
        "sources": [one.source for one in told],
    }
    for row in await db.execute(_LIKE, columns_):
        channels = frozenset(row.channels or ())
        seen = Like(row.payment_id, row.entity_id, row.value_on, channels, *row[4:8])
        found.setdefault(row.ord, []).append(seen)
    return found


_TELLING = ("tenant_id", "channel", "name", "payment_id", "digest")
_REFERENCE = ("tenant_id", "reference", "payment_id")


def _tellings(one: NewPayment, payment: UUID) -> list[dict[str, Any]]:
    return [
        {
            "tenant_id": one.tenant_id,
            "channel": telling.channel,
            "name": telling.name,
            "payment_id": payment,
            "digest": one.digest(),
        }
        for telling in one.tellings
    ]


async def _name(db: AsyncConnection, named: Sequence[tuple[UUID, NewPayment]]) -> None:
    """Keep under which names and references these payments were told."""
    if named:
        rows = [row for payment, one in named for row in _tellings(one, payment)]
        await db.execute(adding(payment_telling, _TELLING), columns(rows))
        await _refer(db, named)


async def _refer(db: AsyncConnection, new: Sequence[tuple[UUID, NewPayment]]) -> None:
    rows = [
        {"tenant_id": one.tenant_id, "reference": reference[:140], "payment_id": payment}
        for payment, one in new
        for reference in dict.fromkeys((*one.references, *([one.end_to_end_id] if one.end_to_end_id else [])))
    ]
    if rows:
        await db.execute(adding(payment_reference, _REFERENCE), columns(rows))


async def _add(db: AsyncConnection, book: Book, new: Sequence[tuple[UUID, NewPayment]]) -> None:
    if not new:
        return
    await db.execute(_INSERT, {"at": book.at, **_columns(new)})
    await _name(db, new)
    for payment, one in new:
        page = PaymentPage(
            one.tenant_id, payment, one.entity_id, one.currency, one.amount, one.amount, 0, 0, one.value_on,
            source=one.source,
        )  # fmt: skip
        book.received(page, one.bank_account_id)
    await books.write(db, book)


def _columns(new: Sequence[tuple[UUID, NewPayment]]) -> dict[str, list[Any]]:
    told = [one for _, one in new]
    return {
        "tenants": [one.tenant_id for one in told],
        "ids": [payment for payment, _ in new],
        "entities": [one.entity_id for one in told],
        "accounts": [one.account for one in told],
        "sources": [one.source for one in told],
        "currencies": [one.currency for one in told],
        "amounts": [one.amount for one in told],
        "days": [one.value_on for one in told],
        "names": [one.payer_name for one in told],
        "ibans": [one.payer_iban for one in told],
        "texts": [one.remittance for one in told],
        "structured": [orjson.dumps(one.structured).decode() for one in told],
        "e2es": [one.end_to_end_id for one in told],
        "instructed": [one.instructed.minor if one.instructed else None for one in told],
        "instructed_in": [one.instructed.currency if one.instructed else None for one in told],
        "rates": [one.exchange_rate for one in told],
        "debtors": [one.debtor_id for one in told],
        "told": [orjson.dumps([asdict(part) for part in one.told], default=str).decode() for one in told],
    }


async def by_reference(
    db: AsyncConnection, tenant: UUID, references: Sequence[str], currency: str, amount: int
) -> UUID | None:
    """The payment that one of these references names and that still has this much; the first reference decides."""
    asked = {"tenant": tenant, "references": list(references), "currency": currency, "amount": amount}
    found = {row.reference: row.payment_id for row in await db.execute(_BY_REFERENCE, asked)}
    return next((found[reference] for reference in references if reference in found), None)


async def replace(db: AsyncConnection, book: Book, tenant: UUID, lumps: Collection[UUID]) -> set[UUID]:
    """Take lumps off the books whose details are told now; answers those that could go: given to nothing yet."""
    await books.lock_payments(db, book, {(tenant, lump) for lump in lumps})
    pages = [book.payments[lump] for lump in sorted(lumps) if lump in book.payments]
    able = [page for page in pages if page.unapplied == page.amount and not page.by_person]
    for page in able:
        page.unapplied, page.returned = 0, page.amount
        book.received(page, None)
    if able:
        await db.execute(_REPLACED, {"tenant": tenant, "payments": [page.payment_id for page in able]})
    return {page.payment_id for page in able}


def known(book: Book, payment: UUID) -> PaymentPage:
    """The payment's page. Raises NotFound."""
    page = book.payments.get(payment)
    if page is None:
        raise NotFound(f"There is no payment {payment}.")
    return page
