"""Calibrations of a tenant: which acts, what came of what was proposed, and what errors make of the threshold.

Outcomes are read from the allocations that stand and those that were taken back; nothing is counted apart. Protects:
one calibration of a tenant is active at most, and each knows the one that it replaced.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.ids import uuid7
from services.payment_matching.calibration import WINDOW, Cell, Curve, Rules, Seen, cell
from services.payment_matching.tables_learned import calibration, declined

LOOKED_BACK = timedelta(days=365)
LINES = 50_000
"""Of the tenant's allocations, the latest that are read."""
STANDS = timedelta(days=14)
"""How long a match of the machine's must have stood to count as right."""
KEPT = 20
"""Retired calibrations that are kept of a tenant."""

# Ids are of the time at which they were made: the latest are found by them.
_OUTCOMES = text("""
    select cast(e.best ->> 'odds' as double precision) as odds, cast(e.best ->> 'guards' as int) as guards,
           e.right, count(*) as times
      from (select distinct on (a.source_id) a.evidence -> 'best' as best,
                   case a.how when 'auto' then a.undone_why is distinct from 'unallocated'
                        else cast(a.evidence -> 'best' ->> 'right' as boolean) end as right
              from (select * from allocation l where l.tenant_id = :tenant
                     order by l.allocation_id desc limit :lines) a
             where a.source = 'payment' and a.evidence ? 'best' and a.made_at > :since
               and (a.how = 'person' or a.made_at < :stood or a.undone_why = 'unallocated')
             order by a.source_id, a.seq) e
     group by 1, 2, 3
     union all
    select d.odds, d.guards, false, count(*) from declined d
     where d.tenant_id = :tenant and d.at > :since
     group by 1, 2
""")
_DECLINE = text("""
    insert into declined (tenant_id, payment_id, odds, guards, at)
    select s.tenant_id, s.payment_id, s.odds, cardinality(s.unsure), :at
      from suggestion s
     where s.tenant_id = :tenant and s.payment_id = :payment and s.rank = 1 and not 'erp_unclear' = any(s.unsure)
    on conflict (tenant_id, payment_id) do update set odds = excluded.odds, guards = excluded.guards, at = excluded.at
""")
_ERRORS = text("""
    select e.odds from (
           select distinct on (l.source_id) l.source_id, l.odds from (
                  select a.source_id, a.undone_why, a.undone_at,
                         cast(a.evidence -> 'best' ->> 'odds' as double precision) as odds
                    from allocation a
                   where a.tenant_id = :tenant and a.how = 'auto' and a.source = 'payment' and a.evidence ? 'best'
                   order by a.allocation_id desc limit :window) l
            where l.undone_why = 'unallocated' and l.undone_at > :since) e
""")


async def acting(db: AsyncConnection, tenants: Collection[UUID]) -> dict[UUID, Rules]:
    """What acts for each of these tenants; those without an active calibration are left out."""
    c = calibration.c
    wanted = select(c.tenant_id, c.curve, c.least_odds)
    found = await db.execute(wanted.where(c.tenant_id.in_(tenants), c.state == "active"))
    return {row.tenant_id: Rules(curve_of(row.curve), row.least_odds) for row in found}


def curve_of(told: Iterable[Iterable[float]]) -> Curve:
    """A curve as it is stored."""
    return tuple(tuple(row) for row in told)


async def outcomes(db: AsyncConnection, tenant: UUID, at: datetime) -> dict[Cell, Seen]:
    """What came of best hypotheses: matches of the machine that stood two weeks or were taken back, and what people
    decided about suggestions, over a year and 50,000 lines at most."""
    told = {"tenant": tenant, "since": at - LOOKED_BACK, "stood": at - STANDS, "lines": LINES}
    found: dict[Cell, Seen] = {}
    for row in await db.execute(_OUTCOMES, told):
        where = cell(row.odds, row.guards)
        before = found.get(where, Seen(0, 0))
        found[where] = Seen(before.count + row.times, before.right + (row.times if row.right else 0))
    return found


async def decline(db: AsyncConnection, tenant: UUID, payment: UUID, at: datetime) -> None:
    """A person says that no suggestion for this payment is right. Before the suggestions are cleared."""
    await db.execute(_DECLINE, {"tenant": tenant, "payment": payment, "at": at})


async def undecline(db: AsyncConnection, tenant: UUID, payment: UUID) -> None:
    """That is not said any more."""
    c = declined.c
    await db.execute(delete(declined).where(c.tenant_id == tenant, c.payment_id == payment))


async def errors(db: AsyncConnection, tenant: UUID, since: datetime) -> list[float]:
    """The log-odds of those of the machine's latest matches that a person took back after this instant."""
    told = {"tenant": tenant, "window": WINDOW, "since": since}
    return [row.odds for row in await db.execute(_ERRORS, told)]


async def listed(db: AsyncConnection, tenant: UUID) -> list[Any]:
    """The calibrations on record, the newest first."""
    wanted = select(calibration).where(calibration.c.tenant_id == tenant)
    return list(await db.execute(wanted.order_by(calibration.c.calibration_id.desc())))


async def locked(db: AsyncConnection, tenant: UUID) -> list[Any]:
    """The same, while nobody else changes them."""
    await db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"calibration {tenant}", 0))))
    return await listed(db, tenant)


async def add(db: AsyncConnection, tenant: UUID, rules: Rules, **facts: Any) -> UUID:
    """Keep a new one in the state that is said; a shadow takes the place of the shadow before it."""
    c = calibration.c
    if facts["state"] == "shadow":
        await db.execute(delete(calibration).where(c.tenant_id == tenant, c.state == "shadow"))
    old = select(c.calibration_id).where(c.tenant_id == tenant, c.state == "retired")
    gone = old.order_by(c.calibration_id.desc()).offset(KEPT)
    await db.execute(delete(calibration).where(c.tenant_id == tenant, c.calibration_id.in_(gone)))
    row = {"tenant_id": tenant, "calibration_id": uuid7(), "curve": rules.curve, "least_odds": rules.least_odds}
    await db.execute(insert(calibration).values(row | facts))
    return UUID(str(row["calibration_id"]))


async def change(db: AsyncConnection, tenant: UUID, identity: UUID, **facts: Any) -> None:
    """Set its state, and who decided that."""
    c = calibration.c
    await db.execute(update(calibration).where(c.tenant_id == tenant, c.calibration_id == identity).values(**facts))
