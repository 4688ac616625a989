"""The relay: everything recorded reaches its topic, in order per key, and leaves the outbox only with its ack."""

from uuid import UUID

from sqlalchemy import func, select

from libs.common.ids import uuid7
from libs.common.outbox import Relay
from libs.common.tables import outbox, outbox_archive
from tests.integration.bus.world import SERVICE, World, running
from tests.support import eventually


async def waiting(world: World) -> int:
    async with world.database.transaction() as db:
        return await db.scalar(select(func.count()).where(outbox.c.topic == world.topic)) or 0


async def published(world: World) -> bool:
    return await waiting(world) == 0


async def test_what_is_recorded_is_published_in_order_and_archived_with_its_place(world: World, tenant: UUID) -> None:
    events = [world.told(tenant, uuid7(), str(n % 7), n) for n in range(1, 501)]
    relay = Relay(world.settings, SERVICE, world.database)
    async with running(relay.run):
        await world.record(*events)
        await eventually(lambda: published(world))
    records = await world.on_topic()
    assert {dict(r.headers)["ce_id"].decode() for r in records} == {str(e.id) for e in events}
    for key in {r.key for r in records}:
        mine = [e for e in events if e.key.encode() == key]
        sent = [dict(r.headers)["ce_id"].decode() for r in records if r.key == key]
        assert sent == [str(e.id) for e in mine]
    async with world.database.transaction() as db:
        rows = await db.execute(select(outbox_archive).where(outbox_archive.c.topic == world.topic))
        places = {(str(row.event_id), row.kafka_partition, row.kafka_offset) for row in rows}
    assert places == {(dict(r.headers)["ce_id"].decode(), r.partition, r.offset) for r in records}
