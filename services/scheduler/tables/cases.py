"""Who pays, their cases, and what is owed in them. Rows of facts may come before the invoice they are about."""

from sqlalchemy import (
    Boolean,
    Column,
    Computed,
    Date,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from libs.common.tables import instant
from services.scheduler.tables.columns import currency, flag, id_, ids, minor, scheduler, whole, words

debtor = Table(
    "debtor",
    scheduler,
    *ids("debtor_id"),
    id_("entity_id"),
    whole("version"),
    words("external_id", ""),
    id_("payer_id"),
    id_("party_id"),
    id_("group_id", nullable=True),
    words("language", "fr"),
    words("country", "FR"),
    words("profile", "regular"),
    flag("consumer"),
    flag("intercompany"),
    instant("changed_at"),
)

party = Table(
    "party",
    scheduler,
    *ids("party_id"),
    Column("last_notice_on", Date),
    id_("reserved_by", nullable=True),
    id_("reserved_case", nullable=True),
    Column("reserved_on", Date),
    Index("party_reserved", "tenant_id", "reserved_by", postgresql_where=text("reserved_by is not null")),
)

payer_case = Table(
    "payer_case",
    scheduler,
    *ids("case_id"),
    id_("entity_id"),
    id_("payer_id"),
    id_("party_id"),
    id_("group_id", nullable=True),
    id_("policy_version_id", nullable=True),
    Column("first_offset", SmallInteger, nullable=False, server_default="-61", comment="days; the policy's first step"),
    instant("next_at", nullable=True),
    words("state", "clear"),
    words("waits", ""),
    Column("formal_on", Date, comment="the day of its next formal notice"),
    Column("thanked_on", Date, comment="the day of its last thank-you"),
    Column("answered_on", Date, comment="the payer's last sign of life"),
    instant("read_at", nullable=True),
    Column("displaced", SmallInteger, nullable=False, server_default="0"),
    whole("version"),
    whole("told", comment="how often something was told that may change what it owes"),
    UniqueConstraint("tenant_id", "payer_id"),
    Index("payer_case_next", "next_at", postgresql_where=text("next_at is not null")),
    Index("payer_case_party", "tenant_id", "party_id"),
    Index("payer_case_entity", "tenant_id", "entity_id", "waits"),
)

item = Table(
    "item",
    scheduler,
    *ids("item_id"),
    id_("invoice_id"),
    id_("case_id", nullable=True),
    id_("entity_id", nullable=True),
    id_("debtor_id", nullable=True),
    id_("payer_id", nullable=True),
    Column("number", Text),
    Column("issue_date", Date),
    Column("due_date", Date),
    minor("amount_minor", nullable=True),
    currency(nullable=True),
    whole("invoice_version"),
    whole("cancelled_version"),
    instant("told_at", nullable=True),
    instant("cancelled_at", nullable=True),
    words("not_chased", ""),
    flag("take_over"),
    Column("take_over_decision", Text),
    Column("take_over_on", Date),
    instant("take_over_at", nullable=True),
    minor("residual_minor", nullable=True),
    whole("item_version"),
    whole("settled_version"),
    words("settled_by", ""),
    Column("settled_on", Date),
    flag("to_thank"),
    instant("thanks_at", nullable=True),
    Column("cycles", JSONB, nullable=False, server_default=text("'{}'"), comment="cause → [day, reason, instant]"),
    Column("broken", JSONB, nullable=False, server_default=text("'{}'"), comment="broken promise → [day, instant]"),
    Column(
        "open",
        Boolean,
        Computed(
            "invoice_version > cancelled_version and coalesce(residual_minor, amount_minor, 0) > 0", persisted=True
        ),
    ),
    Index("item_case", "tenant_id", "case_id", postgresql_where=text("open or to_thank")),
    Index("item_of_case", "tenant_id", "case_id"),
    Index("item_waiting", "tenant_id", "due_date", postgresql_where=text("take_over and take_over_decision is null")),
    Index("item_due", "tenant_id", "due_date", "item_id", postgresql_where=text("open")),
    Index("item_invoice", "tenant_id", "invoice_id"),
    Index("item_debtor", "tenant_id", "debtor_id"),
    Index("item_number", "tenant_id", "number"),
)

residual_fact = Table(
    "residual_fact",
    scheduler,
    *ids("item_id"),
    Column("item_version", Integer, primary_key=True),
    minor("residual_minor"),
    instant("told_at"),
)
