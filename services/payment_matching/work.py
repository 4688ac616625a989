"""The matching loop: opened items meet waiting money, then what waits is tried, batch after batch.

Protects: trouble of the database is waited out, and one payment that cannot be tried stops no other: batches are
halved down to it, and it is left to a person. So many are no bad payments but a bad release, which ends the process.
"""

import time

import structlog

from libs.common.aside import Aside, Narrowing
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.metrics import FEED_AGE_SECONDS, PAYMENTS_SET_ASIDE, PAYMENTS_UNMATCHED_OPEN
from libs.common.retry import dozing
from libs.common.runtime import Pulse
from libs.common.turning import turning
from services.payment_matching import matching
from services.payment_matching.store import lists

GAUGES = 20.0

log = structlog.get_logger(__name__)


class Matching:
    """One of any number of loops that may run at once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self._pulse: Pulse | None = None
        self._size = Narrowing(matching.BATCH, Aside(PAYMENTS_SET_ASIDE))
        self._tell_at = 0.0
        self._empty = 0

    def hurry(self) -> None:
        """There is money or an item to try."""
        if self._pulse is not None:
            self._pulse.nudge()

    async def run(self, pulse: Pulse) -> None:
        """Try what waits until the process stops; troubles of the database are waited out."""
        self._pulse = pulse
        await turning(pulse, "matching", self._turn)
        self._pulse = None

    async def _tell(self) -> None:
        """The gauges, a few times a minute."""
        if time.monotonic() < self._tell_at:
            return
        self._tell_at = time.monotonic() + GAUGES
        async with self.database.transaction() as db:
            left, oldest = await lists.figures(db)
        PAYMENTS_UNMATCHED_OPEN.set(left)
        FEED_AGE_SECONDS.set(oldest)

    async def _turn(self) -> float:
        if await self._met() + await self._tried_or_left():
            self._empty = 0
            return 0.0
        await self._tell()
        self._empty += 1
        return dozing(self._empty)

    async def turn(self, most: int = matching.BATCH) -> int:
        """One pass over what opened and what waits; answers how much there was."""
        return await self._met() + await self._tried(most)

    async def _met(self) -> int:
        async with self.database.transaction() as db:
            return await matching.try_opened(db)

    async def _tried(self, most: int) -> int:
        async with self.database.transaction() as db:
            return await matching.try_payments(db, self.clock.now(), most)

    async def _tried_or_left(self) -> int:
        """Half as many next time after a failure; the one that fails alone is taken off the list of what waits."""
        try:
            found = await self._tried(self._size.most)
        except Exception as error:
            return await self._leave() if self._size.alone(error, self._size.most) else 1
        self._size.widen()
        return found

    async def _leave(self) -> int:
        async with self.database.transaction() as db:
            left = await matching.leave_to_a_person(db)
        self._size.set_aside(len(left))
        log.critical("matching.set_aside", payments=[str(each) for each in left])
        return len(left)
