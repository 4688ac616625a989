"""One list of records in one transaction: what is parked goes behind its letter, the new is locked and handled.

The inbox row and the effect commit together, or neither.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import dead_letters, inbox
from libs.common.consumer.rounds import Handler, Lock, runs
from libs.common.events import Event
from libs.common.events.envelope import Body
from libs.common.incoming import Incoming, Record, read


class Room:
    """What one consumer hears and does about it."""

    def __init__(self, consumer: str, handlers: Mapping[type[Body], Handler], lock: Lock | None) -> None:
        self.consumer = consumer
        self.heard = {body.__name__: body for body in handlers}
        self.topics = sorted({body.topic for body in handlers})
        self._handlers = {body.__name__: handler for body, handler in handlers.items()}
        self._lock = lock

    def read(self, record: Record, now: datetime) -> Incoming | None:
        """See `incoming.read`."""
        return read(record, self.heard, now)

    async def take(self, db: AsyncConnection, incoming: Sequence[Incoming]) -> list[Event]:
        """Handle what is new of these readable records; answers the events that were."""
        shut = await dead_letters.shut_lanes(db, self.consumer, {it.lane for it in incoming if it.lane is not None})
        behind = [it for it in incoming if it.lane in shut]
        if behind:
            await dead_letters.park(db, self.consumer, behind)
        return await self.handle(db, [it for it in incoming if it.lane not in shut] if shut else incoming)

    async def handle(self, db: AsyncConnection, incoming: Sequence[Incoming]) -> list[Event]:
        """The same without a look at parked keys; for whoever holds their lock."""
        new = await inbox.claim(db, self.consumer, incoming)
        events = []
        for it in incoming:
            if it.event is not None and it.event_id in new:
                new.remove(it.event_id)
                events.append(it.event)
        if events and self._lock is not None:
            await self._lock(db, events)
        for some in runs(events):
            await self._handlers[some[0].type](db, some)
        return events
