"""How much left on a day without a person's approval, and the bound at which a tenant stops.

The bound is max(floor, 3 × the busiest of the seven days before): a scheduler that runs away is stopped by what the
tenant has been used to. What a person approved by count and sum does not count.
"""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, bindparam, case, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.tables import day_volume

TIMES = 3
DAYS = 7
ZONE = ZoneInfo("Europe/Paris")
"""Where the day of a volume begins, whatever the entities' zones."""


def day_of(instant: datetime) -> date:
    return instant.astimezone(ZONE).date()


_MINE = and_(day_volume.c.tenant_id == bindparam("tenant"), day_volume.c.day == bindparam("on"))
_DAY = select(day_volume).where(_MINE)
_SUM = day_volume.c.sent + bindparam("more", type_=day_volume.c.sent.type)
_OVER = and_(day_volume.c.stopped_at.is_(None), day_volume.c.most <= _SUM)
_NOW = bindparam("at", type_=day_volume.c.stopped_at.type)
_COUNT = (
    update(day_volume)
    .where(_MINE)
    .values(sent=_SUM, stopped_at=case((_OVER, _NOW), else_=day_volume.c.stopped_at))
    .returning(day_volume.c.stopped_at)
)


async def today(db: AsyncConnection, tenant: UUID, day: date, floor: int) -> Any:
    """The tenant's row of that day, made if it is the first look."""
    asked = {"tenant": tenant, "on": day}
    found = (await db.execute(_DAY, asked)).one_or_none()
    if found is not None:
        return found
    before = (day_volume.c.day < day, day_volume.c.day >= day - timedelta(days=DAYS))
    busiest = await db.scalar(select(func.max(day_volume.c.sent)).where(day_volume.c.tenant_id == tenant, *before))
    most = max(floor, TIMES * (busiest or 0))
    await db.execute(insert(day_volume).values(tenant_id=tenant, day=day, most=most).on_conflict_do_nothing())
    return (await db.execute(_DAY, asked)).one()


async def count(db: AsyncConnection, tenant: UUID, day: date, mails: int, at: datetime) -> bool:
    """Add what leaves now to a day that was looked at; True when this passed the bound and stopped the tenant."""
    stopped = await db.scalar(_COUNT, {"tenant": tenant, "on": day, "more": mails, "at": at})
    return bool(stopped == at)


async def resume(db: AsyncConnection, tenant: UUID, day: date, *, floor: int, more: int, author: str) -> Any:
    """A person looked: `more` mails may leave today besides those that have."""
    row = await today(db, tenant, day, floor)
    change = update(day_volume).where(day_volume.c.tenant_id == tenant, day_volume.c.day == day)
    told = {"most": row.sent + more, "stopped_at": None, "resumed_by": author}
    return (await db.execute(change.values(**told).returning(day_volume))).one()
