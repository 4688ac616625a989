"""After the broker lost a part of its log: everything stops, what is missing is published again, everything goes on.

The archive says which event stood at which place. Where a partition tells another story than the archive, the loss
begins: the archived rows from there go back to the outbox and every consumer group goes back to that place. The inbox
makes the copies harmless, so it is always safe to run, also when nothing was lost.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy import bindparam, delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import breaker, kafka
from libs.common.db import Database
from libs.common.errors import Unavailable
from libs.common.events import OWNERS, PARTITIONS
from libs.common.outbox.relay import RELAY
from libs.common.settings import SCHEMAS, Settings
from libs.common.tables import breaker as breakers
from libs.common.tables import outbox_archive, relay_mark

GROUP_WITHIN = 60.0
"""Seconds until every member of a group has seen its breaker and left."""
READ_WITHIN = 10.0

_back = text("""
    with lost as (delete from outbox_archive
                   where topic = :topic and kafka_partition = :partition and kafka_offset >= :place
                  returning seq, tenant_id, event_id, topic, key, headers, body, recorded_at)
    insert into outbox (seq, tenant_id, event_id, topic, key, headers, body, recorded_at)
    overriding system value select * from lost
""").bindparams(bindparam("topic"), bindparam("partition"), bindparam("place"))

Losses = dict[TopicPartition, int]
"""Partition → the first offset that is not what was archived."""


class StillReading(Unavailable):
    """Members of a consumer group have not stopped yet."""

    code = "group_still_reading"
    remedy = "Wait a minute and run it again; it begins where it stopped."


@dataclass
class Recovered:
    """What was done: events to be published again and groups set back, by name."""

    events: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)


async def recover(settings: Settings, services: Iterable[str] = SCHEMAS) -> Recovered:
    """Stop relays and consumers, publish again what the broker lost, set groups back, let all go on.

    Raises StillReading if a group does not stop within a minute; the breakers stay open then.
    """
    done = Recovered()
    async with halted(settings, services) as groups, reading(settings) as reader:
        losses: Losses = {}
        for database in groups:
            losses |= await _requeue(database, reader, done)
        for group in (name for names in groups.values() for name in names):
            done.groups[group] = await set_back(settings, group, losses)
    return done


@asynccontextmanager
async def halted(settings: Settings, services: Iterable[str] = SCHEMAS) -> AsyncIterator[dict[Database, list[str]]]:
    """Relays and consumers of these services stand still, and go on at the end if nothing failed.

    Gives each service's loops with the names of its consumers.
    """
    async with AsyncExitStack() as stack:
        databases = [await stack.enter_async_context(_database(settings, service)) for service in services]
        groups = {database: await _halt(database) for database in databases}
        yield groups
        for database, names in groups.items():
            async with database.transaction() as db:
                for name in (RELAY, *names):
                    await breaker.close(db, name, "lost_log")


@asynccontextmanager
async def _database(settings: Settings, service: str) -> AsyncIterator[Database]:
    database = Database(settings, service, "loop", pool=1)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    """A reader that is a member of no group."""
    reader = AIOKafkaConsumer(**kafka.reaching(settings), enable_auto_commit=False, auto_offset_reset="earliest")
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()


async def _halt(database: Database) -> list[str]:
    """Stop this service's relay and consumers; answers the consumers' names."""
    async with database.transaction() as db:
        names = [name for name in await db.scalars(select(breakers.c.consumer)) if name != RELAY]
        for name in (RELAY, *names):
            await breaker.open_(db, name, "lost_log", "recovery is under way")
    return names


async def _requeue(database: Database, reader: AIOKafkaConsumer, done: Recovered) -> Losses:
    losses: Losses = {}
    for topic in (name for name, owner in OWNERS.items() if owner == database.service):
        places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        ends = await reader.end_offsets(places)
        async with database.transaction() as db:
            # The relay's own lock: a pass that is under way ends first.
            await db.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"relance.relay.{database.schema}"))))
            for place in places:
                first = await first_lost(db, reader, place, ends[place])
                if first is not None:
                    losses[place] = first
                    where = {"topic": topic, "partition": place.partition, "place": first}
                    done.events[topic] = done.events.get(topic, 0) + (await db.execute(_back, where)).rowcount
                await _set_mark(db, place, ends[place] - 1)
    return losses


async def _set_mark(db: AsyncConnection, place: TopicPartition, last: int) -> None:
    which = (relay_mark.c.topic == place.topic, relay_mark.c.kafka_partition == place.partition)
    if last < 0:
        await db.execute(delete(relay_mark).where(*which))
    else:
        await db.execute(update(relay_mark).where(*which, relay_mark.c.kafka_offset > last).values(kafka_offset=last))


async def first_lost(db: AsyncConnection, reader: AIOKafkaConsumer, place: TopicPartition, end: int) -> int | None:
    """The first archived offset of this partition that the log does not tell any more; None if it tells them all."""
    of_place = (outbox_archive.c.topic == place.topic, outbox_archive.c.kafka_partition == place.partition)
    last = await db.scalar(select(func.max(outbox_archive.c.kafka_offset)).where(*of_place))
    if last is None or await _told(db, reader, place, last, end):
        return None
    low, high = 0, int(last)
    # A log is lost from some place on: everything below `low` is told, nothing at `high` or above it is.
    while low < high:
        middle = (low + high) // 2
        if await _told(db, reader, place, middle, end):
            low = middle + 1
        else:
            high = middle
    return low


async def _told(db: AsyncConnection, reader: AIOKafkaConsumer, place: TopicPartition, offset: int, end: int) -> bool:
    """Whether the log tells the last event that was archived at this offset or before it."""
    archive = outbox_archive.c
    of_place = (archive.topic == place.topic, archive.kafka_partition == place.partition)
    asked = select(archive.event_id, archive.kafka_offset).where(*of_place, archive.kafka_offset <= offset)
    row = (await db.execute(asked.order_by(archive.kafka_offset.desc()).limit(1))).one_or_none()
    if row is None:
        return True
    if row.kafka_offset >= end:
        return False
    found_at, found = await _at(reader, place, row.kafka_offset)
    if found_at == row.kafka_offset:
        return bool(found == row.event_id)
    # Compaction took the record; the log is ours if what follows was archived after it.
    later = select(archive.seq).where(*of_place, archive.kafka_offset > offset, archive.event_id == found)
    return (await db.execute(later.limit(1))).first() is not None


async def _at(reader: AIOKafkaConsumer, place: TopicPartition, offset: int) -> tuple[int, UUID | None]:
    """The offset and the event of the first record at this offset or after it."""
    reader.assign([place])
    reader.seek(place, offset)
    try:
        async with asyncio.timeout(READ_WITHIN):
            record = await reader.getone(place)
    except TimeoutError:
        raise Unavailable(f"The broker shows nothing of {place.topic} {place.partition} at {offset}.") from None
    told = dict(record.headers).get("ce_id", b"").decode(errors="replace")
    try:
        return record.offset, UUID(told)
    except ValueError:
        return record.offset, None


async def set_back(settings: Settings, group: str, losses: Losses) -> int:
    """Move a group that has no members back to before the losses and to the ends; answers how many partitions.

    Raises StillReading if members remain for a minute.
    """
    client = kafka.consumer(settings, group)
    await client.start()
    try:
        places = [TopicPartition(topic, partition) for topic in OWNERS for partition in range(PARTITIONS)]
        client.assign(places)
        goals = {place: min(losses.get(place, end), end) for place, end in (await client.end_offsets(places)).items()}
        beyond = {place: to for place, to in goals.items() if (await client.committed(place) or 0) > to}
        deadline = asyncio.get_running_loop().time() + GROUP_WITHIN
        while beyond:
            try:
                await client.commit(beyond)
                break
            except KafkaError as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise StillReading(f"The group {group} still has members.") from error
                await asyncio.sleep(1)
        return len(beyond)
    finally:
        await client.stop()
