"""The console's own tables beside the directory: people, their sessions, what waits for a second person, the audit.

The directory's entries are the `directory_*` tables of `libs.common.directory`; the `*_card` tables here hold what
people want to know of an entry and services do not need.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.console.projections.tables import ReadModel

console = MetaData()
read_model = ReadModel(console)

INSTANT = DateTime(timezone=True)

app_user = Table(
    "app_user",
    console,
    Column("tenant_id", Uuid, primary_key=True),
    Column("user_id", Uuid, primary_key=True),
    Column("email", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("roles", ARRAY(Text), nullable=False),
    Column("portfolio", Text, nullable=True),
    Column("shortcuts", Boolean, nullable=False, server_default=text("true")),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("locked_until", INSTANT, nullable=True),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("created_at", INSTANT, nullable=False),
    Column("last_login_at", INSTANT, nullable=True),
    Index("app_user_email", func.lower(text("email")), unique=True),
)
"""`portfolio` is the collector or sales owner, as debtors name them, whose accounts are this person's own.
Failures and the lock live on database time."""

session = Table(
    "session",
    console,
    Column("tenant_id", Uuid, nullable=False),
    Column("token_sha256", Text, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("csrf", Text, nullable=False),
    Column("began_at", INSTANT, nullable=False, server_default=func.now()),
    Column("seen_at", INSTANT, nullable=False, server_default=func.now()),
    ForeignKeyConstraint(["tenant_id", "user_id"], ["app_user.tenant_id", "app_user.user_id"], ondelete="cascade"),
    Index("session_of_user", "tenant_id", "user_id"),
)
"""Only the digest of the cookie's token is kept. Idle and absolute ends are counted on database time."""

api_key_card = Table(
    "api_key_card",
    console,
    Column("tenant_id", Uuid, primary_key=True),
    Column("key_id", Uuid, primary_key=True),
    Column("label", Text, nullable=False),
    Column("issued_by", Text, nullable=False),
    Column("issued_at", INSTANT, nullable=False),
    Column("revoked_by", Text, nullable=True),
    Column("revoked_at", INSTANT, nullable=True),
)

source_card = Table(
    "source_card",
    console,
    Column("tenant_id", Uuid, primary_key=True),
    Column("source_id", Uuid, primary_key=True),
    Column("label", Text, nullable=False),
    Column("added_by", Text, nullable=False),
    Column("added_at", INSTANT, nullable=False),
    Column("rotated_at", INSTANT, nullable=True),
)

bank_proposal = Table(
    "bank_proposal",
    console,
    Column("tenant_id", Uuid, primary_key=True),
    Column("proposal_id", Uuid, primary_key=True),
    Column("entity_id", Uuid, nullable=False),
    Column("bank_account_id", Uuid, nullable=False),
    Column("iban", Text, nullable=False),
    Column("bic", Text, nullable=True),
    Column("holder", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("required", Boolean, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", INSTANT, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_by", Text, nullable=True),
    Column("decided_at", INSTANT, nullable=True),
    Column("effective_at", INSTANT, nullable=True),
    Index("bank_proposal_open", "tenant_id", "state"),
)
"""proposed → approved | rejected. The second person is never the first one."""

substitute = Table(
    "substitute",
    console,
    Column("tenant_id", Uuid, primary_key=True),
    Column("substitute_id", Uuid, primary_key=True),
    Column("portfolio", Text, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("from_on", Date, nullable=False),
    Column("until_on", Date, nullable=False),
    Column("named_by", Text, nullable=False),
    Column("named_at", INSTANT, nullable=False),
    ForeignKeyConstraint(["tenant_id", "user_id"], ["app_user.tenant_id", "app_user.user_id"], ondelete="cascade"),
    Index("substitute_of_user", "tenant_id", "user_id", "until_on"),
)
"""From one day to another, both included, `user_id` looks after the accounts of this portfolio."""

note = Table(
    "note",
    console,
    Column("tenant_id", Uuid, primary_key=True),
    Column("note_id", Uuid, primary_key=True),
    Column("debtor_id", Uuid, nullable=False),
    Column("text", Text, nullable=False),
    Column("pinned", Boolean, nullable=False, server_default=text("false")),
    Column("user_id", Uuid, nullable=False),
    Column("author", Text, nullable=False),
    Column("at", INSTANT, nullable=False),
    Index("note_of_debtor", "tenant_id", "debtor_id", text("at desc")),
)
"""What people note about a customer. It is ours alone: no event carries it, and an erasure takes it away."""

import_draft = Table(
    "import_draft",
    console,
    Column("tenant_id", Uuid, primary_key=True),
    Column("draft_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False, comment="invoices, statement or past_reminders"),
    Column("name", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("data", LargeBinary, nullable=True),
    Column("looked", JSONB, nullable=True),
    Column("mapping", JSONB, nullable=True),
    Column("entity_id", Uuid, nullable=True),
    Column("take_over", Boolean, nullable=False, server_default=text("false")),
    Column("state", Text, nullable=False, comment="read, tried, taking, taken, refused"),
    Column("report", JSONB, nullable=True),
    Column("by", Text, nullable=False),
    Column("at", INSTANT, nullable=False),
    Index("import_draft_latest", "tenant_id", "at"),
)
"""A file between its upload and its being taken, and what became of it. The bytes go when it is taken, or after a
day; the owner of what it holds keeps the rest."""

audit = Table(
    "audit",
    console,
    Column("tenant_id", Uuid, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("at", INSTANT, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("facts", JSONB, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("audit_at", "tenant_id", "at"),
)
"""A chain: each row's hash covers the one before it. No role of the service may change or delete a row."""
