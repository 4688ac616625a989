"""The loop that works out what the pages keep, so that they find it done: after what was heard, and as days pass."""

import time
from datetime import date
from uuid import UUID

from libs.common.clock import Clock, today
from libs.common.db import Database
from libs.common.runtime import Pulse
from libs.common.turning import turning
from services.console.store import kept

REST = 1.0
LOOK = 30.0
"""Seconds between looks for accounts that a new day has made older."""


class Settling:
    """Settles every tenant of whom something was heard, and all of them on a new day."""

    def __init__(self, database: Database, clock: Clock, zone: str) -> None:
        self.database = database
        self.clock = clock
        self.zone = zone
        self.looked_at: tuple[date, float] | None = None

    async def run(self, pulse: Pulse) -> None:
        async def turn() -> float:
            return 0 if await self.once(pulse) else REST

        await turning(pulse, "settling", turn)

    async def once(self, pulse: Pulse) -> bool:
        """One go at every tenant; whether there is more."""
        day = today(self.clock, self.zone)
        more = False
        for tenant in await self._tenants(day):
            if pulse.stopping.is_set():
                return False
            pulse.turn()
            async with self.database.transaction(tenant) as db:
                more |= await kept.settle(db, tenant, day)
        return more

    async def _tenants(self, day: date) -> list[UUID]:
        async with self.database.transaction() as db:
            found = set(await kept.marked(db))
            if self._is_time(day):
                found |= set(await kept.outlived(db, day))
                self.looked_at = (day, time.monotonic())
        return sorted(found)

    def _is_time(self, day: date) -> bool:
        if self.looked_at is None or self.looked_at[0] != day:
            return True
        return time.monotonic() - self.looked_at[1] > LOOK
