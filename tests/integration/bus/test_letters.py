"""Dead letters: a person replays or drops, the lane behind goes on in order, and the breaker stops a bad deploy."""

from uuid import UUID

import pytest
from sqlalchemy import update

from libs.common import breaker, dead_letters
from libs.common.events import Event
from libs.common.ids import uuid7
from libs.common.kafka import partition_of
from libs.common.outbox import Relay
from libs.common.tables import breaker as table
from tests.integration.bus.world import SERVICE, World, in_order, running
from tests.support import eventually, fresh_tenant


async def effects_of(world: World) -> list[UUID]:
    return [row.event_id for row in await world.effects()]


async def one_letter(world: World, tenant: UUID, count: int = 6) -> list[Event]:
    """Events of one key, the first of which is set aside with the others behind it."""
    events = [world.told(tenant, uuid7(), "lane", n) for n in range(1, count + 1)]
    world.impossible = {events[0].id}
    await world.record(*events)
    async with running(Relay(world.settings, SERVICE, world.database).run, world.consumer().run):
        await eventually(lambda: _parked(world, count - 1), 30)
    return events


async def _parked(world: World, count: int) -> bool:
    return len(await world.parked()) == count


async def _ended(world: World, state: str) -> bool:
    return [row.state for row in await world.letters()] == [state]


async def test_a_replayed_letter_is_handled_first_and_the_lane_follows_in_order(world: World, tenant: UUID) -> None:
    events = await one_letter(world, tenant)
    world.impossible = set()
    later = world.told(tenant, uuid7(), "lane", 7)
    await world.record(later)
    async with running(Relay(world.settings, SERVICE, world.database).run, world.consumer().run):
        async with world.database.transaction() as db:
            await dead_letters.replay(db, (await world.letters())[0].letter_id, "anne")
        await eventually(lambda: _everything(world, 7), 30)
    assert await effects_of(world) == [event.id for event in [*events, later]]
    assert await _ended(world, "replayed")
    assert await world.parked() == []


async def _everything(world: World, count: int) -> bool:
    return len(await world.effects()) == count


async def test_a_dropped_letter_is_forgotten_for_good_and_the_lane_goes_on(world: World, tenant: UUID) -> None:
    events = await one_letter(world, tenant)
    world.impossible = set()
    async with running(world.consumer().run):
        async with world.database.transaction() as db:
            await dead_letters.drop(db, (await world.letters())[0].letter_id, "anne", "sent twice by the ERP")
        await eventually(lambda: _everything(world, 5), 30)
    assert await effects_of(world) == [event.id for event in events[1:]]
    for record in await world.on_topic():
        await world.put(key=record.key, value=record.value, headers=list(record.headers))
    last = world.one_a_partition(tenant)
    await world.record(*last)
    async with running(Relay(world.settings, SERVICE, world.database).run, world.consumer().run):
        await eventually(lambda: _everything(world, 5 + len(last)), 30)
    assert events[0].id not in await effects_of(world)


async def test_a_letter_that_fails_again_stays_and_nothing_behind_it_moves(world: World, tenant: UUID) -> None:
    events = await one_letter(world, tenant)
    async with running(world.consumer().run):
        async with world.database.transaction() as db:
            await dead_letters.replay(db, (await world.letters())[0].letter_id, "anne")
        await eventually(lambda: _tried(world, 2), 30)
    assert await _ended(world, "open")
    assert await world.parked() == [event.id for event in events[1:]]
    assert await world.effects() == []


async def _tried(world: World, times: int) -> bool:
    letter = (await world.letters())[0]
    return letter.attempts == times and letter.state == "open"


async def test_an_event_behind_a_letter_that_fails_in_its_turn_is_the_next_letter(world: World, tenant: UUID) -> None:
    events = await one_letter(world, tenant)
    world.impossible = {events[3].id}
    async with running(world.consumer().run):
        async with world.database.transaction() as db:
            await dead_letters.replay(db, (await world.letters())[0].letter_id, "anne")
        await eventually(lambda: _parked(world, 2), 30)
        assert await effects_of(world) == [event.id for event in events[:3]]
        world.impossible = set()
        async with world.database.transaction() as db:
            await dead_letters.replay(db, (await world.letters())[1].letter_id, "anne")
        await eventually(lambda: _everything(world, 6), 30)
    assert in_order(await world.effects())


async def test_a_letter_is_shown_with_what_waits_behind_it_and_is_decided_once(world: World, tenant: UUID) -> None:
    await one_letter(world, tenant)
    letter_id = (await world.letters())[0].letter_id
    async with world.database.transaction() as db:
        shown, headers, body = await dead_letters.letter(db, letter_id)
    assert (shown.behind, shown.state, shown.key, shown.tenant_id) == (5, "open", f"{tenant}:lane", tenant)
    assert headers["ce_type"] == "relance.Issued.v1" and body is not None
    async with running(world.consumer().run):
        async with world.database.transaction() as db:
            await dead_letters.drop(db, letter_id, "anne", "not ours")
        await eventually(lambda: _ended(world, "dropped"), 30)
    with pytest.raises(dead_letters.LetterEnded):
        async with world.database.transaction() as db:
            await dead_letters.replay(db, letter_id, "anne")


async def test_letters_of_several_tenants_within_minutes_stop_the_consumer_until_a_person_resumes(world: World) -> None:
    events = [world.told(fresh_tenant(), uuid7(), "lane") for _ in range(60)]
    world.impossible = {event.id for event in events}
    await world.record(*events)
    async with running(Relay(world.settings, SERVICE, world.database).run, world.consumer().run):
        await eventually(lambda: _stopped(world), 30)
        assert len(await world.letters()) == breaker.LETTERS
        world.impossible = set()
        async with world.database.transaction() as db:
            assert await breaker.close(db, world.group, "letters")
        await eventually(lambda: _everything(world, 60 - breaker.LETTERS), 30)
    assert len(await world.letters()) == breaker.LETTERS


async def _stopped(world: World) -> bool:
    async with world.database.transaction() as db:
        return bool(await breaker.opened(db, world.group))


async def test_a_new_release_tries_again_what_an_older_one_failed_at(world: World, tenant: UUID) -> None:
    async with world.database.transaction() as db:
        await breaker.open_(db, world.group, "letters", "a bad deploy")
    await world.record(world.told(tenant, uuid7(), "lane"))
    async with running(Relay(world.settings, SERVICE, world.database).run):
        async with running(world.consumer().run) as pulses:
            await eventually(lambda: pulses[0].resting, 30)
            assert await _stopped(world)
        async with world.database.transaction() as db:
            await db.execute(update(table).where(table.c.consumer == world.group).values(release="an older one"))
        async with running(world.consumer().run):
            await eventually(lambda: _everything(world, 1), 30)
    assert not await _stopped(world)


async def test_a_version_that_this_release_does_not_know_stops_its_partition_alone(world: World, tenant: UUID) -> None:
    before, after = world.told(tenant, uuid7(), "lane", 1), world.told(tenant, uuid7(), "lane", 3)
    elsewhere = world.one_a_partition(tenant)
    async with running(Relay(world.settings, SERVICE, world.database).run, world.consumer().run):
        await world.record(before)
        await eventually(lambda: _everything(world, 1), 30)
        key = before.key.encode()
        await world.put(key=key, value=b"{}", headers=[("ce_type", b"relance.Issued.v2"), ("ce_id", b"x")])
        await world.record(after, *elsewhere)
        mine = [e for e in elsewhere if partition_of(e.key) == partition_of(before.key)]
        await eventually(lambda: _everything(world, 1 + len(elsewhere) - len(mine)), 30)
    assert after.id not in await effects_of(world)
    assert await world.letters() == []


async def test_a_type_that_nobody_knows_is_passed_over(world: World, tenant: UUID) -> None:
    told = world.told(tenant, uuid7(), "lane")
    headers = [("ce_type", b"relance.Unheard.v7"), ("ce_id", str(uuid7()).encode())]
    await world.put(key=told.key.encode(), value=b"{}", headers=headers)
    await world.put(key=told.key.encode(), value=None, headers=[])
    await world.record(told)
    async with running(Relay(world.settings, SERVICE, world.database).run, world.consumer().run):
        await eventually(lambda: _everything(world, 1), 30)
    assert await world.letters() == []
