"""The auditor: counts, from what was told, the reminders that were said twice, and how yesterday ended.

It decides nothing and trusts no state that was derived: the sends of each release are counted again, and must be one.
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
from services.scheduler.store import balance as store
from services.scheduler.store import facts, zones
from services.scheduler.store.cases import Pair

REST = 60.0
DAYS_EVERY = 600.0
"""Seconds between two balances of yesterday: they read all that was due on it."""
LOOKS_BACK = timedelta(days=60)
DAY = timedelta(days=1)

log = structlog.get_logger(__name__)


class Auditor:
    """The loop. Any number of processes may run it: it only reads."""

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
            DOUBLE_REMINDERS.set(await doubles(db, now))
        passed = time.monotonic() - self.counted_at if self.counted_at is not None else DAYS_EVERY
        if passed >= DAYS_EVERY:
            async with self.database.transaction() as db:
                _shown(await yesterdays(db, now))
            self.counted_at = time.monotonic()


async def doubles(db: AsyncConnection, now: datetime, tenant: UUID | None = None) -> int:
    """Steps of items that were effectively said twice, and reminders that left in two notices; must be 0."""
    again = await store.released_more_than_once(db, tenant)
    steps = sum(said_twice(facts_of(row.ends)) for row in again)
    return steps + await store.noticed_twice(db, now.date() - LOOKS_BACK, tenant)


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
