"""The embedded Apache Kafka speaks to our client and keeps what it acknowledged."""

import asyncio
import itertools
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from libs.common.devstack.kafka import Kafka
from tests.support import eventually
from tests.support.stack import free_base

TOPIC = "devstack.kept"


async def test_what_the_broker_acknowledged_under_load_is_there_after_a_kill_and_a_restart(tmp_path: Path) -> None:
    broker = Kafka(tmp_path / "kafka", free_base() + 92, tmp_path / "kafka.log")
    broker.start()
    try:
        await _make_topic(broker)
        producer = AIOKafkaProducer(bootstrap_servers=broker.address, acks="all", retry_backoff_ms=500)
        await producer.start()
        acknowledged: list[bytes] = []
        writing = asyncio.create_task(_write(producer, acknowledged))
        await eventually(lambda: len(acknowledged) > 500)
        broker.kill()
        broker.start()
        counted = len(acknowledged)
        await eventually(lambda: len(acknowledged) > counted + 100, 60)
        writing.cancel()
        await producer.stop()
        assert set(acknowledged) <= await _read(broker)
    finally:
        broker.stop()


async def _make_topic(broker: Kafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def _write(producer: AIOKafkaProducer, acknowledged: list[bytes]) -> None:
    """Send numbers, ten under way at a time, and note those that were acknowledged."""
    for start in itertools.count(step=10):
        values = [str(number).encode() for number in range(start, start + 10)]
        answers = [await producer.send(TOPIC, value) for value in values]
        for value, answer in zip(values, await asyncio.gather(*answers, return_exceptions=True), strict=True):
            if not isinstance(answer, BaseException):
                acknowledged.append(value)


async def _read(broker: Kafka) -> set[bytes]:
    """Everything in the topic up to its present end."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.address, enable_auto_commit=False)
    await consumer.start()
    try:
        partition = TopicPartition(TOPIC, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        found: set[bytes] = set()
        while await consumer.position(partition) < end:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                found |= {record.value for record in records}
    finally:
        await consumer.stop()
    return found
