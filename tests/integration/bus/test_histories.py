"""Random histories of batches, copies, poison, replays and drops: every lane ends once and in order."""

import random
from uuid import UUID, uuid4

import pytest

from libs.common import dead_letters
from libs.common.consumer.batch import Room
from libs.common.consumer.draining import Drainer
from libs.common.consumer.trying import BreakerOpened, Trier
from libs.common.db import Database
from libs.common.events import OWNERS, Event
from libs.common.ids import uuid7
from libs.common.settings import Settings
from tests.integration.bus.test_trying import Breaths, incoming
from tests.integration.bus.world import SERVICE, World, in_order, kinds


class History:
    """One random life of a consumer: what the topic told, what was handed over, what a person decided."""

    def __init__(self, world: World, tenant: UUID, seed: int) -> None:
        self.world = world
        self.dice = random.Random(seed)
        self.events = self._events(tenant)
        self.dropped: set[UUID] = set()
        room = Room(world.group, {world.issued: world.heard, world.amended: world.heard}, None)
        self.trier = Trier(world.database, room, Breaths())
        self.drainer = Drainer(world.database, room)
        world.impossible = {event.id for event in self.events if self.dice.random() < 0.06}
        world.broken = {event.id for event in self.events if self.dice.random() < 0.03}
        world.transient = {event.id: self.dice.randrange(4) for event in self.events if self.dice.random() < 0.1}

    def _events(self, tenant: UUID) -> list[Event]:
        version: dict[int, int] = {}
        found = []
        for _ in range(120):
            lane = self.dice.randrange(6)
            version[lane] = version.get(lane, 0) + 1
            kind = self.dice.choice([self.world.issued, self.world.amended])
            found.append(self.world.told(tenant, uuid7(), str(lane), version[lane], kind))
        return found

    async def live(self) -> None:
        """Hand everything over in batches, going back now and then, while a person decides about letters."""
        at = 0
        while at < len(self.events):
            size = self.dice.randrange(1, 30)
            await self._hand_over(self.events[at : at + size])
            at += size
            if self.dice.random() < 0.3:
                at = self.dice.randrange(at + 1)
            if self.dice.random() < 0.5:
                await self._decide()
        await self._settle()

    async def _hand_over(self, events: list[Event]) -> None:
        try:
            await self.trier.work(incoming(self.trier.room, events))
        except BreakerOpened:
            raise AssertionError("one tenant and few letters must not open the breaker") from None

    async def _decide(self) -> None:
        """A person mends or not, then replays or drops one letter; the service drains."""
        waiting = [letter for letter in await self.world.letters() if letter.state == "open"]
        if not waiting:
            return
        letter = self.dice.choice(waiting)
        async with self.world.database.transaction() as db:
            if self.dice.random() < 0.3:
                await dead_letters.drop(db, letter.letter_id, "anne", "not needed")
                self.dropped.add(letter.event_id)
            else:
                await dead_letters.replay(db, letter.letter_id, "anne")
        if self.dice.random() < 0.7:
            self.world.impossible.discard(letter.event_id)
            self.world.broken.discard(letter.event_id)
        await self.drainer.turn()

    async def _settle(self) -> None:
        """Everything is mended and replayed until nothing waits."""
        self.world.impossible.clear()
        self.world.broken.clear()
        while [letter for letter in await self.world.letters() if letter.state == "open"] or await self.world.parked():
            for letter in await self.world.letters():
                if letter.state == "open":
                    async with self.world.database.transaction() as db:
                        await dead_letters.replay(db, letter.letter_id, "anne")
            await self.drainer.turn()


@pytest.fixture
def quiet(bus: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world without a topic: records are handed over by the test."""
    topic = f"test.{uuid4().hex}"
    monkeypatch.setitem(OWNERS, topic, SERVICE)
    return World(bus, database, *kinds(topic), group=f"group.{uuid4().hex}")


@pytest.mark.parametrize("seed", range(10))
async def test_every_lane_ends_with_its_effects_once_and_in_order(quiet: World, tenant: UUID, seed: int) -> None:
    history = History(quiet, tenant, seed)
    await history.live()
    effects = await quiet.effects()
    assert {row.event_id for row in effects} == {event.id for event in history.events} - history.dropped
    assert len(effects) == len({row.event_id for row in effects})
    assert in_order(effects)
