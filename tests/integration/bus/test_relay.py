"""The relay: everything recorded reaches its topic, in order per key, and leaves the outbox only with its ack."""

import re
from dataclasses import replace
from uuid import UUID

import pytest
from aiokafka import TopicPartition
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.event import listen

from libs.common import breaker, kafka
from libs.common.db import Database
from libs.common.ids import uuid7
from libs.common.outbox import Bound, EventTooLarge, Relay, erase, outbox_full, record
from libs.common.tables import NOBODY, outbox, outbox_archive, relay_mark
from tests.integration.bus.world import SERVICE, World, running
from tests.support import eventually


async def waiting(world: World) -> int:
    async with world.database.transaction() as db:
        return await db.scalar(select(func.count()).where(outbox.c.topic == world.topic)) or 0


async def published(world: World) -> bool:
    return await waiting(world) == 0


def event_ids(records: list[object]) -> list[str]:
    return [dict(one.headers)["ce_id"].decode() for one in records]  # type: ignore[attr-defined]


async def test_what_is_recorded_is_published_in_order_and_archived_with_its_place(world: World, tenant: UUID) -> None:
    events = [world.told(tenant, uuid7(), str(n % 7), n) for n in range(1, 501)]
    async with running(Relay(world.settings, SERVICE, world.database).run):
        await world.record(*events)
        await eventually(lambda: published(world))
    records = await world.on_topic()
    for key in {one.key for one in records}:
        mine = [str(event.id) for event in events if event.key.encode() == key]
        assert event_ids([one for one in records if one.key == key]) == mine
    async with world.database.transaction() as db:
        rows = await db.execute(select(outbox_archive).where(outbox_archive.c.topic == world.topic))
        places = {(str(row.event_id), row.kafka_partition, row.kafka_offset) for row in rows}
    assert places == {(event_ids([one])[0], one.partition, one.offset) for one in records}
    assert len(places) == 500


async def test_nothing_is_published_of_a_transaction_that_failed(world: World, tenant: UUID) -> None:
    with pytest.raises(ZeroDivisionError):
        async with world.database.transaction() as db:
            await record(db, world.told(tenant, uuid7(), "lane"))
            raise ZeroDivisionError
    assert await waiting(world) == 0


async def test_a_row_that_commits_late_below_others_is_published_too(world: World, tenant: UUID) -> None:
    early, late = world.told(tenant, uuid7(), "a"), world.told(tenant, uuid7(), "b")
    other = Database(world.settings, SERVICE, "loop")
    async with running(Relay(world.settings, SERVICE, world.database).run):
        async with other.transaction() as db:
            await record(db, late)
            await world.record(early)
            await eventually(lambda: on_topic(world, 1))
        await eventually(lambda: on_topic(world, 2))
    assert set(event_ids(await world.on_topic())) == {str(early.id), str(late.id)}
    await other.close()


async def on_topic(world: World, count: int) -> bool:
    return len(await world.on_topic()) == count


async def test_a_commit_wakes_the_relay_at_once(world: World, tenant: UUID, door: Database) -> None:
    async with running(Relay(world.settings, SERVICE, world.database, door).run) as pulses:
        await eventually(lambda: pulses[0].resting)
        nudged = []
        door.told.append(lambda: nudged.append(pulses[0].turns))
        async with door.transaction(tenant) as db:
            await record(db, world.told(tenant, uuid7(), "lane"))
        assert nudged
        async with door.transaction(tenant) as db:
            await db.execute(text("select 1"))
        assert len(nudged) == 1
        await eventually(lambda: published(world))


async def test_an_ack_that_is_not_above_the_last_stops_the_relay_until_recovery(world: World, tenant: UUID) -> None:
    told = world.told(tenant, uuid7(), "lane")
    mark = {"tenant_id": NOBODY, "topic": world.topic, "kafka_partition": kafka.partition_of(told.key)}
    async with world.database.transaction() as db:
        await db.execute(relay_mark.insert().values(**mark, kafka_offset=7))
    await world.record(told)
    async with running(Relay(world.settings, SERVICE, world.database).run):
        await eventually(lambda: _stopped(world, "relay"), 30)
        assert await waiting(world) == 1
        async with world.database.transaction() as db:
            await db.execute(delete(relay_mark).where(relay_mark.c.topic == world.topic))
            await breaker.close(db, "relay", "lost_log")
        await eventually(lambda: published(world), 30)


async def _stopped(world: World, consumer: str) -> bool:
    async with world.database.transaction() as db:
        return [one.cause for one in await breaker.opened(db, consumer)] == ["lost_log"]


async def test_offsets_beyond_the_end_of_the_log_stop_the_consumer(world: World, tenant: UUID) -> None:
    client = kafka.consumer(world.settings, world.group)
    await client.start()
    place = TopicPartition(world.topic, 3)
    client.assign([place])
    await client.commit({place: 12})
    await client.stop()
    await world.record(world.told(tenant, uuid7(), "lane"))
    async with running(Relay(world.settings, SERVICE, world.database).run, world.consumer().run):
        await eventually(lambda: _stopped(world, world.group), 30)
    assert await world.effects() == []


async def test_a_topic_that_is_not_there_holds_up_no_other(world: World, tenant: UUID) -> None:
    lost, good = world.told(tenant, uuid7(), "lane"), world.told(tenant, uuid7(), "lane")
    async with world.database.transaction() as db:
        await record(db, lost)
        await db.execute(update(outbox).where(outbox.c.event_id == lost.id).values(topic="test.missing"))
        await record(db, good)
    async with running(Relay(world.settings, SERVICE, world.database).run):
        await eventually(lambda: published(world), 30)
    async with world.database.transaction() as db:
        left = await db.execute(delete(outbox).where(outbox.c.topic == "test.missing").returning(outbox.c.event_id))
        assert left.scalars().all() == [lost.id]


async def test_a_broker_that_is_away_closes_no_door_until_the_outbox_passes_its_bound(
    world: World, tenant: UUID, door: Database
) -> None:
    away = replace(world.settings, kafka="127.0.0.1:1")
    async with running(Relay(away, SERVICE, world.database).run) as pulses:
        await world.record(*[world.told(tenant, uuid7(), "lane") for _ in range(20)])
        turns = pulses[0].turns
        await eventually(lambda: pulses[0].turns > turns + 6)
        async with door.transaction(tenant) as db:
            assert not await outbox_full(db)
            assert not await outbox_full(db, 21)
            assert await outbox_full(db, 20)
        assert await Bound(door)() is None
        assert "broker" in (await Bound(door, 20)() or "")
    assert await waiting(world) == 20
    async with running(Relay(world.settings, SERVICE, world.database).run):
        await eventually(lambda: published(world), 30)


async def test_a_body_over_900_kilobytes_is_refused(world: World, tenant: UUID) -> None:
    with pytest.raises(EventTooLarge):
        await world.record(world.told(tenant, uuid7(), "x" * 900_001))
    big = world.told(tenant, uuid7(), "x" * 890_000)
    async with running(Relay(world.settings, SERVICE, world.database).run):
        await world.record(big)
        await eventually(lambda: published(world))


async def test_an_erased_key_leaves_the_topic_the_outbox_and_the_archive(world: World, tenant: UUID) -> None:
    first, second = (world.told(tenant, uuid7(), "person", n) for n in (1, 2))
    async with running(Relay(world.settings, SERVICE, world.database).run):
        await world.record(first)
        await eventually(lambda: published(world))
    await world.record(second)
    async with world.database.transaction() as db:
        await erase(db, world.issued, tenant, first.key)
    async with running(Relay(world.settings, SERVICE, world.database).run):
        await eventually(lambda: published(world))
    assert [one.value is None for one in await world.on_topic()] == [False, True]
    async with world.database.transaction() as db:
        kept = select(outbox_archive.c.body).where(outbox_archive.c.topic == world.topic)
        assert (await db.scalars(kept)).all() == [None, None]


async def test_a_transaction_has_its_xid_before_its_rows_have_their_place(world: World, tenant: UUID) -> None:
    told: list[str] = []

    def seen(conn: object, cursor: object, statement: str, *rest: object) -> None:
        told.append(statement)

    listen(world.database.engine.sync_engine, "before_cursor_execute", seen)
    await world.record(world.told(tenant, uuid7(), "lane"))
    saying = next(statement for statement in told if statement.startswith("INSERT INTO outbox"))
    async with world.database.transaction() as db:
        plan = (await db.exec_driver_sql("explain " + re.sub(r"\$\d+", "null", saying))).scalars().all()
        await db.execute(delete(outbox).where(outbox.c.topic == world.topic))
    # A gate above the rows: the executor opens it before the first of them draws its seq.
    assert any("One-Time Filter: (pg_current_xact_id() IS NOT NULL)" in line for line in plan)
