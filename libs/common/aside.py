"""What fails by itself is set aside: it waits an hour, is told about, and stops no other.

Protects: work on many narrows down to the one that fails; so many that do are no bad rows but a bad release, which
ends the process. What passes by itself, such as a database that is away, sets nothing aside.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import structlog
from prometheus_client import Counter

from libs.common.retry import is_transient

ASIDE_FOR = timedelta(hours=1)
"""How long something waits that failed alone; then it is tried again."""
ASIDE_MOST = 20
"""Times that a process sets something aside before it ends instead."""

Item = TypeVar("Item")

log = structlog.get_logger(__name__)


class Aside:
    """Counts what one process sets aside, for its end and on the metric."""

    def __init__(self, counted: Counter) -> None:
        self._counted = counted
        self._times = 0

    def judge(self, error: Exception) -> None:
        """Raises what passes by itself, and everything once so much was set aside that the release is to blame."""
        if is_transient(error) or self._times >= ASIDE_MOST:
            raise error

    def count(self, rows: int = 1) -> None:
        """Something was set aside: `rows` of it, in one go."""
        self._times += 1
        self._counted.inc(rows)

    async def halving(
        self,
        items: Sequence[Item],
        work: Callable[[Sequence[Item]], Awaitable[None]],
        put_off: Callable[[Item], Awaitable[None]],
    ) -> None:
        """Work on these together and, where that fails, on halves; what fails alone is put off.

        `work` leaves nothing behind when it fails. Raises what `judge` raises.
        """
        try:
            await work(items)
        except Exception as error:
            self.judge(error)
            log.error("work.failed", items=len(items), exc_info=error)
            if len(items) > 1:
                half = len(items) // 2
                for some in (items[:half], items[half:]):
                    await self.halving(some, work, put_off)
                return
            await put_off(items[0])
            self.count()


class Narrowing:
    """How many a loop takes in one transaction: half as many after a failure, twice as many after a success."""

    def __init__(self, full: int, aside: Aside) -> None:
        self.full = self.most = full
        self._aside = aside

    def widen(self) -> None:
        """A batch went well."""
        self.most = min(self.full, self.most * 2)

    def alone(self, error: Exception, in_hand: int) -> bool:
        """A batch of `in_hand` failed: whether that was one alone, to be set aside; else the next is half as large.

        Raises what `Aside.judge` raises, and what failed with nothing in hand.
        """
        self._aside.judge(error)
        if not in_hand:
            raise error
        size = min(self.most, in_hand)
        log.error("batch.failed", items=in_hand, exc_info=error)
        self.most = max(1, size // 2)
        return size == 1

    def set_aside(self, rows: int) -> None:
        """What failed alone was put off: `rows` of it."""
        self._aside.count(rows)
