"""Accounts, who pays for them, and what a payer is known by."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payment_matching.evidence import name_key, whole_name
from services.payment_matching.store.tries import MEET

Key = tuple[UUID, UUID]
IdentityKind = Literal["iban", "name"]
CONFIRMED_FROM = 2
"""Times that the machine must have seen an account pay for a debtor before it counts as known."""

_PLACE = text("""
    insert into debtor (tenant_id, debtor_id, payer_id)
    select g.tenant_id, g.debtor_id, g.debtor_id
      from unnest(cast(:tenants as uuid[]), cast(:debtors as uuid[])) as g(tenant_id, debtor_id)
    on conflict do nothing
""")
_LOCK = text("""
    select d.tenant_id, d.debtor_id, d.payer_id, d.version
      from debtor d join unnest(cast(:tenants as uuid[]), cast(:debtors as uuid[])) as g(tenant_id, debtor_id)
        on d.tenant_id = g.tenant_id and d.debtor_id = g.debtor_id
     order by d.debtor_id for update of d
""")
_PAYERS = text("""
    select d.tenant_id, d.debtor_id, d.payer_id
      from debtor d join unnest(cast(:tenants as uuid[]), cast(:debtors as uuid[])) as g(tenant_id, debtor_id)
        on d.tenant_id = g.tenant_id and d.debtor_id = g.debtor_id
     where d.version > 0
""")
_CHANGE = text("""
    update debtor d
       set entity_id = g.entity_id, payer_id = g.payer_id, group_id = g.group_id, external_id = g.external_id,
           version = g.version
      from unnest(cast(:tenants as uuid[]), cast(:debtors as uuid[]), cast(:entities as uuid[]),
                  cast(:payers as uuid[]), cast(:groups as uuid[]), cast(:externals as text[]),
                  cast(:versions as bigint[]))
           as g(tenant_id, debtor_id, entity_id, payer_id, group_id, external_id, version)
     where d.tenant_id = g.tenant_id and d.debtor_id = g.debtor_id and d.version < g.version
    returning d.debtor_id
""")
_MOVE_ITEMS = text(f"""
    with changed as (
        update open_item i set payer_id = d.payer_id
          from debtor d join unnest(cast(:tenants as uuid[]), cast(:debtors as uuid[])) as g(tenant_id, debtor_id)
            on d.tenant_id = g.tenant_id and d.debtor_id = g.debtor_id
         where i.tenant_id = d.tenant_id and i.debtor_id = d.debtor_id and i.payer_id <> d.payer_id
        returning i.tenant_id, i.item_id)
    {MEET}
""")  # noqa: S608 - the piece is our own constant
_MOVE_CREDITS = text("""
    update credit_note c set payer_id = d.payer_id
      from debtor d join unnest(cast(:tenants as uuid[]), cast(:debtors as uuid[])) as g(tenant_id, debtor_id)
        on d.tenant_id = g.tenant_id and d.debtor_id = g.debtor_id
     where c.tenant_id = d.tenant_id and c.debtor_id = d.debtor_id and c.payer_id <> d.payer_id
""")
_UNTRY = text(f"""
    with changed as (
        select i.tenant_id, i.item_id
          from open_item i
          join unnest(cast(:tenants as uuid[]), cast(:debtors as uuid[])) as g(tenant_id, debtor_id)
            on i.tenant_id = g.tenant_id and i.payer_id = g.debtor_id
         where i.residual_minor > 0)
    {MEET}
""")  # noqa: S608 - the piece is our own constant
_FORGET = text("""
    delete from payer_identity p
     using unnest(cast(:tenants as uuid[]), cast(:debtors as uuid[])) as g(tenant_id, debtor_id)
     where p.tenant_id = g.tenant_id and p.debtor_id = g.debtor_id and (p.source = 'file' or :all)
""")
_KNOW = text("""
    insert into payer_identity as p (tenant_id, kind, value, debtor_id, source, times, seen_on, whole)
    select * from unnest(cast(:tenants as uuid[]), cast(:kinds as text[]), cast(:values as text[]),
                         cast(:debtors as uuid[]), cast(:sources as text[]), cast(:times as int[]),
                         cast(:seen as date[]), cast(:wholes as text[]))
    on conflict (tenant_id, kind, value, debtor_id) do update
       set whole = coalesce(excluded.whole, p.whole),
           times = p.times + excluded.times, seen_on = greatest(p.seen_on, excluded.seen_on),
           source = case when 'person' in (p.source, excluded.source) then 'person'
                         when 'file' in (p.source, excluded.source) then 'file' else p.source end
""")
_AGAIN = text("""
    update payment p set pending = true
      from unnest(cast(:tenants as uuid[]), cast(:ibans as text[])) as g(tenant_id, iban)
     where p.tenant_id = g.tenant_id and p.payer_iban = g.iban and p.unapplied_minor > 0 and not p.pending
""")
_ANONYMISE = text("""
    update payment set payer_name = null, payer_iban = null, remittance = ''
     where tenant_id = :tenant and payer_id = :debtor
""")


@dataclass(frozen=True, slots=True)
class Account:
    """A debtor's file as matching keeps it."""

    tenant_id: UUID
    debtor_id: UUID
    entity_id: UUID
    payer_id: UUID
    group_id: UUID | None
    external_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Something a payer is known by."""

    tenant_id: UUID
    kind: IdentityKind
    value: str
    debtor_id: UUID
    source: Literal["file", "person", "machine"]
    times: int = 0
    seen_on: date | None = None
    whole: str | None = None
    """Of a name: with its legal form."""


def named_so(tenant: UUID, debtor: UUID, name: str | None) -> list[Identity]:
    """What a debtor's own file says of its name, if it says any."""
    known = Identity(tenant, "name", name_key(name), debtor, "file", whole=whole_name(name))
    return [known] if known.value else []


async def lock(db: AsyncConnection, debtors: Collection[Key]) -> None:
    """Lock these accounts in the order of their ids; an account not yet heard of gets its row first."""
    told = _columns(debtors)
    await db.execute(_PLACE, told)
    await db.execute(_LOCK, told)


async def payers(db: AsyncConnection, debtors: Collection[Key]) -> dict[Key, UUID]:
    """Who pays for these accounts, for those whose file was heard."""
    found = await db.execute(_PAYERS, _columns(debtors))
    return {(row.tenant_id, row.debtor_id): row.payer_id for row in found}


async def change(db: AsyncConnection, accounts: Sequence[Account]) -> set[UUID]:
    """Write newer files over older ones; answers the accounts that changed. Their items follow to the new payer."""
    await lock(db, {(one.tenant_id, one.debtor_id) for one in accounts})
    told = {
        "tenants": [one.tenant_id for one in accounts],
        "debtors": [one.debtor_id for one in accounts],
        "entities": [one.entity_id for one in accounts],
        "payers": [one.payer_id for one in accounts],
        "groups": [one.group_id for one in accounts],
        "externals": [one.external_id for one in accounts],
        "versions": [one.version for one in accounts],
    }
    changed = set((await db.scalars(_CHANGE, told)).all())
    moved = _columns({(one.tenant_id, one.debtor_id) for one in accounts if one.debtor_id in changed})
    if changed:
        await db.execute(_MOVE_ITEMS, moved)
        await db.execute(_MOVE_CREDITS, moved)
    return changed


async def know(db: AsyncConnection, identities: Sequence[Identity]) -> None:
    """Add what payers are known by; seen again counts up, and a person's word stays a person's."""
    rows = sorted({(one.tenant_id, one.kind, one.value, one.debtor_id): one for one in identities}.items())
    if not rows:
        return
    found = [one for _, one in rows]
    told = {
        "tenants": [one.tenant_id for one in found],
        "kinds": [one.kind for one in found],
        "values": [one.value for one in found],
        "debtors": [one.debtor_id for one in found],
        "sources": [one.source for one in found],
        "times": [one.times for one in found],
        "seen": [one.seen_on for one in found],
        "wholes": [one.whole for one in found],
    }
    await db.execute(_KNOW, told)


async def forget(db: AsyncConnection, debtors: Collection[Key], *, everything: bool = False) -> None:
    """Drop what the file said these debtors are known by, or all of it."""
    await db.execute(_FORGET, _columns(debtors) | {"all": everything})


async def anonymise(db: AsyncConnection, tenant: UUID, debtor: UUID) -> None:
    """Take the payer's name, account and text off the payments of an erased debtor; the amounts stay."""
    await db.execute(_ANONYMISE, {"tenant": tenant, "debtor": debtor})


async def try_again(db: AsyncConnection, known: Collection[Key], ibans: Collection[tuple[UUID, str]]) -> None:
    """Payers are known by something new: what they owe meets the money that waits again, and so do their accounts."""
    await db.execute(_UNTRY, _columns(known))
    if ibans:
        wanted = sorted(ibans)
        await db.execute(_AGAIN, {"tenants": [t for t, _ in wanted], "ibans": [iban for _, iban in wanted]})


def _columns(debtors: Collection[Key]) -> dict[str, list[UUID]]:
    wanted = sorted(set(debtors), key=lambda key: (key[1], key[0]))
    return {"tenants": [tenant for tenant, _ in wanted], "debtors": [one for _, one in wanted]}
