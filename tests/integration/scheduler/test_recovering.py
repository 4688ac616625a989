"""The scheduler after the database went back in time: it decides and posts nothing, and knows what it had released."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import httpx
import pytest
from sqlalchemy import delete

from libs.common import restoring
from libs.common.devstack.kafka import Kafka
from libs.common.events import event
from libs.common.ids import uuid7
from libs.common.outbox import Relay, record
from libs.common.settings import Settings
from libs.common.tables import outbox
from services.scheduler.adopting import adopt
from services.scheduler.tables import occurrence
from tests.integration.bus.world import running
from tests.integration.scheduler.test_courier import courier_to, mine
from tests.integration.scheduler.test_credit import WHY, as_bob
from tests.integration.scheduler.test_doors import posted
from tests.integration.scheduler.world import World
from tests.support import eventually

DUE = date(2026, 9, 1)


@pytest.fixture
async def recovering(world: World) -> AsyncIterator[None]:
    async with world.database.transaction() as db:
        await restoring.start(db, datetime.now(UTC), {})
    yield
    async with world.database.transaction() as db:
        await restoring.stop(db)


async def test_no_message_is_posted_while_the_service_recovers(
    owing: World, doors: httpx.AsyncClient, settings: Settings, recovering: None
) -> None:
    await posted(doors, "/v1/credit/endpoints", {"url": "http://erp.test/credit"})
    told = {"payer_id": str(owing.debtor("A")), "act": "block", "reason": "x"}
    block = await posted(doors, "/v1/credit/blocks", told)
    await as_bob(owing, settings, doors, f"/v1/credit/blocks/{block['block_id']}/approve", WHY)
    courier = courier_to(owing, settings, lambda request: httpx.Response(204))
    assert await mine(courier, doors) == ["waiting"]
    async with owing.database.transaction() as db:
        await restoring.stop(db)
    assert await mine(courier, doors) == ["delivered"]


async def test_nothing_is_decided_while_the_service_recovers(world: World, recovering: None) -> None:
    await world.tell(world.issued("F1", DUE))
    assert await world.day(date(2026, 9, 3)) == []
    async with world.database.transaction() as db:
        await restoring.stop(db)
    assert [due.step_key for due in await world.sweep()] == ["friendly"]


async def test_a_release_that_was_said_is_known_again_and_is_not_made_anew(
    world: World, settings: Settings, kafka: Kafka
) -> None:
    began = datetime.now(UTC)
    await world.tell(world.issued("F1", DUE), world.issued("F2", DUE))
    first = (await world.day(date(2026, 9, 3)))[0]
    await world.tell(world.matched("P", 500, "F1", 0), world.settled("F1"))
    await world.sweep()
    await world.tell(world.stopped(first, "settled"))
    again = (await world.sweep())[0]
    before = await world.rows(occurrence)
    foreign = first.model_copy(update={"lines": [first.lines[0].model_copy(update={"occurrence_id": uuid7()})]})
    async with world.database.transaction() as db:
        await record(db, event(foreign, world.clock.now()))
    async with running(Relay(settings, "scheduler", world.database).run):
        await eventually(lambda: _relayed(world), 30)
    async with world.database.transaction() as db:
        await db.execute(delete(occurrence).where(occurrence.c.tenant_id == world.tenant))
    assert await adopt(settings, began) >= 3
    assert await adopt(settings, began) == 0
    await world.tell(world.stopped(first, "settled"), world.sent(again))
    assert await world.states() == {("F1", "friendly"): "stopped", ("F2", "friendly"): "completed"}
    facts = [name for name in before[0] if name not in ("state", "reason", "ends", "ended_at", "retry_on", "withdrawn")]
    told = [{name: row[name] for name in facts} for row in before]
    assert [{name: row[name] for name in facts} for row in await world.rows(occurrence)] == told
    assert await world.sweep() == []


async def _relayed(world: World) -> bool:
    return not await world.rows(outbox)
