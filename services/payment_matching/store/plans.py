"""Payment plans that run: kept as the scheduler tells of them, and what of each the next payment is to be."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import adding, columns
from services.payment_matching.evidence import Awaited, next_part
from services.payment_matching.store.items import key_columns
from services.payment_matching.tables_decided import agreed_plan

Key = tuple[UUID, UUID]
Row = dict[str, Any]

_ROW = ("tenant_id", "plan_id", "payer_id", "currency", "parts", "items", "agreed_on")
_END = text("""
    delete from agreed_plan p using unnest(cast(:tenants as uuid[]), cast(:plans as uuid[])) as g(tenant_id, plan_id)
     where p.tenant_id = g.tenant_id and p.plan_id = g.plan_id
""")
_LIFTED = text("""
    delete from agreed_plan p using unnest(cast(:tenants as uuid[]), cast(:items as uuid[])) as g(tenant_id, item_id)
     where p.tenant_id = g.tenant_id and p.items ? g.item_id::text
""")
_OF = text("""
    select p.tenant_id, p.payer_id, p.currency, p.parts, p.items, p.agreed_on, coalesce(came.minor, 0) as paid
      from unnest(cast(:tenants as uuid[]), cast(:payers as uuid[])) as g(tenant_id, payer_id)
      join agreed_plan p on p.tenant_id = g.tenant_id and p.payer_id = g.payer_id
     cross join lateral (
           select sum(a.amount_minor)::bigint as minor
             from jsonb_array_elements_text(p.items) as i(item)
             join allocation a on a.tenant_id = p.tenant_id and a.item_id = i.item::uuid
            where a.source = 'payment' and a.undone_at is null and a.value_on >= p.agreed_on) came
     order by p.plan_id
""")


async def agree(db: AsyncConnection, rows: Sequence[Row]) -> None:
    """Keep these plans; told again, nothing changes."""
    if rows:
        await db.execute(adding(agreed_plan, _ROW), columns(rows))


async def end(db: AsyncConnection, plans: Collection[Key]) -> None:
    """These plans fell."""
    await db.execute(_END, key_columns(plans, "plans"))


async def lifted(db: AsyncConnection, items: Collection[Key]) -> None:
    """What kept these items silent for a plan is gone: so is the plan."""
    await db.execute(_LIFTED, key_columns(items, "items"))


async def awaited(db: AsyncConnection, payers: Collection[Key]) -> dict[Key, list[Awaited]]:
    """(tenant, payer) → what the plans of these payers wait for next."""
    found: dict[Key, list[Awaited]] = {}
    if not payers:
        return found
    for row in await db.execute(_OF, key_columns(payers, "payers")):
        left = next_part(row.parts, row.paid)
        if left is not None:
            plan = Awaited(row.currency, row.agreed_on, left, frozenset(map(UUID, row.items)))
            found.setdefault((row.tenant_id, row.payer_id), []).append(plan)
    return found
