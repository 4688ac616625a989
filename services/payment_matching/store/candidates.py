"""What may be paid by what: Postgres is the index. Four look-ups for a micro-batch, whatever its size.

The rule it protects: bounded work. A key that very many items have says nothing and is cut at 21 hits, a payer's list
at 200 items, that of all the payers of one payment at 1,000; what is cut is counted as frequent, never as rare.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payment_matching.evidence import Item, KeyKind
from services.payment_matching.store.debtors import CONFIRMED_FROM, IdentityKind

HITS = 21
LIKE_AMOUNT = 6
OF_PAYER = 200
NOTES_OF_PAYER = 20

# Of each, by its amount: as an anti-join, the planner would read all money that is left of anybody.
_CLAIM = text("""
    with held as (
        select p.tenant_id, p.payment_id, p.seq, p.entity_id, p.currency, p.unapplied_minor, p.value_on, p.remittance,
               case when p.unapplied_minor = p.amount_minor then p.instructed_minor end as instructed,
               p.instructed_currency, p.exchange_rate, p.structured, p.end_to_end_id, p.payer_name, p.payer_iban,
               p.debtor_id, p.payer_id, p.by_person, p.told
          from payment p where p.pending order by p.seq limit :most for update skip locked)
    select h.* from held h
     where (select true from payment o
             where o.tenant_id = h.tenant_id and o.currency = h.currency and o.unapplied_minor = h.unapplied_minor
               and o.unapplied_minor > 0 and o.pending and o.seq < h.seq and o.seq <> all (array(select seq from held))
             limit 1) is null
     order by h.seq
""")
_HITS = text("""
    select g.ord, k.key, k.kind, k.item_id, k.credit
      from unnest(cast(:ords as int[]), cast(:tenants as uuid[]), cast(:keys as text[])) as g(ord, tenant_id, keys)
     cross join lateral string_to_table(g.keys, ' ') as s(key)
     cross join lateral (
           select i.key, i.kind, i.item_id, i.credit from item_key i
            where i.tenant_id = g.tenant_id and i.key = s.key limit :hits) k
""")
_PAYERS = text("""
    select g.ord, d.payer_id, p.kind, p.source, p.times, p.whole
      from unnest(cast(:ords as int[]), cast(:tenants as uuid[]), cast(:kinds as text[]), cast(:values as text[]))
           as g(ord, tenant_id, kind, value)
     cross join lateral (
           select i.debtor_id, i.kind, i.source, i.times, i.whole from payer_identity i
            where i.tenant_id = g.tenant_id and i.kind = g.kind and i.value = g.value
            order by i.times desc, i.debtor_id limit :hits) p
     cross join lateral (
           select a.payer_id from debtor a
            where a.tenant_id = g.tenant_id and a.debtor_id = p.debtor_id offset 0) d
""")
_LIKE_AMOUNT = text("""
    select g.ord, g.currency, i.item_id
      from unnest(cast(:ords as int[]), cast(:tenants as uuid[]), cast(:currencies as text[]),
                  cast(:amounts as bigint[])) as g(ord, tenant_id, currency, amount)
     cross join lateral (
           select o.item_id from open_item o
            where o.tenant_id = g.tenant_id and o.currency = g.currency and o.residual_minor = g.amount
              and o.residual_minor > 0
            order by o.item_id limit :most) i
""")
_ITEM = """o.tenant_id, o.item_id, o.invoice_id, o.entity_id, o.debtor_id, o.payer_id, o.number, o.currency,
           o.residual_minor, o.issued_on, o.due_on, o.sequence, false as credit, o.version,
           o.discount_minor, o.discount_until"""
_ITEMS = text(f"""
    select {_ITEM} from open_item o
      join unnest(cast(:tenants as uuid[]), cast(:ids as uuid[])) as g(tenant_id, id)
        on o.tenant_id = g.tenant_id and o.item_id = g.id
     where not o.cancelled
""")  # noqa: S608 - the pieces are our own constants
_OF_PAYERS = text(f"""
    select {_ITEM.replace(" o.", " i.").replace("o.tenant_id", "i.tenant_id", 1)}
      from unnest(cast(:tenants as uuid[]), cast(:payers as uuid[]), cast(:most as int[]))
           as g(tenant_id, payer_id, most)
     cross join lateral (
           select * from open_item o
            where o.tenant_id = g.tenant_id and o.payer_id = g.payer_id and o.residual_minor > 0
            order by o.due_on, o.item_id limit g.most) i
""")  # noqa: S608 - the pieces are our own constants
_NOTES_OF_PAYERS = text("""
    select c.tenant_id, c.credit_note_id, c.credit_note_id, c.entity_id, c.debtor_id, c.payer_id, c.number, c.currency,
           c.unapplied_minor, c.issued_on, c.issued_on, 1, true as credit, c.version
      from unnest(cast(:tenants as uuid[]), cast(:payers as uuid[])) as g(tenant_id, payer_id)
     cross join lateral (
           select * from credit_note n
            where n.tenant_id = g.tenant_id and n.payer_id = g.payer_id and n.unapplied_minor > 0
            order by n.issued_on, n.credit_note_id limit :most) c
""")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A payment that waits to be tried, locked."""

    tenant_id: UUID
    payment_id: UUID
    seq: int
    entity_id: UUID
    currency: str
    unapplied: int
    value_on: date
    remittance: str
    instructed: int | None
    """Of a payment given to nothing yet: what the payer ordered, in minor units of `instructed_currency`."""
    instructed_currency: str | None
    exchange_rate: str | None
    structured: list[str]
    end_to_end_id: str | None
    payer_name: str | None
    payer_iban: str | None
    debtor_id: UUID | None
    payer_id: UUID | None
    by_person: bool
    told: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class KeyHit:
    """A key of payment number `ord` that an item or a credit note has."""

    ord: int
    key: str
    kind: KeyKind
    item_id: UUID
    credit: bool


@dataclass(frozen=True, slots=True)
class PayerHit:
    """A payer whom an account or a name of payment number `ord` points to."""

    ord: int
    payer_id: UUID
    kind: IdentityKind
    confirmed: bool
    times: int
    whole: str | None
    """Of a name: with its legal form."""


async def claim(db: AsyncConnection, most: int) -> list[Claimed]:
    """The payments that wait longest, locked; what another process holds is passed over, and so is money that is as
    much: of two payments of one debt the first is tried first, and the second is seen to be a duplicate."""
    return [Claimed(*row) for row in await db.execute(_CLAIM, {"most": most})]


async def hits(db: AsyncConnection, asked: Sequence[tuple[int, UUID, Iterable[str]]]) -> list[KeyHit]:
    """Of (ord, tenant, keys): the items and credit notes that have these keys, at most 21 a key."""
    # One text a payment: an array of every key would cost more to encode than to look up.
    told = {
        "ords": [ord_ for ord_, _, _ in asked],
        "tenants": [tenant for _, tenant, _ in asked],
        "keys": [" ".join(keys) for _, _, keys in asked],
        "hits": HITS,
    }
    return [KeyHit(*row) for row in await db.execute(_HITS, told)]


async def payers(db: AsyncConnection, values: Sequence[tuple[int, UUID, str, str]]) -> list[PayerHit]:
    """Of (ord, tenant, kind, value): the payers known by them."""
    if not values:
        return []
    names = ("ords", "tenants", "kinds", "values")
    told: dict[str, Any] = dict(zip(names, map(list, zip(*values, strict=True)), strict=True))
    found = await db.execute(_PAYERS, told | {"hits": HITS})
    return [
        PayerHit(ord_, payer, kind, source != "machine" or times >= CONFIRMED_FROM, times, whole)
        for ord_, payer, kind, source, times, whole in found
    ]


async def like_amount(
    db: AsyncConnection, amounts: Sequence[tuple[int, UUID, str, int]]
) -> list[tuple[int, str, UUID]]:
    """Of (ord, tenant, currency, amount): the items that owe just this, at most 6 each, by ord and currency."""
    names = ("ords", "tenants", "currencies", "amounts")
    told: dict[str, Any] = dict(zip(names, map(list, zip(*amounts, strict=True)), strict=True))
    return [(r.ord, r.currency, r.item_id) for r in await db.execute(_LIKE_AMOUNT, told | {"most": LIKE_AMOUNT})]


Seen = dict[tuple[UUID, UUID], tuple[Item, int]]
"""(tenant, id) → the item and its version as seen."""


async def items(db: AsyncConnection, ids: Collection[tuple[UUID, UUID]]) -> Seen:
    """These items, settled ones too."""
    if not ids:
        return {}
    wanted = sorted(set(ids))
    return _seen(await db.execute(_ITEMS, {"tenants": [t for t, _ in wanted], "ids": [i for _, i in wanted]}))


async def of_payers(db: AsyncConnection, wanted: Mapping[tuple[UUID, UUID], int]) -> Seen:
    """What these payers owe, the oldest items, so many each as is said, and the credit notes they have left."""
    if not wanted:
        return {}
    keys = sorted(wanted)
    told = {"tenants": [t for t, _ in keys], "payers": [p for _, p in keys]}
    found = _seen(await db.execute(_OF_PAYERS, told | {"most": [wanted[key] for key in keys]}))
    return found | _seen(await db.execute(_NOTES_OF_PAYERS, told | {"most": NOTES_OF_PAYER}))


def _seen(rows: Any) -> Seen:
    return {(row[0], row[1]): (Item(*row[1:13], *row[14:]), row[13]) for row in rows}
