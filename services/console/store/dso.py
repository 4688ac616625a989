"""What stood at the end of days: outstanding, the part not due, and sales by month, one line an entity and currency.

A day that is over is worked out once and kept; what is told of it later throws the kept figures away. A page that
asks for many days works out what it can within its time and shows the rest when it is asked again.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.console.figures import MONTHS, PERIOD, Standing, month_starts
from services.console.projections.kept import NOTHING
from services.console.store.past import Day
from services.console.tables import read_model as model

NOBODY = UUID(int=0)

ByEntity = Sequence[tuple[UUID, Standing]]


async def standing(db: AsyncConnection, tenant_id: UUID, day: Day) -> ByEntity:
    """What stood at the end of a day, worked out now. Settle the accounts and the sales before."""
    owed = {(row.entity_id, row.currency): row for row in await db.execute(_owed(tenant_id, day))}
    sold = await _sold(db, tenant_id, day)
    found = []
    for entity, currency in sorted(owed.keys() | sold.keys(), key=str):
        row, (recent, months) = owed.get((entity, currency)), sold.get((entity, currency), (0, [0] * MONTHS))
        outstanding, not_due = (int(row.outstanding), int(row.not_due)) if row else (0, 0)
        told = Standing(day.day, currency, outstanding, not_due, recent, tuple(months), day.how == "books")
        found.append((entity, told))
    return found


def _owed(tenant_id: UUID, day: Day) -> Any:
    if day.how == "now":
        account = model.account
        sums = (func.sum(account.c.total).label("outstanding"), func.sum(account.c.b0).label("not_due"))
        now = select(account.c.entity_id, account.c.currency, *sums).where(account.c.tenant_id == tenant_id)
        return now.group_by(account.c.entity_id, account.c.currency)
    items = day.items(tenant_id).subquery("owing")
    not_due = func.coalesce(func.sum(items.c.owed).filter(items.c.due_date >= day.day), 0).label("not_due")
    summed = select(items.c.entity_id, items.c.currency, func.sum(items.c.owed).label("outstanding"), not_due)
    return summed.group_by(items.c.entity_id, items.c.currency)


async def _sold(db: AsyncConnection, tenant_id: UUID, day: Day) -> Mapping[tuple[UUID, str], tuple[int, list[int]]]:
    """Sales of the last 90 days, and by month, the newest first."""
    starts = month_starts(day.day)
    sold = day.sold(tenant_id, starts[-1])
    month = func.date_trunc("month", sold.c.issue_date).label("month")
    recent = func.sum(sold.c.payable).filter(sold.c.issue_date > day.day - timedelta(days=PERIOD))
    asked = select(sold.c.entity_id, sold.c.currency, month, func.sum(sold.c.payable), func.coalesce(recent, 0))
    found: dict[tuple[UUID, str], tuple[int, list[int]]] = {}
    for entity, currency, first, whole, last in await db.execute(
        asked.where(sold.c.currency.is_not(None)).group_by(sold.c.entity_id, sold.c.currency, month)
    ):
        known, months = found.get((entity, currency), (0, [0] * MONTHS))
        months[starts.index(first.date())] = int(whole)
        found[entity, currency] = (known + int(last), months)
    return found


async def closings(
    db: AsyncConnection, tenant_id: UUID, days: Sequence[Day], *, seconds: float
) -> tuple[list[tuple[UUID, Standing]], list[date]]:
    """What stood on days that are over, and the days that there was no time for; the newest are worked out first."""
    kept = await _kept(db, tenant_id, [each.day for each in days])
    until = time.monotonic() + seconds
    found: list[tuple[UUID, Standing]] = []
    missing: list[date] = []
    for day in reversed(days):
        if day.day not in kept:
            if time.monotonic() > until:
                missing.append(day.day)
                continue
            kept[day.day] = await standing(db, tenant_id, day)
            await _keep(db, tenant_id, day, kept[day.day])
        found += kept[day.day]
    return found, missing


async def _kept(db: AsyncConnection, tenant_id: UUID, days: Sequence[date]) -> dict[date, ByEntity]:
    closing = model.closing
    asked = select(closing).where(closing.c.tenant_id == tenant_id, closing.c.day.in_(days))
    found: dict[date, list[tuple[UUID, Standing]]] = {}
    for row in await db.execute(asked):
        lines = found.setdefault(row.day, [])
        if row.currency != NOTHING:
            sold = (row.sold["recent"], tuple(row.sold["months"]))
            lines.append(
                (row.entity_id, Standing(row.day, row.currency, row.outstanding, row.not_due, *sold, row.books))
            )
    return dict(found)


async def _keep(db: AsyncConnection, tenant_id: UUID, day: Day, lines: ByEntity) -> None:
    """Keep a day's figures, in the place of any that somebody else has worked out meanwhile."""
    nothing = Standing(day.day, NOTHING, 0, 0, 0, (0,) * MONTHS, day.how == "books")
    rows = [
        {
            "tenant_id": tenant_id,
            "day": told.day,
            "entity_id": entity,
            "currency": told.currency,
            "outstanding": told.outstanding,
            "not_due": told.not_due,
            "sold": {"recent": told.sold_90, "months": list(told.sold)},
            "books": told.books,
        }
        for entity, told in [*lines, (NOBODY, nothing)]
    ]
    closing = model.closing
    mine = (closing.c.tenant_id == tenant_id, closing.c.day == day.day)
    lock = func.pg_advisory_xact_lock(func.hashtextextended(f"closing:{tenant_id}:{day.day}", 0))
    await db.execute(select(lock))
    await db.execute(delete(closing).where(*mine))
    await db.execute(insert(closing), rows)
