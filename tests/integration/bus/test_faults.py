"""Processes, broker and database die in the worst moments: nothing is lost, nothing happens twice, order holds."""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select

from libs.common.devstack.kafka import Kafka
from libs.common.devstack.postgres import Postgres
from libs.common.events import Event
from libs.common.ids import uuid7
from libs.common.outbox import Relay
from libs.common.tables import outbox
from tests.integration.bus.world import SERVICE, World, in_order, running
from tests.support import eventually


async def waiting(world: World) -> int:
    async with world.database.transaction() as db:
        return await db.scalar(select(func.count()).where(outbox.c.topic == world.topic)) or 0


async def effects(world: World, count: int) -> bool:
    return len(await world.effects()) >= count


def told(world: World, tenant: UUID, count: int, lanes: int = 9) -> list[Event]:
    return [world.told(tenant, uuid7(), str(n % lanes), n) for n in range(1, count + 1)]


async def start(world: World, *words: str, crash_at: str = "") -> asyncio.subprocess.Process:
    env = os.environ | {
        "RELANCE_DATABASE_URL": world.settings.database_url,
        "RELANCE_KAFKA": world.settings.kafka,
        "RELANCE_CRASH_AT": crash_at,
    }
    argv = (sys.executable, "-m", "tests.integration.bus.process", *words)
    return await asyncio.create_subprocess_exec(*argv, env=env, cwd=Path(__file__).parents[3])


async def ended(process: asyncio.subprocess.Process) -> int:
    return await asyncio.wait_for(process.wait(), 60)


async def test_a_relay_killed_between_ack_and_archive_makes_copies_that_have_no_effect(
    world: World, tenant: UUID
) -> None:
    await world.record(*told(world, tenant, 100))
    assert await ended(await start(world, "relay", crash_at="relay.acked")) == 137
    assert await waiting(world) == 100
    async with running(Relay(world.settings, SERVICE, world.database).run, world.consumer().run):
        await eventually(lambda: effects(world, 100), 30)
        assert len(await world.on_topic()) == 200
        last = world.one_a_partition(tenant)
        await world.record(*last)
        await eventually(lambda: effects(world, 100 + len(last)), 30)
    assert len({row.event_id for row in await world.effects()}) == len(await world.effects()) == 100 + len(last)


async def test_a_member_killed_before_its_offsets_are_committed_repeats_no_effect(world: World, tenant: UUID) -> None:
    await world.record(*told(world, tenant, 100))
    async with running(Relay(world.settings, SERVICE, world.database).run):
        await eventually(lambda: none_waiting(world), 30)
    member = await start(world, "consumer", world.topic, world.group, crash_at="consumer.committed")
    assert await ended(member) == 137
    assert 0 < len(await world.effects()) <= 100
    last = world.one_a_partition(tenant)
    await world.record(*last)
    async with running(Relay(world.settings, SERVICE, world.database).run, world.consumer().run):
        await eventually(lambda: effects(world, 100 + len(last)), 60)
    assert len({row.event_id for row in await world.effects()}) == len(await world.effects()) == 100 + len(last)
    assert in_order(await world.effects())


async def none_waiting(world: World) -> bool:
    return await waiting(world) == 0


async def test_processes_killed_at_any_moment_lose_and_repeat_nothing(world: World, tenant: UUID) -> None:
    events, dice = told(world, tenant, 1_500), random.Random(11)
    parts = [("relay",), ("consumer", world.topic, world.group)]
    running_now = [await start(world, *words) for words in parts]
    for n in range(0, 1_500, 300):
        await world.record(*events[n : n + 300])
        await eventually(lambda n=n: effects(world, dice.randrange(n // 2 + 1)), 60)  # type: ignore[misc]
        which = dice.randrange(2)
        running_now[which].send_signal(signal.SIGKILL)
        await running_now[which].wait()
        running_now[which] = await start(world, *parts[which])
    await eventually(lambda: effects(world, 1_500), 90)
    for process in running_now:
        process.kill()
        await process.wait()
    assert {row.event_id for row in await world.effects()} == {event.id for event in events}
    assert len(await world.effects()) == 1_500
    assert in_order(await world.effects())


async def test_a_broker_killed_under_load_and_restarted_loses_nothing(world: World, tenant: UUID, kafka: Kafka) -> None:
    events = told(world, tenant, 900)
    async with running(Relay(world.settings, SERVICE, world.database).run, world.consumer().run):
        await world.record(*events[:300])
        await eventually(lambda: effects(world, 100), 30)
        kafka.kill()
        for n in range(300, 900, 100):
            await world.record(*events[n : n + 100])
        await asyncio.to_thread(kafka.start)
        await eventually(lambda: effects(world, 900), 90)
    assert {row.event_id for row in await world.effects()} == {event.id for event in events}
    assert len(await world.effects()) == 900
    assert in_order(await world.effects())
    assert await world.letters() == []


async def test_a_database_killed_under_load_and_restarted_makes_no_letter(
    world: World, tenant: UUID, postgres: Postgres
) -> None:
    events = told(world, tenant, 900)
    await world.record(*events)
    async with running(Relay(world.settings, SERVICE, world.database).run, world.consumer().run):
        await eventually(lambda: effects(world, 1), 30)
        postgres.kill()
        await asyncio.to_thread(postgres.start)
        await eventually(lambda: effects(world, 900), 90)
    assert len(await world.effects()) == 900
    assert in_order(await world.effects())
    assert await world.letters() == []
