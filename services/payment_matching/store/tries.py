"""The outcome of a try: suggestions, keys that wait, and which money is to be tried again when an item opens.

Protects: an item and the money that came before it always meet. Matching holds the gate shared, an opened item is
tried under the gate alone: whatever was in hand when the item was committed is written by then, and is seen.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import adding, columns
from services.payment_matching.scoring import Weighed
from services.payment_matching.tables import waiting_key

Key = tuple[UUID, UUID]

MEET = """insert into untried (tenant_id, item_id) select tenant_id, item_id from changed order by item_id
    on conflict (item_id) do update set tenant_id = excluded.tenant_id"""
"""The end of a statement whose `changed` are items that are to meet waiting money. One that is in line already is
locked, so that it does not meet anything as it was before."""

_SHARED = text("select pg_advisory_xact_lock_shared(810401)")
_ALONE = text("select pg_advisory_xact_lock(810401)")
_ANY_UNTRIED = text("select exists (select from untried)")
_UNTRIED = text("""
    select u.tenant_id, u.item_id from untried u order by u.item_id limit :most for update skip locked
""")
_MEET = text("""
    with opened as (
        select i.tenant_id, i.item_id, i.payer_id, i.currency, i.residual_minor
          from open_item i
          join unnest(cast(:tenants as uuid[]), cast(:items as uuid[])) as g(tenant_id, item_id)
            on i.tenant_id = g.tenant_id and i.item_id = g.item_id
         where i.residual_minor > 0),
    met as (
        select w.tenant_id, w.payment_id
          from opened o join item_key k on k.tenant_id = o.tenant_id and k.item_id = o.item_id
          join waiting_key w on w.tenant_id = k.tenant_id and w.key = k.key
        union
        select p.tenant_id, p.payment_id
          from (select distinct tenant_id, payer_id from opened) o
          join payment p on p.tenant_id = o.tenant_id and p.payer_id = o.payer_id and p.unapplied_minor > 0
        union
        select p.tenant_id, p.payment_id
          from (select distinct tenant_id, currency, residual_minor from opened) o
          join payment p on p.tenant_id = o.tenant_id and p.currency = o.currency
           and p.unapplied_minor = o.residual_minor and p.unapplied_minor > 0
        union
        select p.tenant_id, p.payment_id
          from (select distinct tenant_id, currency, residual_minor from opened) o
          join payment p on p.tenant_id = o.tenant_id and p.instructed_currency = o.currency
           and p.instructed_minor = o.residual_minor and p.instructed_minor is not null and p.unapplied_minor > 0
        union
        select p.tenant_id, p.payment_id
          from (select distinct tenant_id from opened) o
          join payment p on p.tenant_id = o.tenant_id and p.unapplied_minor > 0 and p.told <> '[]'::jsonb),
    locked as (
        select p.tenant_id, p.payment_id
          from payment p join met m on p.tenant_id = m.tenant_id and p.payment_id = m.payment_id
         where p.unapplied_minor > 0 and not p.pending and not p.replaced
         order by p.payment_id for update of p)
    update payment p set pending = true from locked l
     where p.tenant_id = l.tenant_id and p.payment_id = l.payment_id
    returning p.payment_id
""")
_TRIED = text("""
    delete from untried u using unnest(cast(:tenants as uuid[]), cast(:items as uuid[])) as g(tenant_id, item_id)
     where u.tenant_id = g.tenant_id and u.item_id = g.item_id
""")
_DONE = text("""
    update payment p set pending = false, payer_id = coalesce(p.payer_id, g.payer_id)
      from unnest(cast(:tenants as uuid[]), cast(:ids as uuid[]), cast(:payers as uuid[]))
           as g(tenant_id, id, payer_id)
     where p.tenant_id = g.tenant_id and p.payment_id = g.id
""")
_TOLD = text("""
    update payment p set told = cast(g.told as jsonb), pending = g.again
      from unnest(cast(:tenants as uuid[]), cast(:ids as uuid[]), cast(:told as text[]), cast(:again as boolean[]))
           as g(tenant_id, id, told, again)
     where p.tenant_id = g.tenant_id and p.payment_id = g.id
""")
_FORGET = text("""
    with g as (select * from unnest(cast(:tenants as uuid[]), cast(:ids as uuid[])) as g(tenant_id, id)),
         keys as (delete from waiting_key w using g where w.tenant_id = g.tenant_id and w.payment_id = g.id)
    delete from suggestion s using g where s.tenant_id = g.tenant_id and s.payment_id = g.id
""")
_SUGGEST = text("""
    insert into suggestion (tenant_id, payment_id, rank, shape, items, currency, amounts, paid, credits,
                            credit_amounts, score, share, odds, evidence, unsure)
    select g.tenant_id, g.payment_id, g.rank, g.shape,
           array(select cast(x as uuid) from jsonb_array_elements_text(cast(g.items as jsonb)) x),
           g.currency, array(select cast(x as bigint) from jsonb_array_elements_text(cast(g.amounts as jsonb)) x),
           array(select cast(x as bigint) from jsonb_array_elements_text(cast(g.paid as jsonb)) x),
           array(select cast(x as uuid) from jsonb_array_elements_text(cast(g.credits as jsonb)) x),
           array(select cast(x as bigint) from jsonb_array_elements_text(cast(g.credit_amounts as jsonb)) x),
           g.score, g.share, g.odds, cast(g.evidence as jsonb),
           array(select jsonb_array_elements_text(cast(g.unsure as jsonb)))
      from unnest(cast(:tenants as uuid[]), cast(:payments as uuid[]), cast(:ranks as int[]), cast(:shapes as text[]),
                  cast(:items as text[]), cast(:currencies as text[]), cast(:amounts as text[]),
                  cast(:paid as text[]), cast(:credits as text[]), cast(:credit_amounts as text[]),
                  cast(:scores as double precision[]), cast(:shares as double precision[]),
                  cast(:odds as double precision[]), cast(:evidence as text[]), cast(:unsure as text[]))
           as g(tenant_id, payment_id, rank, shape, items, currency, amounts, paid, credits, credit_amounts, score,
                share, odds, evidence, unsure)
""")


async def enter(db: AsyncConnection) -> None:
    """Hold the gate shared while payments are tried."""
    await db.execute(_SHARED)


async def meet(db: AsyncConnection, most: int) -> int:
    """Try the items that opened: whatever money may have come before them waits again. Answers how many opened."""
    if not await db.scalar(_ANY_UNTRIED):
        return 0
    await db.execute(_ALONE)
    opened = [(row.tenant_id, row.item_id) for row in await db.execute(_UNTRIED, {"most": most})]
    if opened:
        told = {"tenants": [tenant for tenant, _ in opened], "items": [item for _, item in opened]}
        await db.execute(_MEET, told)
        await db.execute(_TRIED, told)
    return len(opened)


async def done(db: AsyncConnection, tried: Mapping[Key, UUID | None]) -> None:
    """These payments (tenant, id) were tried; the value is whose they are, if that is known."""
    keys = sorted(tried)
    told = {"tenants": [t for t, _ in keys], "ids": [p for _, p in keys]}
    await db.execute(_DONE, told | {"payers": [tried[key] for key in keys]})
    await db.execute(_FORGET, told)


async def keep_told(db: AsyncConnection, waiting: Mapping[Key, Sequence[Any]], again: Collection[Key]) -> None:
    """What of an ERP's own allocations still waits; those of `again` are tried once more."""
    keys = sorted(waiting)
    if keys:
        told = {"tenants": [t for t, _ in keys], "ids": [p for _, p in keys]}
        await db.execute(
            _TOLD, told | {"told": [_json(waiting[key]) for key in keys], "again": [key in again for key in keys]}
        )


async def wait(db: AsyncConnection, keys: Collection[tuple[UUID, str, UUID]]) -> None:
    """Keep the keys (tenant, key, payment) of money that stays unapplied."""
    if keys:
        rows = [{"tenant_id": t, "key": key, "payment_id": p} for t, key, p in sorted(set(keys))]
        await db.execute(adding(waiting_key, ("tenant_id", "key", "payment_id")), columns(rows))


async def suggest(db: AsyncConnection, shown: Sequence[tuple[UUID, UUID, int, Weighed]]) -> None:
    """Keep the suggestions (tenant, payment, rank, weighed) that a person will see."""
    if not shown:
        return
    ones = [weighed for _, _, _, weighed in shown]
    told = {
        "tenants": [row[0] for row in shown],
        "payments": [row[1] for row in shown],
        "ranks": [row[2] for row in shown],
        "shapes": [one.hypothesis.shape for one in ones],
        "items": [_json([line.item_id for line in one.hypothesis.lines]) for one in ones],
        "currencies": [one.currency for one in ones],
        "amounts": [_json([line.amount for line in one.hypothesis.lines]) for one in ones],
        "paid": [_json([line.paid for line in one.hypothesis.lines if line.paid is not None]) for one in ones],
        "credits": [_json([line.item_id for line in one.hypothesis.credits]) for one in ones],
        "credit_amounts": [_json([line.amount for line in one.hypothesis.credits]) for one in ones],
        "scores": [one.score for one in ones],
        "shares": [one.share for one in ones],
        "odds": [one.odds for one in ones],
        "evidence": [_json([{"code": why.code, "facts": dict(why.facts)} for why in one.reasons]) for one in ones],
        "unsure": [_json(list(one.unsure)) for one in ones],
    }
    await db.execute(_SUGGEST, told)


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()
