"""The consumer on the real broker: every effect once, every key in order, whatever fails, joins or comes again."""

import asyncio
import random
from contextlib import AsyncExitStack
from uuid import UUID

from libs.common.db import Database
from libs.common.events import Event
from libs.common.ids import uuid7
from libs.common.outbox import Relay
from libs.common.settings import Settings
from tests.integration.bus.world import SERVICE, World, in_order, running
from tests.support import eventually, fresh_tenant


def history(world: World, count: int, keys: int, seed: int) -> list[Event]:
    """Events of two types over some keys of some tenants, versions rising within each key."""
    dice = random.Random(seed)
    tenants = [fresh_tenant() for _ in range(4)]
    version: dict[int, int] = {}
    found = []
    for _ in range(count):
        lane = dice.randrange(keys)
        version[lane] = version.get(lane, 0) + 1
        kind = dice.choice([world.issued, world.amended])
        found.append(world.told(tenants[lane % 4], uuid7(), f"{lane:02}", version[lane], kind))
    return found


async def handled(world: World, count: int) -> bool:
    return len(await world.effects()) >= count


async def settled(world: World, letters: int, behind: set[UUID]) -> bool:
    return len(await world.letters()) == letters and set(await world.parked()) == behind


async def record_all(world: World, events: list[Event], at_once: int = 100) -> None:
    for n in range(0, len(events), at_once):
        await world.record(*events[n : n + at_once])


async def test_effects_happen_once_and_in_order_while_members_come_and_go_and_faults_pass(
    world: World, bus: Settings
) -> None:
    events = history(world, 3_000, 40, seed=1)
    dice = random.Random(2)
    world.transient = {event.id: 1 for event in dice.sample(events, 20)}
    others = [Database(bus, SERVICE, "loop") for _ in range(3)]
    relays = [Relay(bus, SERVICE, database) for database in others[:2]]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(*(relay.run for relay in relays)))
        first = await stack.enter_async_context(running(world.consumer(others[0]).run))
        await record_all(world, events[:1_500])
        await eventually(lambda: handled(world, 300), 60)
        await stack.enter_async_context(running(world.consumer(others[1]).run))
        await record_all(world, events[1_500:])
        await eventually(lambda: handled(world, 1_200), 60)
        first[0].stopping.set()
        await stack.enter_async_context(running(world.consumer(others[2]).run))
        await eventually(lambda: handled(world, 3_000), 90)
    effects = await world.effects()
    assert {row.event_id for row in effects} == {event.id for event in events}
    assert len(effects) == 3_000
    assert in_order(effects)
    assert all(count == 0 for count in world.transient.values())
    for database in others:
        await database.close()


async def test_a_whole_topic_that_comes_again_has_no_effect(world: World) -> None:
    events = history(world, 400, 10, seed=3)
    await record_all(world, events)
    async with running(Relay(world.settings, SERVICE, world.database).run):
        async with running(world.consumer().run):
            await eventually(lambda: handled(world, 400), 60)
        for record in await world.on_topic():
            await world.put(key=record.key, value=record.value, headers=list(record.headers))
        # One event more on every partition: when they are handled, everything before them was read.
        last = world.one_a_partition(fresh_tenant())
        await world.record(*last)
        async with running(world.consumer().run):
            await eventually(lambda: handled(world, 400 + len(last)), 60)
    assert len(await world.effects()) == 400 + len(last)


async def test_the_records_that_cannot_be_handled_are_set_aside_and_the_others_are_not_held_up(world: World) -> None:
    events = history(world, 600, 30, seed=4)
    poison = [next(e for e in events if e.body.lane == f"{lane:02}") for lane in (3, 8)]
    world.impossible, world.broken = {poison[0].id}, {poison[1].id}
    behind = {e.id for e in events if e.body.lane in ("03", "08")} - {p.id for p in poison}
    await record_all(world, events)
    await world.put(key=b"whose:garbage", value=b"\xff not json", headers=[("ce_type", b"relance.Issued.v1")])
    async with running(Relay(world.settings, SERVICE, world.database).run, world.consumer().run):
        await eventually(lambda: handled(world, 600 - 2 - len(behind)), 60)
        await eventually(lambda: settled(world, 3, behind), 30)
    assert in_order(await world.effects())
    assert {row.event_id for row in await world.effects()} == {e.id for e in events} - behind - {p.id for p in poison}
    facts = {row.event_id: (row.attempts, row.error.partition(":")[0]) for row in await world.letters()}
    assert facts[poison[0].id] == (1, "Impossible")
    assert facts[poison[1].id] == (5, "ZeroDivisionError")
    assert "Unreadable" in {error for _, error in facts.values()}


async def test_a_rebalance_waits_for_the_batch_in_hand(world: World, bus: Settings, tenant: UUID) -> None:
    world.hold = asyncio.Event()
    other = Database(bus, SERVICE, "loop")
    first, second = world.consumer(), world.consumer(other)
    await world.record(*[world.told(tenant, uuid7(), str(n), 1) for n in range(50)])
    async with running(Relay(bus, SERVICE, world.database).run), running(first.run):
        await eventually(lambda: bool(world.lists), 30)
        in_hand = len(world.lists[0])
        async with running(second.run):
            await eventually(lambda: first.giving_way, 30)
            assert not second.assigned
            assert await world.effects() == []
            world.hold.set()
            await eventually(lambda: second.assigned, 30)
            assert len(await world.effects()) >= in_hand
            await eventually(lambda: handled(world, 50), 30)
    assert len(await world.effects()) == 50
    await other.close()
