"""Payment providers, by the accounts from which they pay out, and the most that they keep."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payment_matching.evidence import Provider
from services.payment_matching.store.debtors import CONFIRMED_FROM
from services.payment_matching.tables_decided import payout_provider

MOST = 1_000
"""Basis points that a provider may keep."""
KEY = ("tenant_id", "iban", "currency")

_OF = text("""
    select g.ord, p.name, p.share_bp, p.each_minor
      from unnest(cast(:ords as int[]), cast(:tenants as uuid[]), cast(:ibans as text[]), cast(:currencies as text[]))
           as g(ord, tenant_id, iban, currency)
      join payout_provider p on p.tenant_id = g.tenant_id and p.iban = g.iban and p.currency = g.currency
""")


async def of(db: AsyncConnection, asked: Sequence[tuple[int, UUID, str, str]]) -> dict[int, Provider]:
    """Of (ord, tenant, iban, currency): the provider whose account it is, for those where it is one's."""
    if not asked:
        return {}
    names = ("ords", "tenants", "ibans", "currencies")
    told: dict[str, Any] = dict(zip(names, map(list, zip(*asked, strict=True)), strict=True))
    return {row.ord: Provider(row.name, row.share_bp, row.each_minor) for row in await db.execute(_OF, told)}


async def listed(db: AsyncConnection, tenant: UUID) -> list[Any]:
    """Every provider of the tenant."""
    c = payout_provider.c
    wanted = select(payout_provider).where(c.tenant_id == tenant).order_by(c.name, c.iban, c.currency)
    return list(await db.execute(wanted))


async def keep(db: AsyncConnection, tenant: UUID, iban: str, currency: str, **facts: Any) -> None:
    """Set or change a provider's account."""
    row = {"tenant_id": tenant, "iban": iban, "currency": currency} | facts
    await db.execute(upsert(payout_provider).values(row).on_conflict_do_update(index_elements=KEY, set_=facts))


_LEARN = text("""
    insert into payout_provider as p (tenant_id, iban, currency, name, share_bp, each_minor, learned, set_by, set_at)
    select q.tenant_id, q.payer_iban, q.currency, coalesce(q.payer_name, q.payer_iban), :share, 0, true, :by, :at
      from payment q where q.tenant_id = :tenant and q.payment_id = :payment and q.payer_iban is not null
       and not exists (select from payer_identity i
                        where i.tenant_id = q.tenant_id and i.kind = 'iban' and i.value = q.payer_iban
                          and (i.source <> 'machine' or i.times >= :confirmed))
    on conflict (tenant_id, iban, currency) do update
       set share_bp = excluded.share_bp, set_by = excluded.set_by, set_at = excluded.set_at
     where p.learned and p.share_bp < excluded.share_bp
""")


async def learn(db: AsyncConnection, payment: tuple[UUID, UUID], share: int, by: str, at: datetime) -> None:
    """A person wrote off what a provider kept of this (tenant, payment): the account that sent it keeps so many basis
    points. What an administrator set stays, and so does an account known for a customer's."""
    tenant, identity = payment
    told = {"tenant": tenant, "payment": identity, "share": min(share, MOST), "by": by, "at": at}
    told["confirmed"] = CONFIRMED_FROM
    await db.execute(_LEARN, told)


async def drop(db: AsyncConnection, tenant: UUID, iban: str, currency: str) -> bool:
    """It is nobody's account any more; answers whether it was."""
    c = payout_provider.c
    gone = delete(payout_provider).where(c.tenant_id == tenant, c.iban == iban, c.currency == currency)
    return (await db.execute(gone)).rowcount > 0
