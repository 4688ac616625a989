"""The embedded Apache Kafka speaks to our client and keeps what it acknowledged."""

from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from libs.common.devstack.kafka import Kafka
from tests.support.stack import free_base

TOPIC = "devstack.kept"


async def test_what_the_broker_acknowledged_is_there_after_a_kill_and_a_restart(tmp_path: Path) -> None:
    broker = Kafka(tmp_path / "kafka", free_base() + 92, tmp_path / "kafka.log")
    broker.start()
    try:
        await _make_topic(broker)
        sent = await _send(broker, 500)
        broker.kill()
        broker.start()
        assert await _read(broker, len(sent)) == sent
    finally:
        broker.stop()


async def _make_topic(broker: Kafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def _send(broker: Kafka, count: int) -> list[bytes]:
    producer = AIOKafkaProducer(bootstrap_servers=broker.address, acks="all")
    await producer.start()
    try:
        values = [str(number).encode() for number in range(count)]
        for answer in [await producer.send(TOPIC, value) for value in values]:
            await answer
    finally:
        await producer.stop()
    return values


async def _read(broker: Kafka, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=broker.address, group_id="devstack", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        found: list[bytes] = []
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                found += [record.value for record in records]
    finally:
        await consumer.stop()
    return found
