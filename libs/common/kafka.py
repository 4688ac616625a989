"""The broker's side of the bus: its topics, how a client is made, which partition a key belongs to.

Keys map to partitions as Kafka's own clients map them (murmur2), so a record written by another tool lands beside
ours. No Kafka transactions and no idempotent producer: aiokafka's jam after a hiccup (#1017), the inbox dedupes.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code
from aiokafka.helpers import create_ssl_context
from aiokafka.partitioner import murmur2

from libs.common.events import COMPACTED, OWNERS, PARTITIONS
from libs.common.settings import Settings

POLL = 500
"""Records a consumer takes at once."""
FETCH_WAIT_MS = 100
"""How long the broker holds a request for which it has nothing. aiokafka has one request at a time under way: while it
waits for some partitions, what comes on the others waits with it."""
_DAY = 86_400_000


@lru_cache(maxsize=100_000)
def partition_of(key: str) -> int:
    """The partition of a key on every topic of ours."""
    return int((murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS)


def group_of(service: str) -> str:
    """The consumer group of a service."""
    return f"relance.{service}"


def reaching(settings: Settings) -> dict[str, Any]:
    """What every client is told about the brokers: their addresses, and how we prove who we are."""
    told: dict[str, Any] = {"bootstrap_servers": settings.kafka}
    if settings.kafka_tls:
        told["ssl_context"] = create_ssl_context(cafile=settings.kafka_ca)
    if settings.kafka_user is not None:
        told |= {
            "sasl_mechanism": settings.kafka_sasl,
            "sasl_plain_username": settings.kafka_user,
            "sasl_plain_password": settings.kafka_password,
        }
    told["security_protocol"] = ("SASL_" if settings.kafka_user else "") + (
        "SSL" if settings.kafka_tls else "PLAINTEXT"
    )
    return told


def producer(settings: Settings) -> AIOKafkaProducer:
    """A producer that calls a record sent when every in-sync replica has it; not started yet."""
    return AIOKafkaProducer(
        **reaching(settings),
        acks="all",
        enable_idempotence=False,
        compression_type="zstd",
        max_batch_size=500_000,
        request_timeout_ms=7_000,
    )


def consumer(settings: Settings, group: str | None, topics: Iterable[str] = ()) -> AIOKafkaConsumer:
    """A member of a group, or a reader without one, that commits nothing by itself; not started yet.

    The broker waits 30 s for a member that finishes the batch in hand before it rejoins.
    """
    return AIOKafkaConsumer(
        *topics,
        **reaching(settings),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=POLL,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=2_000,
        rebalance_timeout_ms=30_000,
    )


def _topic(name: str, replicas: int) -> NewTopic:
    configs = {"compression.type": "zstd", "min.insync.replicas": str(max(1, replicas - 1))}
    if name in COMPACTED:
        configs |= {
            "cleanup.policy": "compact",
            "max.compaction.lag.ms": str(7 * _DAY),
            "delete.retention.ms": str(30 * _DAY),
        }
    else:
        configs["retention.ms"] = "-1"
    return NewTopic(name, PARTITIONS, replicas, topic_configs=configs)


async def ensure_topics(settings: Settings) -> None:
    """Make the topics that are missing: 12 partitions, kept for ever or compacted, on three brokers if there are."""
    admin = AIOKafkaAdminClient(**reaching(settings))
    await admin.start()
    try:
        brokers = len((await admin.describe_cluster())["brokers"])
        missing = sorted(set(OWNERS) - set(await admin.list_topics()))
        if missing:
            answer: Any = await admin.create_topics([_topic(name, min(3, brokers)) for name in missing])
            _raise_unless_made(answer.topic_errors)
    finally:
        await admin.close()


def _raise_unless_made(errors: Iterable[tuple[Any, ...]]) -> None:
    for _, code, *_ in errors:
        found = for_code(code)
        if code and found is not TopicAlreadyExistsError:
            raise found
