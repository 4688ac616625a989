"""A small service for the tests of the bus: it hears two types on a topic of its own and writes one row an effect."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from aiokafka import TopicPartition
from sqlalchemy import BigInteger, Column, Identity, MetaData, Table, Text, Uuid, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import kafka, outbox
from libs.common.consumer import Consumer
from libs.common.db import Database
from libs.common.errors import Impossible
from libs.common.events import OWNERS, PARTITIONS, Event, event
from libs.common.events.envelope import Body
from libs.common.ids import uuid7
from libs.common.runtime import Pulse
from libs.common.settings import Settings
from libs.common.tables import dead_letter, parked

SERVICE = "scheduler"
metadata = MetaData()
effect = Table(
    "effect",
    metadata,
    Column("nth", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("key", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
)

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)


class Deadlock(Exception):
    """What a driver raises for a deadlock."""

    sqlstate = "40P01"


@dataclass
class World:
    """One topic, two types, one consumer group; what its handlers should fail at."""

    settings: Settings
    database: Database
    issued: type[Body]
    amended: type[Body]
    group: str
    impossible: set[UUID] = field(default_factory=set)
    broken: set[UUID] = field(default_factory=set)
    transient: dict[UUID, int] = field(default_factory=dict)
    """Event → how many times it still meets a transient fault."""
    lists: list[list[Event]] = field(default_factory=list)
    hold: asyncio.Event | None = None
    """While it is set and not fired, handlers wait."""

    @property
    def topic(self) -> str:
        return self.issued.topic

    def told(self, tenant: UUID, subject: UUID, key: str, version: int = 1, kind: type[Body] | None = None) -> Event:
        body = (kind or self.issued)(tenant_id=tenant, version=version, about=subject, lane=key)  # type: ignore[call-arg]
        return event(body, AT)

    async def record(self, *events: Event) -> None:
        async with self.database.transaction() as db:
            await outbox.record(db, *events)

    async def heard(self, db: AsyncConnection, events: list[Event]) -> None:
        """The handler: one row an event, one follow-up event for each."""
        self.lists.append(events)
        for one in events:
            if one.id in self.impossible:
                raise Impossible()
            if one.id in self.broken:
                raise ZeroDivisionError("a bug")
            if self.transient.get(one.id, 0) > 0:
                self.transient[one.id] -= 1
                raise ConnectionResetError("a fault that passes")
        if self.hold is not None:
            await self.hold.wait()
        rows = [
            {"tenant_id": e.tenant, "event_id": e.id, "key": f"{self.group} {e.key}", "version": e.body.version}
            for e in events
        ]
        await db.execute(insert(effect), rows)

    def consumer(self, database: Database | None = None, **options: Any) -> Consumer:
        handlers = {self.issued: self.heard, self.amended: self.heard}
        return Consumer(self.settings, SERVICE, database or self.database, handlers, group=self.group, **options)

    async def effects(self) -> list[Any]:
        """Rows (event_id, key, version) in the order in which they were written."""
        asked = select(effect.c.event_id, effect.c.key, effect.c.version).where(effect.c.key.like(f"{self.group} %"))
        async with self.database.transaction() as db:
            return list((await db.execute(asked.order_by(effect.c.nth))).all())

    async def letters(self) -> list[Any]:
        """The dead letters of this consumer, oldest first."""
        async with self.database.transaction() as db:
            asked = select(dead_letter).where(dead_letter.c.consumer == self.group)
            return list((await db.execute(asked.order_by(dead_letter.c.letter_id))).all())

    async def parked(self) -> list[UUID]:
        """The events that wait behind letters, in order."""
        async with self.database.transaction() as db:
            asked = select(parked.c.event_id).where(parked.c.consumer == self.group).order_by(parked.c.seq)
            return list(await db.scalars(asked))

    def one_a_partition(self, tenant: UUID) -> list[Event]:
        """An event on every partition of the topic."""
        found: dict[int, Event] = {}
        for n in count():
            told = self.told(tenant, uuid7(), f"marker {n}")
            found.setdefault(kafka.partition_of(told.key), told)
            if len(found) == PARTITIONS:
                return list(found.values())
        raise AssertionError

    async def put(self, **record: Any) -> None:
        """Put a raw record on the topic, past the outbox."""
        producer = kafka.producer(self.settings)
        await producer.start()
        await producer.send_and_wait(self.topic, **record)
        await producer.stop()

    async def on_topic(self) -> list[Any]:
        """Every record of the topic, partition by partition."""
        client = kafka.consumer(self.settings, f"look-{uuid4().hex}")
        await client.start()
        places = [TopicPartition(self.topic, partition) for partition in range(12)]
        client.assign(places)
        ends = await client.end_offsets(places)
        await client.seek_to_beginning()
        found: list[Any] = []
        while sum(ends.values()) > len(found):
            for records in (await client.getmany(timeout_ms=500)).values():
                found += records
        await client.stop()
        return found


def kinds(topic: str) -> tuple[type[Body], type[Body]]:
    """Two event types of a test's own topic."""

    class Issued(Body):
        topic: ClassVar[str]
        about: UUID
        lane: str

        @property
        def subject(self) -> UUID:
            return self.about

        @property
        def key(self) -> str:
            return f"{self.tenant_id}:{self.lane}"

    class Amended(Issued):
        pass

    Issued.topic = topic
    return Issued, Amended


@asynccontextmanager
async def running(*loops: Callable[[Pulse], Awaitable[None]]) -> AsyncIterator[list[Pulse]]:
    """Run these loops until the block ends, then let them stop in good order; their errors surface."""
    pulses = [Pulse() for _ in loops]
    tasks = [asyncio.create_task(loop(pulse)) for loop, pulse in zip(loops, pulses, strict=True)]
    try:
        yield pulses
    finally:
        for pulse in pulses:
            pulse.stopping.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if outcome is not None:
            raise outcome


@asynccontextmanager
async def killed(loop: Callable[[Pulse], Awaitable[None]]) -> AsyncIterator[Pulse]:
    """Run a loop and cut it off in the middle of whatever it does."""
    pulse = Pulse()
    task = asyncio.create_task(loop(pulse))
    try:
        yield pulse
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def make_world(settings: Settings, database: Database, patch: pytest.MonkeyPatch) -> World:
    topic = f"test.{uuid4().hex}"
    patch.setitem(OWNERS, topic, SERVICE)
    await kafka.ensure_topics(settings)
    return World(settings, database, *kinds(topic), group=f"group.{uuid4().hex}")


def in_order(effects: Sequence[Any]) -> bool:
    """Whether the versions of every key rise."""
    last: dict[str, int] = {}
    for _, key, version in effects:
        if version <= last.get(key, 0):
            return False
        last[key] = version
    return True
