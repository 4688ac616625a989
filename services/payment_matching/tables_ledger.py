"""What the ERP's ledger said, how it differed from ours, and what it cost: snapshots, differences, balances."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from libs.common.tables import instant
from services.payment_matching.tables_columns import count, currency, flag, id_, matching, minor, words

ledger_snapshot = Table(
    "ledger_snapshot",
    matching,
    id_("tenant_id"),
    id_("snapshot_id"),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    id_("entity_id"),
    Column("as_of", Date, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    words("actor"),
    instant("received_at"),
    Column("state", Text, nullable=False, comment="taken, waiting (for a person), accepted, rejected"),
    Column("why", ARRAY(Text), nullable=False),
    count("lines"),
    count("open_here"),
    count("agreed"),
    count("settled"),
    Column("told", JSONB, nullable=False, comment="the ERP's own count, sums and control accounts"),
    words("decided_by", nullable=True),
    PrimaryKeyConstraint("tenant_id", "snapshot_id"),
    Index("ledger_snapshot_of", "tenant_id", "entity_id", "seq"),
)

ledger_difference = Table(
    "ledger_difference",
    matching,
    id_("tenant_id"),
    id_("snapshot_id"),
    Column("place", Integer, nullable=False),
    words("kind"),
    words("number"),
    Column("sequence", Integer),
    id_("item_id", nullable=True),
    id_("debtor_id", nullable=True),
    currency(),
    minor("ours"),
    minor("theirs"),
    flag("settled"),
    PrimaryKeyConstraint("tenant_id", "snapshot_id", "place"),
)

ledger_balance = Table(
    "ledger_balance",
    matching,
    id_("tenant_id"),
    id_("snapshot_id"),
    Column("customer", Text, nullable=False, comment="the customer's number; empty for what the ERP names none"),
    id_("debtor_id", nullable=True),
    currency(),
    minor("ours"),
    minor("theirs"),
    PrimaryKeyConstraint("tenant_id", "snapshot_id", "customer", "currency"),
    Index("ledger_balance_off", "tenant_id", "snapshot_id", postgresql_where=text("ours_minor <> theirs_minor")),
    comment="each customer's balance in both ledgers as they stood when the snapshot was taken",
)

ledger_standing = Table(
    "ledger_standing",
    matching,
    id_("tenant_id"),
    id_("entity_id"),
    id_("snapshot_id"),
    Column("as_of", Date, nullable=False),
    Column("held", Boolean, nullable=False),
    count("version"),
    PrimaryKeyConstraint("tenant_id", "entity_id"),
    comment="the last snapshot of each entity, and whether its reminders wait because the ledgers differ",
)
