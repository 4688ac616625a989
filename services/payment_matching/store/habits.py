"""Numbers that payers write again and again and that name nothing: a customer's code, a contract, a file.

The rule it protects: a number is habit only after several payments said it and none of them named an item by it; so a
reference that is wrong once, or twice, still keeps the machine from acting.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import adding, columns
from services.payment_matching.tables_learned import said_number

Number = tuple[UUID, str]
HABIT_FROM = 4
"""Other payments that must have said a number before."""

_COMMON = text("""
    select g.tenant_id, g.number
      from unnest(cast(:tenants as uuid[]), cast(:numbers as text[])) as g(tenant_id, number)
     cross join lateral (
           select count(*) as times from (
                  select from said_number s where s.tenant_id = g.tenant_id and s.number = g.number limit :least) c
           ) said
     where said.times >= :least
""")


async def common(db: AsyncConnection, asked: Collection[Number]) -> set[Number]:
    """Those of these numbers (tenant, number) that are habit."""
    wanted = sorted(set(asked))
    if not wanted:
        return set()
    told = {"tenants": [t for t, _ in wanted], "numbers": [number for _, number in wanted], "least": HABIT_FROM}
    return {(row.tenant_id, row.number) for row in await db.execute(_COMMON, told)}


async def said(db: AsyncConnection, rows: Collection[tuple[UUID, str, UUID]]) -> None:
    """Keep (tenant, number, payment) of numbers that named nothing; told again, nothing changes."""
    if rows:
        found = [{"tenant_id": t, "number": number, "payment_id": p} for t, number, p in sorted(set(rows))]
        await db.execute(adding(said_number, ("tenant_id", "number", "payment_id")), columns(found))
