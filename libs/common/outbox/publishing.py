"""Batches to the broker: one lane a partition, and in a lane no later row before the earlier one's ack.

aiokafka can fail one batch of a partition and acknowledge the next, so each batch waits for the one before it.
An ack that is not above the last one of its partition says that the broker has lost its log.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import orjson
from aiokafka import AIOKafkaProducer

from libs.common.errors import RelanceError
from libs.common.kafka import partition_of

Lane = tuple[str, int]
"""Topic and partition."""


class LostLog(RelanceError):
    """The broker has lost records that it had acknowledged."""

    code = "lost_log"
    remedy = "Run `relance broker recover`."


class Row(Protocol):
    """A row of the outbox."""

    seq: int
    tenant_id: UUID
    topic: str
    key: str
    headers: str
    body: bytes | None


@dataclass
class Published:
    """What one pass achieved: the place that each acknowledged row got, and what went wrong with which topic."""

    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    """seq → partition, offset"""
    failures: dict[str, BaseException] = field(default_factory=dict)
    marks: dict[Lane, int] = field(default_factory=dict)
    """The last acknowledged offset of each lane."""

    @property
    def lost(self) -> LostLog | None:
        """The sign that the log was lost, if any lane met it."""
        return next((error for error in self.failures.values() if isinstance(error, LostLog)), None)


async def publish(producer: AIOKafkaProducer, rows: Sequence[Row], known: dict[Lane, int], within: float) -> Published:
    """Send rows in their order, lanes side by side; `known` are the marks so far. What had no ack `within` seconds
    counts as not sent. Raises nothing of the broker: see `failures`."""
    done = Published(marks=dict(known))
    lanes: defaultdict[Lane, list[Row]] = defaultdict(list)
    for row in rows:
        lanes[row.topic, partition_of(row.key)].append(row)
    tasks = [asyncio.create_task(_lane(producer, lane, mine, done)) for lane, mine in lanes.items()]
    try:
        await asyncio.wait(tasks, timeout=within)
    finally:
        for task in tasks:
            task.cancel()
    for (topic, _), outcome in zip(lanes, await asyncio.gather(*tasks, return_exceptions=True), strict=True):
        if outcome is not None:
            done.failures[topic] = TimeoutError() if isinstance(outcome, asyncio.CancelledError) else outcome
    return done


async def _lane(producer: AIOKafkaProducer, lane: Lane, rows: list[Row], done: Published) -> None:
    topic, partition = lane
    for batch, members in _batches(producer, rows):
        ack = await (await producer.send_batch(batch, topic, partition=partition))
        if ack.offset <= done.marks.get(lane, -1):
            last = done.marks[lane]
            raise LostLog(f"{topic} {partition} acknowledged offset {ack.offset} after {last}.")
        for shift, row in enumerate(members):
            done.places[row.seq] = (partition, ack.offset + shift)
        done.marks[lane] = ack.offset + len(members) - 1


def _batches(producer: AIOKafkaProducer, rows: list[Row]) -> Iterator[tuple[Any, list[Row]]]:
    batch = producer.create_batch()
    members: list[Row] = []
    for row in rows:
        if not _append(batch, row):
            yield batch, members
            batch, members = producer.create_batch(), []
            _append(batch, row)
        members.append(row)
    batch.close()
    yield batch, members


def _append(batch: Any, row: Row) -> bool:
    attributes = [(name, value.encode()) for name, value in orjson.loads(row.headers).items()]
    added = batch.append(timestamp=None, key=row.key.encode(), value=row.body, headers=attributes)
    return added is not None
