"""A rebuild on a living broker: the same rows again, what was damaged is whole, and hearing goes on afterwards."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select, update

from libs.common import kafka as bus
from libs.common import outbox
from libs.common.consumer import Consumer
from libs.common.db import Database
from libs.common.devstack.kafka import Kafka
from libs.common.devstack.postgres import Postgres
from libs.common.ids import uuid7
from libs.common.outbox import Relay
from libs.common.runtime import Pulse
from libs.common.settings import Settings
from libs.common.tables import dead_letter
from services.console import projections
from services.console.projections.checksum import checksum
from services.console.rebuild import CannotRead, UnderWay, _alone, rebuild
from services.console.store import kept, work
from services.console.tables import read_model as model
from tests.integration.console.history import History, played
from tests.integration.console.test_read_model import TODAY
from tests.support import eventually
from tests.support.stack import free_base, make_topics, migrate, settings_for, state_folder


@dataclass
class Alone:
    """A database and a broker that no other test writes to, and the console's loops on them."""

    settings: Settings
    loops: Database

    async def owed(self, tenant: UUID) -> int:
        async with self.loops.transaction() as db:
            await kept.settle(db, tenant, TODAY.date())
            figures = await work.figures(db, tenant, TODAY)
        return sum(each.amount.minor for each in figures.outstanding if each.amount)

    async def told(self, history: History) -> None:
        async with self.loops.transaction() as db:
            await outbox.record(db, *history.events)

    async def heard(self, tenant: UUID, history: History) -> None:
        async def there() -> bool:
            async with self.loops.transaction() as db:
                asked = select(func.count()).where(model.activity.c.tenant_id == tenant)
                lines = await db.scalar(asked)
            return lines == sum(1 for each in history.events if type(each.body) in projections.activity.handlers(model))

        await eventually(there, timeout=60)


@pytest.fixture(scope="module")
def own() -> Iterator[Settings]:
    with state_folder() as state:
        yield settings_for(state, free_base())


@pytest.fixture(scope="module")
async def alone(own: Settings) -> AsyncIterator[Alone]:
    port = int(own.database_url.rpartition(":")[2].partition("/")[0])
    server = Postgres(own.state / "postgres", port, own.state / "logs" / "postgres.log")
    broker = Kafka(own.state / "kafka", int(own.kafka.rpartition(":")[2]), own.state / "logs" / "kafka.log")
    server.start()
    broker.start()
    try:
        await migrate(own)
        await make_topics(own)
        loops = Database(own, "console", "loop")
        yield Alone(own, loops)
        await loops.close()
    finally:
        broker.stop()
        server.stop()


@pytest.fixture(scope="module")
async def running(alone: Alone) -> AsyncIterator[Alone]:
    """The console's own consumer and relay at work."""
    stopping = asyncio.Event()
    consumer = Consumer(alone.settings, "console", alone.loops, projections.handlers(model), acts=False)
    relay = Relay(alone.settings, "console", alone.loops)
    async with asyncio.TaskGroup() as group:
        for loop in (consumer.run, relay.run):
            group.create_task(loop(Pulse(stopping)))
        try:
            yield alone
        finally:
            stopping.set()


async def test_a_rebuild_ends_in_the_same_checksum_while_events_come_in(running: Alone) -> None:
    first, second = uuid7(), uuid7()
    histories = {first: played(first, 1, invoices=40), second: played(second, 2, invoices=40)}
    await running.told(histories[first])
    await running.heard(first, histories[first])
    lines: list[str] = []

    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        rebuilding = group.create_task(rebuild(running.settings, lines.append, every=0.0))
        rebuilding.add_done_callback(lambda _: over.set())
        group.create_task(running.told(histories[second]))
        looking = group.create_task(looked(running, first, over))
    done = rebuilding.result()
    assert set(looking.result()) == {histories[first].owed()}
    assert done.after.differing(done.before) == []
    assert done.after.digest == done.before.digest
    assert done.after.rows > 200
    assert any("records" in line for line in lines)

    await running.heard(second, histories[second])
    for tenant, history in histories.items():
        assert await running.owed(tenant) == history.owed()
    async with running.loops.transaction() as db:
        assert (await checksum(db, model)).rows > done.before.rows - 1


async def looked(running: Alone, tenant: UUID, over: asyncio.Event) -> list[int]:
    """What the pages said all the while: none of them fails, and none shows half of anything."""
    found = []
    while not over.is_set():
        found.append(await running.owed(tenant))
    return found


async def test_a_rebuild_makes_whole_what_was_damaged_and_keeps_the_walls_between_tenants(running: Alone) -> None:
    tenant = uuid7()
    history = played(tenant, 5)
    await running.told(history)
    await running.heard(tenant, history)
    async with running.loops.transaction() as db:
        whole = await checksum(db, model)
        await db.execute(update(model.item).values(residual=1))
        await db.execute(model.activity.delete().where(model.activity.c.tenant_id == tenant))
    done = await rebuild(running.settings, lambda _: None)
    assert done.after.differing(done.before) == ["activity", "item"]
    async with running.loops.transaction() as db:
        assert await checksum(db, model) == whole
    assert await running.owed(tenant) == history.owed()
    doors = Database(running.settings, "console", "api")
    async with doors.transaction(uuid7()) as db:
        assert await db.scalar(select(func.count()).select_from(model.item)) == 0
    async with doors.transaction(tenant) as db:
        assert await db.scalar(select(func.count()).select_from(model.item))
    await doors.close()


async def test_two_rebuilds_at_once_are_refused(running: Alone) -> None:
    owner = Database(running.settings, "console", "owner", pool=2)
    async with _alone(owner):
        with pytest.raises(UnderWay):
            await rebuild(running.settings, lambda _: None)
    await owner.close()


async def test_a_record_that_nobody_can_read_stops_a_rebuild_unless_the_console_set_it_aside(running: Alone) -> None:
    headers = [("ce_type", b"relance.InvoiceIssued.v1"), ("ce_id", str(strange := uuid7()).encode())]
    producer = bus.producer(running.settings)
    await producer.start()
    await producer.send_and_wait("relance.invoices", b"{}", key=b"nobody", headers=headers)
    await producer.stop()

    async def aside() -> bool:
        async with running.loops.transaction() as db:
            return bool(await db.scalar(select(func.count()).where(dead_letter.c.event_id == strange)))

    await eventually(aside, timeout=60)
    done = await rebuild(running.settings, lambda _: None)
    assert done.after == done.before
    async with running.loops.transaction() as db:
        kept = (await db.execute(select(dead_letter).where(dead_letter.c.event_id == strange))).one()
        await db.execute(dead_letter.delete())
    with pytest.raises(CannotRead) as stopped:
        await rebuild(running.settings, lambda _: None)
    assert "relance.invoices" in stopped.value.detail
    async with running.loops.transaction() as db:
        await db.execute(insert(dead_letter).values(**kept._mapping))
    assert (await rebuild(running.settings, lambda _: None)).after == done.after
