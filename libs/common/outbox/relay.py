"""The loop that moves what is in the outbox through the broker to the archive; one at work per schema.

The rules it protects: rows are read as "what is there", never as "greater than the last", because identity values
commit out of order; a row leaves the outbox only with its ack; after a lost log nothing more is sent.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from sqlalchemy import BigInteger, Integer, Text, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import breaker, kafka, logs
from libs.common.crash import crash_point
from libs.common.db import Database
from libs.common.forgetting import forget
from libs.common.metrics import BREAKER_OPEN, EVENTS_PUBLISHED, OUTBOX_OLDEST_SECONDS, OUTBOX_ROWS
from libs.common.outbox.floor import Floor
from libs.common.outbox.publishing import Lane, Published, publish
from libs.common.outbox.recording import BOUND
from libs.common.retry import backoff, dozing, is_transient
from libs.common.runtime import Pulse
from libs.common.settings import Settings
from libs.common.tables import NOBODY, outbox, relay_mark

RELAY = "relay"
"""Its name among the breakers of its schema."""
PASS = 2_000
TOGETHER = 0.02
"""Seconds after a small pass in which more comes together for the next one."""
SEND_WITHIN = 7.0
"""Seconds; the session may be idle in its transaction for 10."""
WHOLE_EVERY = 5.0
"""Seconds between looks at the gauges, and between reads from the very start (see `floor`: a belt for its braces)."""
MONTHS_EVERY = 3600.0
SHUT_FOR = 5.0
"""Seconds for which a topic that failed is left alone, so that the others go on."""

_gate = text("""
    select pg_try_advisory_xact_lock(hashtext(:name)) as mine,
           pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin,
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint as xmax,
           b.opened_at is not null as stopped, b.closed_at
      from (select) as one left join breaker b on b.consumer = :relay
""")
_known = select(relay_mark.c.topic, relay_mark.c.kafka_partition, relay_mark.c.kafka_offset)
_waiting = (
    select(outbox)
    .where(outbox.c.seq > bindparam("floor", type_=BigInteger))
    .where(outbox.c.topic != func.all(bindparam("shut", type_=ARRAY(Text))))
    .order_by(outbox.c.seq)
    .limit(bindparam("most", type_=Integer))
)
_archive = text("""
    with acked as (select * from unnest(cast(:seqs as bigint[]), cast(:partitions as int[]), cast(:offsets as bigint[]))
                            as a (seq, kafka_partition, kafka_offset)),
         gone as (delete from outbox o using acked a where o.seq = a.seq
                  returning o.seq, o.tenant_id, o.event_id, o.topic, o.key, o.headers, o.body, o.recorded_at,
                            a.kafka_partition, a.kafka_offset),
         marked as (insert into relay_mark (tenant_id, topic, kafka_partition, kafka_offset)
                    select :nobody, * from unnest(cast(:topics as text[]), cast(:lanes as int[]),
                                                  cast(:lasts as bigint[]))
                    on conflict (topic, kafka_partition) do update set kafka_offset = excluded.kafka_offset)
    insert into outbox_archive (seq, tenant_id, event_id, topic, key, headers, body, recorded_at, kafka_partition,
                                kafka_offset)
    select * from gone
""")
_gauges = text("""
    select outbox_waiting(:most),
           extract(epoch from clock_timestamp() - (select recorded_at from outbox order by seq limit 1))
""")


async def archive(db: AsyncConnection, done: Published) -> None:
    """Move the acknowledged rows to the archive with their places, and remember the last ack of each partition."""
    places = [(seq, *done.places[seq]) for seq in sorted(done.places)]
    seqs, partitions, offsets = (list(column) for column in zip(*places, strict=True))
    marks = [(*lane, last) for lane, last in sorted(done.marks.items())]
    topics, lanes, lasts = (list(column) for column in zip(*marks, strict=True))
    acked = {"seqs": seqs, "partitions": partitions, "offsets": offsets}
    await db.execute(_archive, acked | {"nobody": NOBODY, "topics": topics, "lanes": lanes, "lasts": lasts})


class Relay:
    """Publishes one service's outbox. Every process of the service may run one; they take turns.

    `database` is the loops'; after commits of it and of `others` that recorded events, the relay wakes at once.
    """

    def __init__(self, settings: Settings, service: str, database: Database, *others: Database) -> None:
        self.settings = settings
        self.service = service
        self.database = database
        self._pulse: Pulse | None = None
        self._producer: AIOKafkaProducer | None = None
        self._floor = Floor()
        self._resumed_at: datetime | None = None
        self._whole_at = self._house_at = self._months_at = float("-inf")
        self._shut: dict[str, float] = {}
        self._failed = self._empty = 0
        for each in (database, *others):
            each.told.append(self.nudge)

    def nudge(self) -> None:
        """Something was recorded: do not wait for the next turn."""
        if self._pulse is not None:
            self._pulse.nudge()

    async def run(self, pulse: Pulse) -> None:
        """Publish until the process stops; what is there by then is published before it ends."""
        self._pulse = pulse
        try:
            while not pulse.stopping.is_set():
                pulse.turn()
                published = await self.turn()
                if 0 < published < PASS:
                    await asyncio.sleep(TOGETHER)
                if published < PASS:
                    self._empty = 0 if published else self._empty + 1
                    await pulse.rest(backoff(self._failed) if self._failed else dozing(self._empty))
            while await self.turn():
                pulse.turn()
        finally:
            self._pulse = None
            await self._renounce()

    async def turn(self) -> int:
        """One pass; answers how many rows the broker took. Troubles of broker and database are waited out."""
        try:
            await self._keep_house()
            done = await self._pass(await self._connected())
        except Exception as error:
            if not isinstance(error, KafkaError) and not is_transient(error):
                raise
            done = Published(failures={"": error})
        await self._note(done)
        return len(done.places)

    async def _note(self, done: Published) -> None:
        if not done.failures:
            self._failed = 0
            return
        self._failed += 1
        until = time.monotonic() + SHUT_FOR
        self._shut |= {topic: until for topic in done.failures if topic and done.places}
        for topic, error in done.failures.items():
            logs.logger().warning("relay.pass_failed", topic=topic, error=type(error).__name__, detail=str(error))
        await self._renounce()

    async def _pass(self, producer: AIOKafkaProducer) -> Published:
        async with self.database.transaction() as db:
            if not await self._may(db):
                return Published()
            rows = await self._read(db)
            if not rows:
                self._floor.read(None, more=False, clean=not self._shut)
                return Published()
            done = await publish(producer, rows, await _marks(db), SEND_WITHIN)
            crash_point("relay.acked", self.service)
            if done.places:
                await archive(db, done)
            if done.lost:
                await breaker.open_(db, RELAY, "lost_log", done.lost.detail)
        clean = len(done.places) == len(rows) and not self._shut
        self._floor.read(rows[-1].seq, more=len(rows) == PASS, clean=clean)
        for topic, count in Counter(row.topic for row in rows if row.seq in done.places).items():
            EVENTS_PUBLISHED.labels(topic).inc(count)
        return done

    async def _may(self, db: AsyncConnection) -> bool:
        gate = (await db.execute(_gate, {"name": f"relance.relay.{self.database.schema}", "relay": RELAY})).one()
        BREAKER_OPEN.labels(RELAY).set(gate.stopped)
        if gate.stopped or gate.closed_at != self._resumed_at:
            # A recovery may have put old rows back.
            self._floor, self._resumed_at = Floor(), gate.closed_at
        self._floor.look(gate.xmin, gate.xmax)
        return bool(gate.mine) and not gate.stopped

    async def _read(self, db: AsyncConnection) -> Sequence[Any]:
        now = time.monotonic()
        whole = now - self._whole_at >= WHOLE_EVERY
        if whole:
            self._whole_at = now
        self._shut = {topic: until for topic, until in self._shut.items() if until > now}
        floor = 0 if whole else self._floor.value
        return (await db.execute(_waiting, {"floor": floor, "shut": list(self._shut), "most": PASS})).all()

    async def _keep_house(self) -> None:
        """Months made ahead and gauges shown, also while the broker is away."""
        now = time.monotonic()
        if now - self._house_at < WHOLE_EVERY:
            return
        async with self.database.transaction() as db:
            if now - self._months_at >= MONTHS_EVERY:
                await db.execute(text("select keep_months()"))
                await forget(db)
            waiting, oldest = (await db.execute(_gauges, {"most": BOUND})).one()
        OUTBOX_ROWS.set(waiting)
        OUTBOX_OLDEST_SECONDS.set(oldest or 0)
        self._house_at = now
        self._months_at = now if now - self._months_at >= MONTHS_EVERY else self._months_at

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            fresh = kafka.producer(self.settings)
            try:
                async with asyncio.timeout(SEND_WITHIN):
                    await fresh.start()
            except BaseException:
                await _stop(fresh)
                raise
            self._producer = fresh
        return self._producer

    async def _renounce(self) -> None:
        """A producer that failed may hold batches that nobody waits for: the next pass makes a new one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(2):
            await producer.stop()
    except (TimeoutError, KafkaError) as error:
        logs.logger().info("relay.producer_left", error=type(error).__name__)


async def _marks(db: AsyncConnection) -> dict[Lane, int]:
    return {(topic, partition): offset for topic, partition, offset in await db.execute(_known)}
