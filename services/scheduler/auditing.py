"""The auditor: counts, from what was told, the reminders that were said twice, and how yesterday ended.

It decides nothing and trusts no state that was derived: the sends of each release are counted again, and must be one.
Each minute it counts where something left since it counted last, once a day everything; one process at a time.
"""

import time
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from datetime import time as hour
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.metrics import DAY_STEPS, DOUBLE_REMINDERS
from libs.common.runtime import Pulse
from libs.common.turning import turning
from services.scheduler.balancing import STANDINGS, DayBalance, balance, said_twice
from services.scheduler.calendar import Calendar
from services.scheduler.evidence import facts_of
from services.scheduler.store import audit, facts, zones
from services.scheduler.store import balance as store
from services.scheduler.store.cases import Pair

REST = 60.0
DAYS_EVERY = 600.0
"""Seconds between two balances of yesterday: they read all that was due on it."""
LOOKS_BACK = timedelta(days=60)
DAY = timedelta(days=1)
OVERLAP = timedelta(minutes=15)
"""What left so long before the last count is counted again, for its word may have come later; after it, once a day."""

log = structlog.get_logger(__name__)


class Auditor:
    """The loop. Any number of processes may run it: one counts, all show what was found."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self.counted_at: float | None = None

    async def run(self, pulse: Pulse) -> None:
        """Audit until the process stops; troubles of the database are waited out."""

        async def turn() -> float:
            await self.once()
            return REST

        await turning(pulse, "audit", turn)

    async def once(self) -> None:
        """Count the doubles; every ten minutes how yesterday ended at each company."""
        now = self.clock.now()
        async with self.database.transaction() as db:
            DOUBLE_REMINDERS.set(await _counted(db, now) if await audit.alone(db) else await audit.kept(db))
        passed = time.monotonic() - self.counted_at if self.counted_at is not None else DAYS_EVERY
        if passed >= DAYS_EVERY:
            async with self.database.transaction() as db:
                if await audit.alone(db):
                    _shown(await yesterdays(db, now))
                    self.counted_at = time.monotonic()


async def doubles(db: AsyncConnection, now: datetime, tenant: UUID) -> int:
    """Steps of items that were effectively said twice, and reminders that left in two notices; must be 0."""
    return len(await _found(db, now, tenant))


async def _counted(db: AsyncConnection, now: datetime) -> int:
    """The same of all tenants: what was found before, and where something left since; all of it once a day."""
    mark = await audit.mark(db)
    whole = mark is None or not mark["all_counted_at"] <= now < mark["all_counted_at"] + DAY
    since = None if mark is None or whole else min(mark["counted_to"], now) - OVERLAP
    found = await _found(db, now, left_since=since)
    await audit.keep(db, found, now, now if mark is None or whole else mark["all_counted_at"])
    return len(found)


async def _found(
    db: AsyncConnection, now: datetime, tenant: UUID | None = None, left_since: datetime | None = None
) -> list[audit.Row]:
    """What was said twice, as rows of `said_twice`."""
    steps = [
        {"tenant_id": row.tenant_id, "subject_id": row.occurrence_id, "kind": "step", "place_id": row.case_id}
        for row in await audit.released_more_than_once(db, tenant, left_since)
        if said_twice(facts_of(row.ends))
    ]
    again = await audit.noticed_twice(db, now.date() - LOOKS_BACK, tenant, left_since)
    return steps + [
        {"tenant_id": row.tenant_id, "subject_id": row.reminder_id, "kind": "reminder", "place_id": row.party_id}
        for row in again
    ]


async def yesterdays(db: AsyncConnection, now: datetime) -> dict[Pair, DayBalance]:
    """(tenant, entity) → how its yesterday ended, for every company of every tenant."""
    found = {}
    for key, calendar in (await _calendars(db)).items():
        found[key] = await of_day(db, key, calendar, calendar.today(now) - DAY)
    return found


async def of_day(db: AsyncConnection, company: Pair, calendar: Calendar, on: date) -> DayBalance:
    """The balance of a day of a company."""
    return balance(on, await store.counted(db, *company, on, *bounds(calendar, on)))


def bounds(calendar: Calendar, on: date) -> tuple[datetime, datetime]:
    """The two midnights of a local day."""
    return calendar.instant(on, hour()), calendar.instant(on + DAY, hour())


async def _calendars(db: AsyncConnection) -> Mapping[Pair, Calendar]:
    tenants = await facts.tenants(db)
    return await zones.calendars(db, tenants) if tenants else {}


def _shown(found: Mapping[Pair, DayBalance]) -> None:
    counted: Counter[Any] = Counter()
    for day in found.values():
        for line in day.lines:
            counted[line.standing] += line.count
    for standing in sorted(set(STANDINGS.values())):
        DAY_STEPS.labels(standing).set(counted[standing])
