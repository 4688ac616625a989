"""What the ERP's ledger said, how it differed from ours, and what it cost: snapshots, differences, balances."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.payment_matching.tables import matching


def _id(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, Uuid, nullable=nullable)


def _count(name: str) -> Column[object]:
    return Column(name, BigInteger, nullable=False)


ledger_snapshot = Table(
    "ledger_snapshot",
    matching,
    _id("tenant_id"),
    _id("snapshot_id"),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    _id("entity_id"),
    Column("as_of", Date, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("actor", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False, comment="taken, waiting (for a person), accepted, rejected"),
    Column("why", ARRAY(Text), nullable=False),
    _count("lines"),
    _count("open_here"),
    _count("agreed"),
    _count("settled"),
    Column("told", JSONB, nullable=False, comment="the ERP's own count, sums and control accounts"),
    Column("decided_by", Text),
    PrimaryKeyConstraint("tenant_id", "snapshot_id"),
    Index("ledger_snapshot_of", "tenant_id", "entity_id", "seq"),
)

ledger_difference = Table(
    "ledger_difference",
    matching,
    _id("tenant_id"),
    _id("snapshot_id"),
    Column("place", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("sequence", Integer),
    _id("item_id", nullable=True),
    _id("debtor_id", nullable=True),
    Column("currency", String(3), nullable=False),
    _count("ours_minor"),
    _count("theirs_minor"),
    Column("settled", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("tenant_id", "snapshot_id", "place"),
)

ledger_balance = Table(
    "ledger_balance",
    matching,
    _id("tenant_id"),
    _id("snapshot_id"),
    Column("customer", Text, nullable=False, comment="the customer's number; empty for what the ERP names none"),
    _id("debtor_id", nullable=True),
    Column("currency", String(3), nullable=False),
    _count("ours_minor"),
    _count("theirs_minor"),
    PrimaryKeyConstraint("tenant_id", "snapshot_id", "customer", "currency"),
    Index("ledger_balance_off", "tenant_id", "snapshot_id", postgresql_where=text("ours_minor <> theirs_minor")),
    comment="each customer's balance in both ledgers as they stood when the snapshot was taken",
)

ledger_standing = Table(
    "ledger_standing",
    matching,
    _id("tenant_id"),
    _id("entity_id"),
    _id("snapshot_id"),
    Column("as_of", Date, nullable=False),
    Column("held", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "entity_id"),
    comment="the last snapshot of each entity, and whether its reminders wait because the ledgers differ",
)
