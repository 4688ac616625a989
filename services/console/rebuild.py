"""Making the read model anew from the topics: a second set of tables is filled, then takes the place of the first.

The rules it protects: the pages answer all the while from the first set; nothing that the running consumer wrote is
lost at the exchange, because both sets have heard the same when it happens; directory, people and audit are not
touched. A rebuild that fails leaves everything as it was.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import MetaData, select, text, union
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import kafka
from libs.common.clock import SystemClock, today
from libs.common.consumer.batch import Room
from libs.common.consumer.rounds import Handler, runs
from libs.common.db import Database
from libs.common.errors import Conflict, RelanceError, Unavailable
from libs.common.events import OWNERS, PARTITIONS, Event
from libs.common.events.envelope import Body
from libs.common.incoming import Incoming, from_kafka
from libs.common.migrate import protection
from libs.common.retry import sqlstate
from libs.common.settings import SCHEMAS, Settings
from libs.common.tables import dead_letter, parked
from services.console import projections
from services.console.projections.checksum import Checksum, checksum
from services.console.projections.tables import ReadModel
from services.console.store import kept
from services.console.tables import read_model

SERVICE = "console"
ZONE = "Europe/Paris"
PREFIX = "rebuilt_"
SILENCE = 30.0
"""Seconds without a record after which the broker is taken to be away."""
TAKEN = 5_000
"""Records handled in one transaction: the more, the fewer statements."""
TRIES = 100
"""How often the exchange waits for the pages under way, 0.4 s each time."""

Tell = Callable[[str], None]


class UnderWay(Conflict):
    """Another rebuild is under way."""

    code = "rebuild_under_way"
    remedy = "Wait for its end."


class CannotRead(RelanceError):
    """The rebuild met a record that it cannot take; the pages show what they showed before."""

    code = "rebuild_stopped"
    remedy = "See `relance dead-letters list --service console`; what the console set aside is left out."


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did, and both checksums at the exchange."""

    events: int
    seconds: float
    before: Checksum
    after: Checksum


async def rebuild(settings: Settings, tell: Tell, every: float = 2.0) -> Rebuilt:
    """Make the read model anew; `tell` hears the progress about every `every` seconds.

    Needs the owner's password, like `relance migrate`. Raises UnderWay, CannotRead or Unavailable.
    """
    began = time.monotonic()
    database = Database(settings, SERVICE, "owner", pool=4)
    try:
        async with _alone(database):
            fresh = ReadModel(MetaData(), PREFIX)
            await _second_set(database, fresh)
            async with _reading(settings) as client:
                reader = Reader(database, fresh, client, tell, every)
                await reader.read_on()
                before, after = await _exchange(database, fresh, reader)
            return Rebuilt(reader.events, time.monotonic() - began, before, after)
    finally:
        await database.close()


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[None]:
    async with database.engine.connect() as session:
        db = await session.execution_options(isolation_level="AUTOCOMMIT")
        if not await db.scalar(text("select pg_try_advisory_lock(hashtext('relance.console.rebuild'))")):
            raise UnderWay
        try:
            yield
        finally:
            await db.execute(text("select pg_advisory_unlock(hashtext('relance.console.rebuild'))"))


@asynccontextmanager
async def _reading(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    """A reader of every topic from its start, member of no group."""
    client = kafka.consumer(settings, None)
    await client.start()
    try:
        places = [TopicPartition(topic, partition) for topic in OWNERS for partition in range(PARTITIONS)]
        client.assign(places)
        await client.seek_to_beginning(*places)
        yield client
    finally:
        await client.stop()


async def _second_set(database: Database, fresh: ReadModel) -> None:
    """Empty tables beside the first ones, with the same walls around tenants."""
    schema = SCHEMAS[SERVICE]
    async with database.transaction() as db:
        for name in list(await db.scalars(_SECOND, {"kind": "r"})):
            await db.execute(text(f"drop table {name}"))
        await db.run_sync(fresh.metadata.create_all, checkfirst=False)
        for table in fresh.tables:
            for statement in protection(schema, table.name):
                await db.execute(text(statement))


_SECOND = text("""
    select relname from pg_class
     where relnamespace = cast(:schema as regnamespace) and relkind::text = :kind
       and starts_with(relname::text, :prefix)
""").bindparams(schema=SCHEMAS[SERVICE], prefix=PREFIX)
"""The tables (kind r) or indexes (kind i) of a second set."""


class Reader:
    """Reads the topics on to the ends that they have when it is asked, into one set of tables."""

    def __init__(
        self, database: Database, fresh: ReadModel, client: AIOKafkaConsumer, tell: Tell, every: float
    ) -> None:
        self.database = database
        self.client = client
        self.tell = tell
        self.every = every
        self.events = 0
        self._handlers: Mapping[type[Body], Handler] = projections.handlers(fresh)
        self._room = Room(kafka.group_of(SERVICE), self._handlers, None)
        self._by_name = {body.__name__: handler for body, handler in self._handlers.items()}
        self._told_at = time.monotonic()

    async def read_on(self) -> None:
        """Everything up to the present ends of all partitions. Raises CannotRead or Unavailable."""
        ends = await self.client.end_offsets(list(self.client.assignment()))
        total = sum(ends.values())
        left_out = await self._set_aside()
        heard_at = time.monotonic()
        while behind := [place for place, end in ends.items() if await self.client.position(place) < end]:
            batch = await self.client.getmany(*behind, timeout_ms=1000, max_records=TAKEN)
            if batch:
                heard_at = time.monotonic()
                await self._take([it for raws in batch.values() for raw in raws if (it := self._read(raw, left_out))])
            elif time.monotonic() - heard_at > SILENCE:
                raise Unavailable("The broker shows nothing more.", remedy="Look whether Kafka runs, then repeat.")
            await self._progress(total, ends)

    async def _set_aside(self) -> set[UUID]:
        """What the running consumer has set aside or parked: it is not in the first set either."""
        mine = kafka.group_of(SERVICE)
        letters = select(dead_letter.c.event_id).where(
            dead_letter.c.consumer == mine, dead_letter.c.state != "replayed"
        )
        behind = select(parked.c.event_id).where(parked.c.consumer == mine)
        async with self.database.transaction() as db:
            return set(await db.scalars(union(letters, behind)))

    def _read(self, raw: object, left_out: set[UUID]) -> Incoming | None:
        it = self._room.read(from_kafka(raw), SystemClock().now())
        if it is None or it.event_id in left_out:
            return None
        if it.error is not None:
            record = it.record
            raise CannotRead(f"{record.topic} {record.partition} at {record.offset}: {it.error.detail}")
        return it

    async def _take(self, incoming: list[Incoming]) -> None:
        events: dict[UUID, Event] = {it.event_id: it.event for it in incoming if it.event is not None}
        async with self.database.transaction() as db:
            for some in runs(events.values()):
                await self._by_name[some[0].type](db, some)
        self.events += len(events)

    async def _progress(self, total: int, ends: Mapping[TopicPartition, int]) -> None:
        if time.monotonic() - self._told_at < self.every:
            return
        self._told_at = time.monotonic()
        read = sum([min(await self.client.position(place), end) for place, end in ends.items()])
        self.tell(f"read {read:,} of {total:,} records; the pages show the old tables meanwhile")


async def _exchange(database: Database, fresh: ReadModel, reader: Reader) -> tuple[Checksum, Checksum]:
    """Let the writers wait, hear what they heard, and put the new tables in the place of the old."""
    day = today(SystemClock(), ZONE)
    async with database.transaction() as db:
        await kept.settle_all(db, fresh, day)
        for table in fresh.tables:
            await db.execute(text(f"analyze {table.name}"))
    async with database.transaction() as db:
        names = ", ".join(table.name for table in read_model.tables)
        await db.execute(text("set local lock_timeout = '30s'"))
        await db.execute(text("set local idle_in_transaction_session_timeout = '60s'"))
        await db.execute(text(f"lock table {names} in exclusive mode"))
        reader.tell("the new tables take the place of the old ones")
        await reader.read_on()
        for tenant in await kept.marked(db, fresh):
            while await kept.settle(db, tenant, day, fresh):
                reader.tell("what was heard meanwhile is added up")
        before, after = await checksum(db, read_model), await checksum(db, fresh)
        await _without_readers(db, names)
        await _rename(db)
    return before, after


async def _without_readers(db: AsyncConnection, names: str) -> None:
    """Lock the old tables against reading too; a page under way is waited for and never made to fail."""
    for attempt in range(TRIES):
        try:
            async with db.begin_nested():
                # Shorter than deadlock_timeout: we give way before a page would be chosen to fail.
                await db.execute(text("set local lock_timeout = '400ms'"))
                await db.execute(text(f"lock table {names} in access exclusive mode"))
            return
        except DBAPIError as busy:
            if sqlstate(busy) not in ("55P03", "40P01") or attempt == TRIES - 1:
                raise
            await asyncio.sleep(0.1)


async def _rename(db: AsyncConnection) -> None:
    for table in read_model.tables:
        await db.execute(text(f"drop table {table.name}"))
    for kind, word in (("r", "table"), ("i", "index")):
        for name in list(await db.scalars(_SECOND, {"kind": kind})):
            await db.execute(text(f"alter {word} {name} rename to {name.removeprefix(PREFIX)}"))
