"""The member of a consumer group: poll, work, commit the offsets, and give way when partitions move.

The rules it protects: offsets are committed after the effects; a revoke waits for the batch in hand; a partition with
an unknown version waits and alerts; a broker that lost its log stops the consumer instead of feeding it the past.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from libs.common import breaker, dead_letters, kafka, logs
from libs.common.clock import SystemClock
from libs.common.consumer.batch import Room
from libs.common.consumer.draining import Drainer
from libs.common.consumer.rounds import Handler, Lock
from libs.common.consumer.trying import BreakerOpened, Trier
from libs.common.crash import crash_point
from libs.common.db import Database
from libs.common.errors import RelanceError, Unavailable
from libs.common.events import COMPACTED, TYPES, Event
from libs.common.events.envelope import Body
from libs.common.incoming import Incoming, UnknownVersion, from_kafka, recorded_at
from libs.common.metrics import (
    BATCH_SECONDS,
    CONSUMER_LAG_RECORDS,
    EVENT_AGE_SECONDS,
    EVENTS_HANDLED,
    LOOP_INTERRUPTIONS,
    PARTITION_STOPPED,
    UNKNOWN_EVENTS,
)
from libs.common.outbox.publishing import LostLog
from libs.common.retry import backoff, interruption, is_transient
from libs.common.runtime import Pulse
from libs.common.settings import Settings

POLL_MS = 500
REVOKE_WITHIN = 20.0
"""Seconds that a rebalance waits for the batch in hand."""
BEHIND = kafka.POLL // 4
"""Records of one batch from which a member is catching up."""
LOOK_EVERY = 1.0
"""Seconds between looks at the breaker and at letters that were let go."""
STALL_EVERY = 20.0
"""Seconds without a record after which a member asks whether there would be some (aiokafka #1037 stops so)."""
STOPPED_REST = 2.0
RESTS, RESTS_BEHIND, REST_MOST = 3.0, 0.5, 0.1
"""After a batch a member rests three times as long as it worked, half as long while it catches up, 0.1 s at most
unless told otherwise; what it waited for the batch counts as rest. So records come together and share a commit and the
doors of the machine get their turn, and what comes after a silence is passed on at once."""
REMEMBERED = timedelta(days=400)

Batch = Mapping[TopicPartition, Sequence[Any]]


class GivenUp(RelanceError):
    """The batch in hand is left to whoever gets its partitions next."""

    code = "given_up"


class Stalled(Unavailable):
    """Records do not come although there are some."""

    code = "stalled"


class Consumer(ConsumerRebalanceListener):
    """Hears what `handlers` name, each event once, each key in order.

    `lock` locks all aggregates of a batch at once before the handlers run. `group` names the consumer in Kafka and
    in the inbox: a new name reads everything again. With `acts=False` (projections) events that are older than the
    inbox's 400 days are heard too. `rest` is the longest pause between batches, in seconds. `database` is the loops';
    one connection is used at a time.
    """

    def __init__(
        self,
        settings: Settings,
        service: str,
        database: Database,
        handlers: Mapping[type[Body], Handler],
        *,
        lock: Lock | None = None,
        group: str | None = None,
        acts: bool = True,
        rest: float = REST_MOST,
    ) -> None:
        self.settings = settings
        self.database = database
        self.name = group or kafka.group_of(service)
        self.acts = acts
        self.rest = rest
        self.room = Room(self.name, handlers, lock)
        self.trier = Trier(database, self.room, self._breathe)
        self.drainer = Drainer(database, self.room)
        self._busy = asyncio.Lock()
        self._generation = self._checked = 0
        self.giving_way = False
        """Whether a rebalance waits for the batch in hand."""
        self._looked_at = float("-inf")
        self._taken = 0
        self._heard_at = self._free_at = 0.0
        self._waiting: set[tuple[TopicPartition, int]] = set()
        self._next: dict[TopicPartition, int] = {}
        self._stopped: set[TopicPartition] = set()
        self._pulse = Pulse()
        self._kafka: AIOKafkaConsumer | None = None

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The partitions that this member reads now."""
        return frozenset(self._kafka.assignment()) if self._kafka is not None else frozenset()

    def behind(self) -> bool:
        """Whether the last batch was so large that more is waiting."""
        return self._taken >= BEHIND

    async def run(self, pulse: Pulse) -> None:
        """Hear until the process stops; troubles of the broker and the database are waited out."""
        self._pulse = pulse
        failed = 0
        await self._after_deploy()
        while not pulse.stopping.is_set():
            pulse.turn()
            try:
                if await self._may():
                    await self._member()
                else:
                    await pulse.rest(STOPPED_REST)
                failed = 0
            except BreakerOpened:
                logs.logger().critical("consumer.stopped", consumer=self.name)
            except Exception as error:
                if not isinstance(error, KafkaError | Stalled) and not is_transient(error):
                    raise
                failed += 1
                LOOP_INTERRUPTIONS.labels("consumer").inc()
                logs.logger().warning("consumer.interrupted", consumer=self.name, **interruption(error))
                await pulse.rest(backoff(failed))

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """aiokafka asks before partitions move: wait for the batch in hand, 20 s at most."""
        self.giving_way = True
        try:
            async with asyncio.timeout(REVOKE_WITHIN):
                async with self._busy:
                    self._forget()
        except TimeoutError:
            logs.logger().error("consumer.revoked_in_hand", consumer=self.name)
            self._forget()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """aiokafka tells what is ours now."""
        self.giving_way = False

    def _forget(self) -> None:
        for place in self._next.keys() | self._stopped:
            PARTITION_STOPPED.labels(place.topic, place.partition).set(0)
        self._generation += 1
        self._next.clear()
        self._stopped.clear()
        self._waiting.clear()

    async def _member(self) -> None:
        """One membership of the group: until the process stops, the breaker opens, or the client fails."""
        self.giving_way = False
        self._forget()
        self._heard_at = asyncio.get_running_loop().time()
        self._kafka = client = kafka.consumer(self.settings, self.name)
        try:
            client.subscribe(self.room.topics, listener=self)
            await client.start()
            while not self._pulse.stopping.is_set() and await self._look():
                self._pulse.turn()
                generation = self._generation
                batch = await client.getmany(timeout_ms=POLL_MS)
                if generation != self._generation:
                    self._return(batch)
                elif batch:
                    self._heard_at = asyncio.get_running_loop().time()
                    await self._take(batch)
                    await self._let_others(batch)
                else:
                    self._taken = 0
                    await self._check_stall(client)
        finally:
            self._kafka = None
            await client.stop()

    async def _let_others(self, batch: Batch) -> None:
        """Rest after a batch, shortly."""
        self._taken = sum(map(len, batch.values()))
        loop = asyncio.get_running_loop()
        took, waited = loop.time() - self._heard_at, self._heard_at - self._free_at
        await asyncio.sleep(max(0, min(self.rest, took * (RESTS_BEHIND if self.behind() else RESTS)) - waited))
        self._free_at = loop.time()

    async def _take(self, batch: Batch) -> None:
        async with self._busy:
            await self._check_log(batch)
            ends: dict[TopicPartition, int] = {}
            incoming = self._read(batch, ends)
            began = asyncio.get_running_loop().time()
            try:
                handled = await self.trier.work(incoming)
            except GivenUp:
                self._return(batch)
                return
            finally:
                self._resume()
            BATCH_SECONDS.labels(self.name).observe(asyncio.get_running_loop().time() - began)
            self._count(handled, incoming)
            crash_point("consumer.committed", self.database.service)
            await self._commit(ends)

    def _read(self, batch: Batch, ends: dict[TopicPartition, int]) -> list[Incoming]:
        """The readable of a batch in their order; `ends` gets where each partition goes on."""
        now = SystemClock().now()
        found: list[Incoming] = []
        for place, records in batch.items():
            for raw in records:
                try:
                    it = self.room.read(record := from_kafka(raw), now)
                except UnknownVersion as unknown:
                    self._stop(place, raw.offset, unknown)
                    break
                ends[place] = raw.offset + 1
                if it is None:
                    _skipped(record)
                elif self.acts and place.topic not in COMPACTED and now - recorded_at(record, now) > REMEMBERED:
                    EVENTS_HANDLED.labels(record.type or "unreadable", "old").inc()
                else:
                    found.append(it)
        return found

    def _stop(self, place: TopicPartition, offset: int, why: UnknownVersion) -> None:
        where = {"topic": place.topic, "partition": place.partition, "offset": offset}
        logs.logger().critical("partition.stopped", **where, why=why.detail)
        self._stopped.add(place)
        PARTITION_STOPPED.labels(place.topic, place.partition).set(1)
        if self._kafka is not None and place in self._kafka.assignment():
            self._kafka.pause(place)
            self._kafka.seek(place, offset)

    def _count(self, handled: Sequence[Event], incoming: Sequence[Incoming]) -> None:
        now = SystemClock().now()
        recorded = {it.event_id: recorded_at(it.record, now) for it in incoming}
        for event in handled:
            EVENTS_HANDLED.labels(event.type, "handled").inc()
            EVENT_AGE_SECONDS.labels(event.type).observe((now - recorded[event.id]).total_seconds())

    async def _commit(self, ends: Mapping[TopicPartition, int]) -> None:
        """Commit where our partitions go on. What fails is committed with the next batch; the inbox dedupes."""
        client = self._kafka
        mine = {place: end for place, end in ends.items() if client is not None and place in client.assignment()}
        self._next |= mine
        if client is None or not mine:
            return
        try:
            await client.commit(mine)
        except KafkaError as error:
            logs.logger().warning("offsets.not_committed", consumer=self.name, error=type(error).__name__)
        for place, end in mine.items():
            high = client.highwater(place) if place in client.assignment() else None
            CONSUMER_LAG_RECORDS.labels(place.topic, place.partition).set(max(0, (high or end) - end))

    async def _check_log(self, batch: Batch) -> None:
        """Stop if the broker lost its log: a partition went backwards, or our offsets lie beyond its end."""
        lost = [place for place, raws in batch.items() if raws[0].offset < self._next.get(place, 0)]
        client = self._kafka
        if self._checked != self._generation and client is not None:
            mine = client.assignment()
            ends = await client.end_offsets(list(mine))
            lost += [place for place in mine if (await client.committed(place) or 0) > ends[place]]
            self._checked = self._generation
        if lost:
            detail = ", ".join(f"{place.topic} {place.partition}" for place in lost)
            async with self.database.transaction() as db:
                await breaker.open_(db, self.name, "lost_log", f"offsets beyond the end of {detail}")
            raise BreakerOpened() from LostLog(detail)

    async def _check_stall(self, client: AIOKafkaConsumer) -> None:
        """A member that twice found the same record waiting and heard nothing joins anew. Raises Stalled."""
        now = asyncio.get_running_loop().time()
        if now - self._heard_at < STALL_EVERY:
            return
        self._heard_at = now
        mine = list(client.assignment() - self._stopped)
        if not mine:
            return
        async with asyncio.timeout(STALL_EVERY):
            ends = await client.end_offsets(mine)
            at = {place: await client.position(place) for place in mine}
        waiting = {(place, at[place]) for place in mine if at[place] < ends[place]}
        still, self._waiting = waiting & self._waiting, waiting
        if still:
            raise Stalled(f"{len(still)} partitions have records that do not come.")

    async def _breathe(self, attempt: int) -> None:
        """Between two tries: still alive, still in the group, nothing new taken. Raises GivenUp when it should end."""
        self._pulse.turn()
        if self._kafka is not None:
            self._kafka.pause(*self._kafka.assignment())
            self._return(await self._kafka.getmany(timeout_ms=0))
        if self._pulse.stopping.is_set() or self.giving_way:
            raise GivenUp()
        await self._pulse.rest(backoff(attempt))

    def _return(self, batch: Batch) -> None:
        """Read these again later: they were not worked."""
        for place, records in batch.items():
            if self._kafka is not None and place in self._kafka.assignment():
                self._kafka.seek(place, records[0].offset)

    def _resume(self) -> None:
        if self._kafka is not None:
            self._kafka.resume(*(self._kafka.paused() - self._stopped))

    async def _look(self) -> bool:
        """Once a second: may we go on, and has a letter been let go?"""
        now = asyncio.get_running_loop().time()
        if now - self._looked_at < LOOK_EVERY:
            return True
        self._looked_at = now
        async with self._busy:
            await self.drainer.turn()
        async with self.database.transaction() as db:
            await dead_letters.show(db)
        return await self._may()

    async def _may(self) -> bool:
        async with self.database.transaction() as db:
            return not await breaker.is_open(db, self.name)

    async def _after_deploy(self) -> None:
        """Be known by name; a new release may try again what an older one failed at."""
        failed = 0
        while not self._pulse.stopping.is_set():
            try:
                async with self.database.transaction() as db:
                    await breaker.probe(db, self.name)
                    await breaker.close_after_deploy(db, self.name)
                return
            except Exception as error:
                if not is_transient(error):
                    raise
                failed += 1
                await self._pulse.rest(backoff(failed))


def _skipped(record: Any) -> None:
    if record.body is None:
        EVENTS_HANDLED.labels(record.type or "erased", "erased").inc()
    elif record.type not in TYPES:
        UNKNOWN_EVENTS.labels(record.topic).inc()
