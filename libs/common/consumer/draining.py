"""Letters that a person let go, and the events parked behind them: replayed or dropped, then the lane in its order.

Every step is one transaction that holds the lane's `parked_key` row, the lock that parking takes too; the row goes
with the last parked event, and only then does the lane's next event pass by.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import dead_letters, inbox, logs
from libs.common.clock import SystemClock
from libs.common.consumer.batch import Room
from libs.common.consumer.trying import UNKNOWN
from libs.common.db import Database
from libs.common.errors import Impossible
from libs.common.incoming import Incoming, Unreadable, from_row, recorded_at
from libs.common.metrics import EVENTS_HANDLED
from libs.common.retry import is_transient
from libs.common.tables import dead_letter, parked, parked_key

CHUNK = 100


class Drainer:
    """Looks for decided letters and freed lanes of one consumer; any member of the group may."""

    def __init__(self, database: Database, room: Room) -> None:
        self.database = database
        self.room = room
        self._tries: dict[str, int] = {}

    async def turn(self) -> int:
        """One look; answers how many steps were taken. Transient troubles are left to the next look."""
        steps = 0
        try:
            async with self.database.transaction() as db:
                decided = await self._decided(db)
                lanes = await self._freed(db)
            for letter in decided:
                steps += await self._end(letter)
            for lane in lanes:
                steps += await self._forward(lane)
        except Exception as error:
            if not is_transient(error):
                raise
            logs.logger().warning("drain.failed", consumer=self.room.consumer, error=type(error).__name__)
        return steps

    async def _decided(self, db: AsyncConnection) -> Sequence[Any]:
        which = (dead_letter.c.consumer == self.room.consumer, dead_letter.c.state.in_(("replay", "drop")))
        return (await db.execute(select(dead_letter).where(*which).order_by(dead_letter.c.set_aside_at))).all()

    async def _freed(self, db: AsyncConnection) -> list[tuple[str, bytes]]:
        """Shut lanes whose letter is dealt with."""
        waits = exists().where(
            dead_letter.c.consumer == parked_key.c.consumer,
            dead_letter.c.topic == parked_key.c.topic,
            dead_letter.c.key == parked_key.c.key,
            dead_letter.c.state.in_(("open", "replay", "drop")),
        )
        asked = select(parked_key.c.topic, parked_key.c.key).where(parked_key.c.consumer == self.room.consumer, ~waits)
        return [(topic, key) for topic, key in await db.execute(asked)]

    async def _end(self, row: Any) -> int:
        """Carry out what a person decided about one letter. A replay that fails opens it again."""
        try:
            async with self.database.transaction() as db:
                if not await self._still(db, row):
                    return 0
                it = self._read(row)
                if row.state == "replay":
                    await self._handle(db, [it])
                else:
                    await inbox.claim(db, self.room.consumer, [it])
                done = {"state": "replayed" if row.state == "replay" else "dropped"}
                await self._update(db, row, **done, ended_at=func.clock_timestamp())
            logs.logger().info("letter." + done["state"], letter_id=str(row.letter_id))
        except Exception as error:
            if is_transient(error):
                raise
            await self._reopen(row, error)
        await self._forward((row.topic, row.key))
        return 1

    async def _still(self, db: AsyncConnection, row: Any) -> bool:
        if row.key is not None:
            await dead_letters.shut_lanes(db, self.room.consumer, [(row.topic, row.key)])
        asked = select(dead_letter.c.state).where(dead_letter.c.letter_id == row.letter_id).with_for_update()
        return bool(await db.scalar(asked) == row.state)

    async def _reopen(self, row: Any, error: Exception) -> None:
        logs.logger().error("letter.failed_again", letter_id=str(row.letter_id), error=type(error).__name__)
        facts = {"state": "open", "error": dead_letters.told(error), "attempts": row.attempts + 1}
        async with self.database.transaction() as db:
            await self._update(db, row, **facts)

    async def _update(self, db: AsyncConnection, row: Any, **facts: Any) -> None:
        await db.execute(update(dead_letter).where(dead_letter.c.letter_id == row.letter_id).values(**facts))

    async def _forward(self, lane: tuple[str, bytes | None]) -> int:
        """Handle what is parked on a freed lane; an event that fails becomes the lane's next letter."""
        steps, size = 0, CHUNK
        while lane[1] is not None:
            rows: Sequence[Any] = []
            try:
                async with self.database.transaction() as db:
                    rows = await self._next(db, (lane[0], lane[1]), size)
                    if rows:
                        await self._handle(db, [self._read(row) for row in rows])
                        await db.execute(delete(parked).where(parked.c.seq == func.any([row.seq for row in rows])))
            except Exception as error:
                if is_transient(error):
                    raise
                size, stop = await self._after(rows, error)
                if stop:
                    return steps
                continue
            if not rows:
                return steps
            steps += len(rows)
        return steps

    async def _after(self, rows: Sequence[Any], error: Exception) -> tuple[int, bool]:
        """The next chunk's size, and whether the lane has a new letter."""
        if len(rows) > 1:
            return 1, False
        row = rows[0]
        tries = self._tries[str(row.event_id)] = self._tries.get(str(row.event_id), 0) + 1
        if tries < UNKNOWN and not isinstance(error, Impossible | Unreadable):
            return 1, False
        del self._tries[str(row.event_id)]
        async with self.database.transaction() as db:
            await db.execute(delete(parked).where(parked.c.seq == row.seq))
            await dead_letters.set_aside(db, self.room.consumer, self._read(row), error, tries, first=True)
        return 1, True

    async def _next(self, db: AsyncConnection, lane: tuple[str, bytes], size: int) -> Sequence[Any]:
        """The lane's next parked events, its lock held; opens the lane when there are none."""
        if not await dead_letters.shut_lanes(db, self.room.consumer, [lane]) or await self._waits(db, lane):
            return []
        of_lane = (parked.c.consumer == self.room.consumer, parked.c.topic == lane[0], parked.c.key == lane[1])
        rows = (await db.execute(select(parked).where(*of_lane).order_by(parked.c.seq).limit(size))).all()
        if not rows:
            shut = (parked_key.c.consumer == self.room.consumer, parked_key.c.topic == lane[0])
            await db.execute(delete(parked_key).where(*shut, parked_key.c.key == lane[1]))
        return rows

    async def _waits(self, db: AsyncConnection, lane: tuple[str, bytes]) -> bool:
        of_lane = (dead_letter.c.consumer == self.room.consumer, dead_letter.c.topic == lane[0])
        still = dead_letter.c.state.in_(("open", "replay", "drop"))
        return bool(await db.scalar(select(exists().where(*of_lane, dead_letter.c.key == lane[1], still))))

    def _read(self, row: Any) -> Incoming:
        record, now = from_row(row), SystemClock().now()
        return self.room.read(record, now) or _unheard(row, now)

    async def _handle(self, db: AsyncConnection, incoming: Sequence[Incoming]) -> None:
        broken = next((it.error for it in incoming if it.error is not None), None)
        if broken is not None:
            raise broken
        for event in await self.room.handle(db, incoming):
            EVENTS_HANDLED.labels(event.type, "handled").inc()


def _unheard(row: Any, now: datetime) -> Incoming:
    """A record that this release does not hear any more: remembered as done, with no effect."""
    record = from_row(row)
    return Incoming(record, row.event_id, row.tenant_id, inbox.month_of(recorded_at(record, now), now))
