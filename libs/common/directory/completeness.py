"""When a service may serve: once it has read the directory to the end that it saw at its start.

A service without a copy knows no key and no emergency stop, so it is not ready. The copy is marked complete in the
database when the consumer group's commits have reached the ends of the topic as they were at the start; a marked copy
serves at once, after a restart and in processes that only open doors.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.db import Database
from libs.common.directory.tables import (
    INSTALLATION,
    directory_api_key,
    directory_bank_details,
    directory_entity,
    directory_source,
    directory_state,
    directory_tenant,
)
from libs.common.events import PARTITIONS
from libs.common.events.directory import DirectoryBody
from libs.common.kafka import group_of, reaching
from libs.common.retry import is_transient
from libs.common.runtime import Pulse
from libs.common.settings import Settings

ENTRIES: Mapping[str, tuple[Table, str]] = {
    "tenant": (directory_tenant, "tenant_id"),
    "entity": (directory_entity, "entity_id"),
    "api_key": (directory_api_key, "key_id"),
    "source": (directory_source, "source_id"),
    "bank_details": (directory_bank_details, "bank_account_id"),
}
"""Kind of entry, as in the topic's keys → its table and the column that identifies it."""

PLACES = [TopicPartition(DirectoryBody.topic, partition) for partition in range(PARTITIONS)]

Offsets = Mapping[int, int]
"""Partition → offset of the next record."""


async def heard(db: AsyncConnection) -> int:
    """The highest directory_version heard; 0 before any. `db` must see INSTALLATION."""
    asked = select(directory_state.c.heard).where(directory_state.c.tenant_id == INSTALLATION)
    return int(await db.scalar(asked) or 0)


async def complete(db: AsyncConnection) -> bool:
    """Whether the directory was read to an end once. `db` must see INSTALLATION."""
    asked = select(directory_state.c.complete).where(directory_state.c.tenant_id == INSTALLATION)
    return bool(await db.scalar(asked))


async def mark_complete(db: AsyncConnection) -> None:
    """From now on this copy serves at once."""
    marking = insert(directory_state).values(tenant_id=INSTALLATION, complete=True)
    await db.execute(marking.on_conflict_do_update(index_elements=["tenant_id"], set_={"complete": True}))


def readiness(database: Database) -> Callable[[], Awaitable[str | None]]:
    """The check for `/healthz/ready`: None once the copy is complete, else one sentence."""

    async def check() -> str | None:
        async with database.transaction(INSTALLATION) as db:
            done = await complete(db)
        return None if done else "The directory has not been read to its end yet."

    return check


async def entry_version(db: AsyncConnection, tenant_id: UUID, kind: str, identity: UUID) -> int:
    """The directory_version at which one entry was last heard; 0 when it never was.

    Partitions are read side by side, so only this, not `heard`, proves that a change of this entry arrived.
    """
    table, column = ENTRIES[kind]
    chosen = (table.c.tenant_id == tenant_id, table.c[column] == identity)
    return int(await db.scalar(select(table.c.directory_version).where(*chosen)) or 0)


def reached(committed: Offsets, ends: Offsets) -> bool:
    """Whether everything before these ends was handled and committed."""
    return all(committed.get(partition, 0) >= end for partition, end in ends.items())


class FirstReading:
    """The loop that marks a fresh copy complete; it has nothing to do once that is so.

    `ends` tells the topic's ends, `committed` what the service's consumer group has committed.
    """

    def __init__(
        self,
        database: Database,
        ends: Callable[[], Awaitable[Offsets]],
        committed: Callable[[], Awaitable[Offsets]],
    ) -> None:
        self.database = database
        self.ends = ends
        self.committed = committed
        self.goal: Offsets | None = None

    async def run(self, pulse: Pulse) -> None:
        done = False
        while not pulse.stopping.is_set():
            pulse.turn()
            done = done or await self.look()
            await pulse.rest(20 if done else 0.2)

    async def look(self) -> bool:
        """Whether the copy is complete. A broker or database that is away is asked again."""
        try:
            return await self._marked() or await self._reached()
        except Exception as error:
            if not is_transient(error):
                raise
            return False

    async def _marked(self) -> bool:
        async with self.database.transaction(INSTALLATION) as db:
            return await complete(db)

    async def _reached(self) -> bool:
        if self.goal is None:
            self.goal = await self.ends()
        if not reached(await self.committed(), self.goal):
            return False
        async with self.database.transaction(INSTALLATION) as db:
            await mark_complete(db)
        return True


class Broker:
    """What the broker knows of one consumer group's reading of the directory. It joins no group."""

    def __init__(self, settings: Settings, group: str) -> None:
        self.settings = settings
        self.group = group

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[AIOKafkaConsumer]:
        reader = AIOKafkaConsumer(**reaching(self.settings), group_id=self.group, enable_auto_commit=False)
        await reader.start()
        try:
            reader.assign(PLACES)
            yield reader
        finally:
            await reader.stop()

    async def ends(self) -> Offsets:
        async with self._reader() as reader:
            return {place.partition: end for place, end in (await reader.end_offsets(PLACES)).items()}

    async def committed(self) -> Offsets:
        async with self._reader() as reader:
            return {place.partition: await reader.committed(place) or 0 for place in PLACES}


def first_reading(settings: Settings, service: str, database: Database) -> FirstReading:
    """The loop of one service, against the broker: mount it as `loops["directory"]` beside the consumer's."""
    broker = Broker(settings, group_of(service))
    return FirstReading(database, broker.ends, broker.committed)
