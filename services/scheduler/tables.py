"""The scheduler's tables. Rows of facts may come before the invoice they are about: they are kept by id.

The rule they protect: an occurrence is unique per (tenant, item, cycle, step); the row of the payer's case is the one
lock that handlers, sweep and API share; whatever is told twice or late leaves the same rows.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Computed,
    Date,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from libs.common.tables import instant

scheduler = MetaData()


def _ids(*names: str) -> list[Column[object]]:
    return [Column(name, Uuid, primary_key=True) for name in ("tenant_id", *names)]


def _id(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, Uuid, nullable=nullable)


def _whole(name: str, default: int | None = 0) -> Column[object]:
    return Column(name, Integer, nullable=default is None, server_default=None if default is None else str(default))


def _minor(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, BigInteger, nullable=nullable)


def _flag(name: str) -> Column[object]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))


def _words(name: str, default: str | None = None) -> Column[object]:
    return Column(name, Text, nullable=False, server_default=default)


def _currency(*, nullable: bool = False) -> Column[object]:
    return Column("currency", String(3), nullable=nullable)


debtor = Table(
    "debtor",
    scheduler,
    *_ids("debtor_id"),
    _id("entity_id"),
    _whole("version"),
    _id("payer_id"),
    _id("party_id"),
    _id("group_id", nullable=True),
    _words("language", "fr"),
    _flag("consumer"),
    _flag("intercompany"),
    instant("changed_at"),
)

party = Table(
    "party",
    scheduler,
    *_ids("party_id"),
    Column("last_notice_on", Date),
    _id("reserved_by", nullable=True),
    _id("reserved_case", nullable=True),
    Column("reserved_on", Date),
    Index("party_reserved", "tenant_id", "reserved_by", postgresql_where=text("reserved_by is not null")),
)

payer_case = Table(
    "payer_case",
    scheduler,
    *_ids("case_id"),
    _id("entity_id"),
    _id("payer_id"),
    _id("party_id"),
    _id("group_id", nullable=True),
    _id("policy_version_id", nullable=True),
    Column("first_offset", SmallInteger, nullable=False, server_default="-61", comment="days; the policy's first step"),
    instant("next_at", nullable=True),
    _words("state", "clear"),
    _words("waits", ""),
    Column("formal_on", Date, comment="the day of its next formal notice"),
    Column("thanked_on", Date, comment="the day of its last thank-you"),
    Column("answered_on", Date, comment="the payer's last sign of life"),
    instant("read_at", nullable=True),
    Column("displaced", SmallInteger, nullable=False, server_default="0"),
    _whole("version"),
    UniqueConstraint("tenant_id", "payer_id"),
    Index("payer_case_next", "next_at", postgresql_where=text("next_at is not null")),
    Index("payer_case_party", "tenant_id", "party_id"),
    Index("payer_case_entity", "tenant_id", "entity_id", "waits"),
)

item = Table(
    "item",
    scheduler,
    *_ids("item_id"),
    _id("invoice_id"),
    _id("case_id", nullable=True),
    _id("entity_id", nullable=True),
    _id("debtor_id", nullable=True),
    _id("payer_id", nullable=True),
    Column("number", Text),
    Column("issue_date", Date),
    Column("due_date", Date),
    _minor("amount_minor", nullable=True),
    _currency(nullable=True),
    _whole("invoice_version"),
    _whole("cancelled_version"),
    _words("not_chased", ""),
    _flag("take_over"),
    Column("take_over_decision", Text),
    Column("take_over_on", Date),
    _minor("residual_minor", nullable=True),
    _whole("item_version"),
    _whole("settled_version"),
    _words("settled_by", ""),
    Column("settled_on", Date),
    _flag("to_thank"),
    Column("cycles", JSONB, nullable=False, server_default=text("'{}'"), comment="cause → [day, reason]"),
    Column(
        "open",
        Boolean,
        Computed(
            "invoice_version > cancelled_version and coalesce(residual_minor, amount_minor, 0) > 0", persisted=True
        ),
    ),
    Index("item_case", "tenant_id", "case_id", postgresql_where=text("open or to_thank")),
    Index("item_invoice", "tenant_id", "invoice_id"),
    Index("item_debtor", "tenant_id", "debtor_id"),
    Index("item_number", "tenant_id", "number"),
)

residual_fact = Table(
    "residual_fact",
    scheduler,
    *_ids("item_id"),
    Column("item_version", Integer, primary_key=True),
    _minor("residual_minor"),
    instant("told_at"),
)

occurrence = Table(
    "occurrence",
    scheduler,
    *_ids("occurrence_id"),
    _id("item_id"),
    _whole("cycle", None),
    _words("step_key"),
    _id("case_id"),
    _id("entity_id"),
    _id("policy_version_id"),
    _words("kind"),
    _whole("tone", None),
    _whole("release", None),
    _words("state"),
    _words("reason", ""),
    _id("reminder_id"),
    _words("channel", "email"),
    Column("on_date", Date, nullable=False),
    instant("released_at"),
    instant("ended_at", nullable=True),
    Column("retry_on", Date),
    _minor("printed_minor"),
    _currency(),
    _whole("invoice_version"),
    _flag("withdrawn"),
    Column("anchored", Boolean, nullable=False, server_default=text("true")),
    Column("ends", JSONB, nullable=False, server_default=text("'{}'"), comment="release:end → {at, on, reason}"),
    UniqueConstraint("tenant_id", "item_id", "cycle", "step_key"),
    Index("occurrence_reminder", "tenant_id", "reminder_id"),
    Index("occurrence_case", "tenant_id", "case_id", postgresql_where=text("state in ('released', 'proposed')")),
    Index(
        "occurrence_state",
        "tenant_id",
        "state",
        "occurrence_id",
        postgresql_where=text("state not in ('released', 'proposed', 'completed')"),
    ),
)

notice = Table(
    "notice",
    scheduler,
    *_ids("notice_id"),
    _id("party_id"),
    _id("case_id"),
    _id("reminder_id"),
    _words("kind"),
    _whole("tone"),
    Column("said_on", Date, nullable=False),
    _flag("sent"),
    _flag("bounced"),
    _flag("uncertain"),
    Index("notice_party", "tenant_id", "party_id", "said_on"),
)

hold = Table(
    "hold",
    scheduler,
    *_ids("hold_id"),
    _words("scope"),
    _id("scope_id"),
    _id("entity_id", nullable=True),
    _id("case_id", nullable=True),
    _id("payer_id", nullable=True),
    _words("kind"),
    _minor("amount_minor", nullable=True),
    _currency(nullable=True),
    _words("reason"),
    _words("author"),
    Column("review_on", Date, nullable=False),
    _flag("lift_at_review"),
    _words("state", "active"),
    instant("placed_at"),
    instant("lifted_at", nullable=True),
    Column("lifted_by", Text),
    Column("lift_reason", Text),
    _whole("version", 1),
    Index("hold_scope", "tenant_id", "scope_id", postgresql_where=text("state = 'active'")),
    Index("hold_review", "review_on", postgresql_where=text("state = 'active'")),
)

promise = Table(
    "promise",
    scheduler,
    *_ids("promise_id"),
    _id("case_id"),
    _id("entity_id"),
    _id("payer_id"),
    Column("hold_ids", ARRAY(Uuid), nullable=False),
    _minor("amount_minor"),
    _currency(),
    Column("promised_for", Date, nullable=False),
    Column("made_on", Date, nullable=False),
    Column("until", Date, nullable=False),
    Column("item_ids", ARRAY(Uuid), nullable=False),
    _flag("of_items"),
    Column("owed_minor", BigInteger, nullable=False, comment="what its items owed when it was made"),
    _words("author"),
    _words("state", "open"),
    instant("ended_at", nullable=True),
    _whole("version", 1),
    instant("look_at", nullable=True),
    Index("promise_open", "look_at", postgresql_where=text("state = 'open'")),
    Index("promise_case", "tenant_id", "case_id"),
)

plan = Table(
    "plan",
    scheduler,
    *_ids("plan_id"),
    _id("case_id"),
    _id("entity_id"),
    _id("payer_id"),
    Column("hold_ids", ARRAY(Uuid), nullable=False),
    Column("dates", ARRAY(Date), nullable=False),
    Column("amounts_minor", ARRAY(BigInteger), nullable=False),
    _currency(),
    Column("item_ids", ARRAY(Uuid), nullable=False),
    _words("author"),
    _words("state", "running"),
    instant("agreed_at"),
    _whole("version", 1),
)

dispute = Table(
    "dispute",
    scheduler,
    *_ids("dispute_id"),
    _id("case_id"),
    _id("entity_id"),
    _id("payer_id"),
    _id("item_id"),
    _id("hold_id"),
    _minor("amount_minor"),
    _currency(),
    _words("reason"),
    _words("author"),
    _words("state", "opened"),
    instant("opened_at"),
    instant("resolved_at", nullable=True),
    _whole("version", 1),
)

payment = Table(
    "payment",
    scheduler,
    *_ids("payment_id"),
    _id("entity_id"),
    _id("payer_id", nullable=True),
    _whole("version"),
    _minor("amount_minor"),
    _minor("unapplied_minor"),
    _currency(),
    Column("value_date", Date, nullable=False),
    Column("seen_on", Date, nullable=False),
    _flag("reversed"),
    Index("payment_payer", "tenant_id", "payer_id", "value_date"),
    Index("payment_unapplied", "tenant_id", "payer_id", postgresql_where=text("unapplied_minor > 0")),
)

credit_note = Table(
    "credit_note",
    scheduler,
    *_ids("credit_note_id"),
    _id("entity_id"),
    _id("payer_id", nullable=True),
    _id("debtor_id", nullable=True),
    _currency(nullable=True),
    Column("invoice_ids", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    _minor("unapplied_minor", nullable=True),
    _whole("issued_version"),
    _whole("applied_version"),
    _whole("answered_version"),
    Column("seen_on", Date, nullable=False),
    Index("credit_note_payer", "tenant_id", "payer_id"),
)

feed = Table(
    "feed",
    scheduler,
    *_ids("bank_account_id"),
    _id("entity_id"),
    _whole("version"),
    Column("covered_to", Date),
    _flag("required"),
    _flag("unreadable"),
    Index("feed_entity", "tenant_id", "entity_id"),
)

policy_version = Table(
    "policy_version",
    scheduler,
    *_ids("version_id"),
    _words("name"),
    _whole("number", None),
    Column("body", JSONB, nullable=False),
    _words("state", "draft"),
    _words("author"),
    instant("written_at"),
    Column("activated_by", Text),
    instant("activated_at", nullable=True),
    UniqueConstraint("tenant_id", "name", "number"),
    Index("policy_version_active", "tenant_id", "name", unique=True, postgresql_where=text("state = 'active'")),
)
