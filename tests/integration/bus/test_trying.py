"""After a failure: the same again, halves in order, or set aside. Real Postgres, no waiting between the tries."""

from collections.abc import Callable, Sequence
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.clock import SystemClock
from libs.common.consumer.batch import Room
from libs.common.consumer.trying import ALONE, TOGETHER, Trier
from libs.common.db import Database
from libs.common.events import Event, headers
from libs.common.ids import uuid7
from libs.common.incoming import Incoming, Record
from tests.integration.bus.world import World


class Breaths:
    """Counts the waits between tries."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, attempt: int) -> None:
        self.count += 1


def incoming(room: Room, events: Sequence[Event]) -> list[Incoming]:
    """These events as they would come from partition 0."""
    now = SystemClock().now()
    records = [
        Record(e.body.topic, 0, n, e.key.encode(), headers(e, "scheduler", now), e.body.model_dump_json().encode())
        for n, e in enumerate(events)
    ]
    return [it for record in records if (it := room.read(record, now)) is not None]


@pytest.fixture
def breaths() -> Breaths:
    return Breaths()


@pytest.fixture
def trier(world: World, breaths: Breaths) -> Trier:
    room = Room(world.group, {world.issued: world.heard, world.amended: world.heard}, None)
    return Trier(world.database, room, breaths)


def events(world: World, tenant: UUID, count: int) -> list[Event]:
    return [world.told(tenant, uuid7(), str(n % 20), n + 1) for n in range(count)]


async def test_one_that_cannot_be_handled_among_many_costs_its_halvings_and_no_other_effect(
    world: World, tenant: UUID, trier: Trier
) -> None:
    told = events(world, tenant, 256)
    world.impossible = {told[100].id}
    await trier.work(incoming(trier.room, told))
    behind = {e.id for e in told[101:] if e.key == told[100].key}
    assert {r.event_id for r in await world.effects()} == {e.id for e in told} - behind - {told[100].id}
    assert set(await world.parked()) == behind
    assert len(world.lists) < 20


async def test_a_fault_that_passes_repeats_the_same_list(
    world: World, tenant: UUID, trier: Trier, breaths: Breaths
) -> None:
    told = events(world, tenant, 20)
    world.transient = {told[7].id: TOGETHER - 1}
    await trier.work(incoming(trier.room, told))
    assert [len(some) for some in world.lists] == [20] * TOGETHER
    assert breaths.count == TOGETHER - 1
    assert await world.letters() == []


async def test_a_record_that_alone_meets_passing_faults_while_writes_succeed_is_set_aside(
    world: World, tenant: UUID, trier: Trier
) -> None:
    told = events(world, tenant, 20)
    world.transient = {told[7].id: 10_000}
    await trier.work(incoming(trier.room, told))
    assert [(row.event_id, row.attempts) for row in await world.letters()] == [(told[7].id, ALONE)]
    assert len(await world.effects()) == 19


async def test_a_database_that_takes_no_writes_never_makes_a_letter(world: World, tenant: UUID) -> None:
    class Away(Database):
        """The same database behind a wire that is cut for a while."""

        cut = 100

        def transaction(self, *tenants: UUID):  # type: ignore[no-untyped-def]
            if self.cut > 0:
                self.cut -= 1
                raise ConnectionRefusedError
            return super().transaction(*tenants)

    away, breaths = Away(world.settings, "scheduler", "loop"), Breaths()
    trier = Trier(away, Room(world.group, {world.issued: world.heard}, None), breaths)
    await trier.work(incoming(trier.room, events(world, tenant, 1)))
    assert breaths.count == 50  # each try asks twice: for itself, and whether a write succeeds
    assert await world.letters() == []
    assert len(await world.effects()) == 1
    await away.close()


async def test_the_lock_is_taken_once_for_the_whole_list_before_any_handler(
    world: World, tenant: UUID, trier: Trier
) -> None:
    order: list[str] = []

    def noting(name: str) -> Callable[[AsyncConnection, Sequence[Event]], object]:
        async def note(db: AsyncConnection, some: Sequence[Event]) -> None:
            order.append(f"{name} {len(some)}")

        return note

    told = [*events(world, tenant, 3), world.told(tenant, uuid7(), "x", kind=world.amended)]
    handlers = {world.issued: noting("issued"), world.amended: noting("amended")}
    trier.room = Room(world.group, handlers, noting("lock"))  # type: ignore[arg-type]
    await trier.work(incoming(trier.room, told))
    assert order == ["lock 4", "issued 3", "amended 1"]


async def test_copies_within_one_list_are_one_event(world: World, tenant: UUID, trier: Trier) -> None:
    told = events(world, tenant, 1)
    assert [e.id for e in await trier.work(incoming(trier.room, told * 3))] == [told[0].id]
    assert len(await world.effects()) == 1


async def test_an_id_with_a_name_is_known_again_in_a_later_month(world: World, tenant: UUID, trier: Trier) -> None:
    named = UUID("5b0e2a2e-52c4-5a31-8a7b-0c6c4b7f0001")
    body = world.issued(tenant_id=tenant, version=1, about=uuid7(), lane="x")  # type: ignore[call-arg]
    now = SystemClock().now()
    for month in ("2026-01-31", "2026-02-01"):
        told = Event(named, body, now, named)
        attributes = headers(told, "scheduler", now) | {"recorded_at": f"{month}T12:00:00+00:00"}
        record = Record(body.topic, 0, 0, body.key.encode(), attributes, body.model_dump_json().encode())
        it = trier.room.read(record, now)
        assert it is not None
        await trier.work([it])
    assert len(await world.effects()) == 1
