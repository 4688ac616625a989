"""A broker that lost its log: what was archived is published again, groups go back, and no effect doubles."""

from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from libs.common import breaker, kafka
from libs.common.ids import uuid7
from libs.common.outbox import Relay
from libs.common.recovery import recover
from tests.integration.bus.world import SERVICE, World, in_order, running
from tests.support import eventually


async def _everything(world: World, count: int) -> bool:
    return len(await world.effects()) == count


async def _lose_the_log(world: World) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.settings.kafka)
    await admin.start()
    await admin.delete_topics([world.topic])
    await eventually(lambda: _gone(admin, world.topic))
    await admin.close()
    await kafka.ensure_topics(world.settings)
    # Deleting a topic forgets the groups' places on it; a lost disk does not.
    client = kafka.consumer(world.settings, world.group)
    await client.start()
    places = [TopicPartition(world.topic, partition) for partition in range(12)]
    client.assign(places)
    await client.commit(dict.fromkeys(places, 25))
    await client.stop()


async def _gone(admin: AIOKafkaAdminClient, topic: str) -> bool:
    return topic not in await admin.list_topics()


async def test_after_a_lost_log_the_topic_tells_everything_again_and_no_effect_doubles(
    world: World, tenant: UUID
) -> None:
    events = [world.told(tenant, uuid7(), str(n % 9), n) for n in range(1, 301)]
    await world.record(*events)
    async with running(Relay(world.settings, SERVICE, world.database).run, world.consumer().run):
        await eventually(lambda: _everything(world, 300), 30)
    await _lose_the_log(world)
    later = [world.told(tenant, uuid7(), str(n % 9), n) for n in range(301, 321)]
    await world.record(*later)
    async with running(Relay(world.settings, SERVICE, world.database).run, world.consumer().run):
        await eventually(lambda: _stopped(world), 30)
        done = await recover(world.settings, [SERVICE])
        assert done.events[world.topic] == 300
        assert done.groups[world.group] > 0
        await eventually(lambda: _everything(world, 320), 40)
    assert in_order(await world.effects())
    told = {dict(record.headers)["ce_id"].decode() for record in await world.on_topic()}
    assert told == {str(event.id) for event in (*events, *later)}


async def _stopped(world: World) -> bool:
    async with world.database.transaction() as db:
        return {"relay", world.group} <= {one.consumer for one in await breaker.opened(db)}


async def test_recovery_changes_nothing_when_nothing_was_lost(world: World, tenant: UUID) -> None:
    events = [world.told(tenant, uuid7(), str(n % 9), n) for n in range(1, 101)]
    await world.record(*events)
    async with running(Relay(world.settings, SERVICE, world.database).run, world.consumer().run):
        await eventually(lambda: _everything(world, 100), 30)
        done = await recover(world.settings, [SERVICE])
        assert (done.events.get(world.topic, 0), done.groups[world.group]) == (0, 0)
        await world.record(world.told(tenant, uuid7(), "after"))
        await eventually(lambda: _everything(world, 101), 30)
    assert len(await world.on_topic()) == 101
