"""What follows a failure: the same again while it may pass, halves in order down to the culprit, then set aside.

The rules it protects: a fault of the machinery never makes a dead letter; a record that cannot be handled never
stops the others; the order of every key is kept all the way down.
"""

from collections.abc import Awaitable, Callable, Sequence

from libs.common import breaker, dead_letters, logs
from libs.common.consumer.batch import Room
from libs.common.db import Database
from libs.common.errors import Impossible, RelanceError
from libs.common.events import Event
from libs.common.incoming import Incoming
from libs.common.metrics import BATCH_RETRIES, EVENTS_HANDLED
from libs.common.retry import is_transient

ALONE = 20
"""Tries alone, each followed by a write that succeeded, after which a transient fault is the record's own."""
TOGETHER = 5
"""The same for a list, after which it is halved to find the culprit."""
UNKNOWN = 5
"""Tries of a record whose error is not known to pass."""


class BreakerOpened(RelanceError):
    """The consumer was stopped by its breaker."""

    code = "breaker_opened"


Breathe = Callable[[int], Awaitable[None]]
"""Waits before try number n + 1, keeping the process alive and in its group; raises to give the batch up."""


class Trier:
    """Works a list until every record of it is handled, parked or set aside."""

    def __init__(self, database: Database, room: Room, breathe: Breathe) -> None:
        self.database = database
        self.room = room
        self.breathe = breathe

    async def work(self, incoming: Sequence[Incoming]) -> list[Event]:
        """Answers the events that were handled. Raises what `breathe` raises, or BreakerOpened."""
        handled: list[Event] = []
        waiting = [list(incoming)]
        while waiting:
            part = waiting.pop()
            if part:
                waiting.extend(reversed(await self._settle(part, handled)))
        return handled

    async def _settle(self, part: list[Incoming], handled: list[Event]) -> list[list[Incoming]]:
        """Try one list; answers the lists to work instead of it, in order: none when it is done."""
        broken = next((n for n, it in enumerate(part) if it.error is not None), None)
        if broken is not None:
            if len(part) > 1:
                return [part[:broken], [part[broken]], part[broken + 1 :]]
            await self._set_aside(part[0], part[0].error or Impossible(), 1)
            return []
        tries = proven = 0
        while True:
            try:
                async with self.database.transaction() as db:
                    events = await self.room.take(db, part)
                handled.extend(events)
                return []
            except Exception as error:
                tries += 1
                transient = is_transient(error)
                proven += transient and await self._writes()
                if _give_up(error, transient, len(part), tries, proven):
                    return await self._divide(part, error, tries)
                self._count(error, "transient" if transient else "unknown", part)
                await self.breathe(tries)

    async def _divide(self, part: list[Incoming], error: Exception, tries: int) -> list[list[Incoming]]:
        if len(part) > 1:
            self._count(error, "halved", part)
            middle = len(part) // 2
            return [part[:middle], part[middle:]]
        await self._set_aside(part[0], error, tries)
        return []

    def _count(self, error: Exception, reason: str, part: Sequence[Incoming]) -> None:
        BATCH_RETRIES.labels(self.room.consumer, reason).inc()
        what = {"consumer": self.room.consumer, "reason": reason, "records": len(part)}
        logs.logger().warning("batch.failed", **what, error=type(error).__name__, detail=str(error)[:500])

    async def _set_aside(self, it: Incoming, error: BaseException, tries: int) -> None:
        stopped, again = False, 0
        while True:
            try:
                async with self.database.transaction() as db:
                    if await dead_letters.set_aside(db, self.room.consumer, it, error, tries):
                        logs.logger().error("record.set_aside", consumer=self.room.consumer, event_id=str(it.event_id))
                        EVENTS_HANDLED.labels(it.record.type or "unreadable", "set_aside").inc()
                        stopped = await breaker.weigh(db, self.room.consumer)
                break
            except Exception as trouble:
                if not is_transient(trouble):
                    raise
                again += 1
                await self.breathe(again)
        if stopped:
            raise BreakerOpened()

    async def _writes(self) -> bool:
        """Whether the database takes a write now: then the fault is not the database's."""
        try:
            async with self.database.transaction() as db:
                await breaker.probe(db, self.room.consumer)
        except Exception as error:
            if not is_transient(error):
                raise
            return False
        return True


def _give_up(error: Exception, transient: bool, size: int, tries: int, proven: int) -> bool:
    if isinstance(error, Impossible):
        return True
    if transient:
        return proven >= (TOGETHER if size > 1 else ALONE)
    return size > 1 or tries >= UNKNOWN
