"""The matching loop: opened items meet waiting money, then what waits is tried, batch after batch.

Protects: trouble of the database is waited out, and one payment that cannot be tried stops no other: batches are
halved down to it, and it is left to a person.
"""

import time

import structlog

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.metrics import FEED_AGE_SECONDS, PAYMENTS_UNMATCHED_OPEN
from libs.common.retry import backoff, is_transient
from libs.common.runtime import Pulse
from services.payment_matching import matching
from services.payment_matching.store import lists

REST = 0.2
GAUGES = 20.0

log = structlog.get_logger(__name__)


class Matching:
    """One of any number of loops that may run at once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self._pulse: Pulse | None = None
        self._failed = 0
        self._most = matching.BATCH
        self._tell_at = 0.0

    def hurry(self) -> None:
        """There is money or an item to try."""
        if self._pulse is not None:
            self._pulse.nudge()

    async def run(self, pulse: Pulse) -> None:
        """Try what waits until the process stops; troubles of the database are waited out."""
        self._pulse = pulse
        while not pulse.stopping.is_set():
            pulse.turn()
            found = await self._turn()
            if not found:
                await self._tell()
                await pulse.rest(backoff(self._failed) if self._failed else REST)
        self._pulse = None

    async def _tell(self) -> None:
        """The gauges, a few times a minute; they may fail with the database and nothing else."""
        if time.monotonic() < self._tell_at:
            return
        self._tell_at = time.monotonic() + GAUGES
        try:
            async with self.database.transaction() as db:
                left, oldest = await lists.figures(db)
        except Exception as error:
            if not is_transient(error):
                raise
            return
        PAYMENTS_UNMATCHED_OPEN.set(left)
        FEED_AGE_SECONDS.set(oldest)

    async def _turn(self) -> int:
        try:
            found = await self.turn(self._most)
        except Exception as error:
            if is_transient(error):
                self._failed += 1
                return 0
            return await self._narrow(error)
        self._failed, self._most = 0, min(matching.BATCH, self._most * 2)
        return found

    async def turn(self, most: int = matching.BATCH) -> int:
        """One pass over what opened and what waits; answers how much there was."""
        async with self.database.transaction() as db:
            opened = await matching.try_opened(db)
        async with self.database.transaction() as db:
            tried = await matching.try_payments(db, self.clock.now(), most)
        return opened + tried

    async def _narrow(self, error: Exception) -> int:
        """Half as many next time; the one that fails alone is taken off the list of what waits."""
        log.error("matching.failed", batch=self._most, exc_info=error)
        if self._most > 1:
            self._most //= 2
            return 1
        async with self.database.transaction() as db:
            return await matching.leave_to_a_person(db)
