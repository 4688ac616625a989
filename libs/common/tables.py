"""The tables that every service's schema has: the bus, the memory of the doors.

No table names a schema: the search path of a role is its own. `NOBODY` stands in `tenant_id` where a row is
about the machinery or about a record that nobody could read.
"""

from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)

common = MetaData()
NOBODY = UUID(int=0)


def instant(name: str, *, nullable: bool = False, now: bool = False) -> Column[object]:
    """A column that holds an instant; `now` fills it with the database's."""
    return Column(
        name, DateTime(timezone=True), nullable=nullable, server_default=func.clock_timestamp() if now else None
    )


outbox = Table(
    "outbox",
    common,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("headers", Text, nullable=False, comment="JSON object of text"),
    Column("body", LargeBinary, comment="JSON; null says that the key is erased"),
    instant("recorded_at", now=True),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0", "autovacuum_vacuum_threshold": "5000"},
)

outbox_archive = Table(
    "outbox_archive",
    common,
    Column("seq", BigInteger, nullable=False),
    Column("tenant_id", Uuid, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary),
    instant("recorded_at"),
    Column("kafka_partition", Integer, nullable=False),
    Column("kafka_offset", BigInteger, nullable=False),
    PrimaryKeyConstraint("seq", "recorded_at"),
    Index("outbox_archive_position", "topic", "kafka_partition", "kafka_offset"),
    Index("outbox_archive_person", "key", postgresql_where=text("topic = 'relance.debtors'")),
    postgresql_partition_by="RANGE (recorded_at)",
)

relay_mark = Table(
    "relay_mark",
    common,
    Column("tenant_id", Uuid, nullable=False),
    Column("topic", Text, nullable=False),
    Column("kafka_partition", Integer, nullable=False),
    Column("kafka_offset", BigInteger, nullable=False, comment="of the last acknowledged record"),
    PrimaryKeyConstraint("topic", "kafka_partition"),
)

inbox = Table(
    "inbox",
    common,
    Column("consumer", Text, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("month", Date, nullable=False, comment="the first of the month in which the event was recorded"),
    Column("tenant_id", Uuid, nullable=False),
    PrimaryKeyConstraint("consumer", "event_id", "month"),
    postgresql_partition_by="RANGE (month)",
)

dead_letter = Table(
    "dead_letter",
    common,
    Column("letter_id", Uuid, primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    Column("consumer", Text, nullable=False),
    Column("event_id", Uuid, nullable=False, comment="of the record; derived from its place and bytes if it has none"),
    Column("type", Text),
    Column("topic", Text, nullable=False),
    Column("key", LargeBinary),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary),
    Column("kafka_partition", Integer, nullable=False),
    Column("kafka_offset", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("state", Text, nullable=False, server_default="open", comment="open, replay, drop, replayed, dropped"),
    Column("decided_by", Text),
    Column("reason", Text),
    instant("set_aside_at", now=True),
    instant("ended_at", nullable=True),
    UniqueConstraint("consumer", "event_id"),
    Index("dead_letter_state", "consumer", "state", "set_aside_at"),
)

parked_key = Table(
    "parked_key",
    common,
    Column("tenant_id", Uuid, nullable=False),
    Column("consumer", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    instant("parked_at", now=True),
    PrimaryKeyConstraint("consumer", "topic", "key"),
    comment="its row is the lock that parking and draining a key both take",
)

parked = Table(
    "parked",
    common,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    Column("consumer", Text, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("type", Text),
    Column("topic", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary),
    Column("kafka_partition", Integer, nullable=False),
    Column("kafka_offset", BigInteger, nullable=False),
    instant("parked_at", now=True),
    UniqueConstraint("consumer", "event_id"),
    Index("parked_in_order", "consumer", "topic", "key", "seq"),
)

breaker = Table(
    "breaker",
    common,
    Column("consumer", Text, primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    instant("opened_at", nullable=True),
    Column("cause", Text, comment="letters or lost_log; null while it is closed"),
    Column("detail", Text),
    Column("release", Text, comment="the code that was running when it opened"),
    instant("closed_at", nullable=True),
    instant("probed_at", now=True),
)

restoring = Table(
    "restoring",
    common,
    Column("tenant_id", Uuid, primary_key=True),
    instant("restored_to"),
    Column(
        "goals", Text, comment="JSON: [topic, partition, offset up to which it hears again]; null: not set back yet"
    ),
    instant("begun_at", now=True),
    comment="its row says that the service recovers from a point-in-time restore: nothing leaves",
)

idempotency_key = Table(
    "idempotency_key",
    common,
    Column("tenant_id", Uuid, nullable=False),
    Column("route", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("request_sha256", LargeBinary, nullable=False),
    Column("status", SmallInteger, comment="null: under way; 0: carried out, its answer not kept yet"),
    Column("content_type", String(200)),
    Column("answer", LargeBinary),
    instant("created_at", now=True),
    PrimaryKeyConstraint("tenant_id", "route", "key"),
    Index("idempotency_key_age", "created_at"),
)

webhook_seen = Table(
    "webhook_seen",
    common,
    Column("tenant_id", Uuid, nullable=False),
    Column("source_id", Uuid, nullable=False),
    Column("webhook_id", Text, nullable=False),
    Column("body_sha256", LargeBinary, nullable=False),
    instant("seen_at", now=True),
    PrimaryKeyConstraint("tenant_id", "source_id", "webhook_id"),
    Index("webhook_seen_age", "seen_at"),
)

webhook_refused = Table(
    "webhook_refused",
    common,
    Column("tenant_id", Uuid, nullable=False),
    Column("refusal_id", Uuid, nullable=False),
    Column("source_id", Uuid, nullable=False),
    Column("webhook_id", Text, comment="null where refusals are counted together"),
    Column("code", Text, nullable=False),
    Column("field", Text),
    Column("title", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    instant("at", now=True),
    instant("last_at", now=True),
    PrimaryKeyConstraint("tenant_id", "refusal_id"),
    Index("webhook_refused_latest", "tenant_id", "last_at"),
    Index("webhook_refused_age", "last_at"),
)
