"""Late-payment charges: what they are counted from, by which rates and terms, and what became of each claim."""

from sqlalchemy import Column, Date, Index, Integer, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB

from libs.common.tables import instant
from services.scheduler.tables.columns import currency, flag, id_, ids, minor, scheduler, whole, words

item_money = Table(
    "item_money",
    scheduler,
    *ids("item_id"),
    Column("item_version", Integer, primary_key=True),
    words("cause"),
    id_("payment_id", nullable=True),
    minor("given_minor"),
    Column("on_date", Date),
)
"""By which payment a residual came to be; the residual itself is in residual_fact."""

charge_rate = Table(
    "charge_rate",
    scheduler,
    *ids("rate_id"),
    words("series"),
    Column("valid_from", Date, nullable=False),
    words("percent"),
    words("source"),
    Column("published_on", Date),
    words("entered_by"),
    instant("entered_at"),
    Column("approved_by", Text),
    instant("approved_at", nullable=True),
    words("state", "entered"),
    Index(
        "charge_rate_approved",
        "tenant_id",
        "series",
        "valid_from",
        unique=True,
        postgresql_where=text("state = 'approved'"),
    ),
)

charge_terms = Table(
    "charge_terms",
    scheduler,
    *ids("terms_id"),
    words("scope"),
    id_("scope_id"),
    Column("regime", Text),
    Column("percent", Text),
    Column("series", Text),
    Column("points", Text),
    Column("day_count", Text),
    minor("lump_minor", nullable=True),
    currency(nullable=True),
    Column("imputation", Text),
    Column("cost_of_money", Text),
    words("reason"),
    words("author"),
    instant("set_at"),
    Index("charge_terms_scope", "tenant_id", "scope_id", "set_at"),
)
"""Every set of terms that was ever in force; the last of a scope holds."""

charge = Table(
    "charge",
    scheduler,
    *ids("charge_id"),
    id_("item_id"),
    id_("invoice_id"),
    id_("entity_id"),
    id_("payer_id"),
    words("kind"),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    minor("amount_minor"),
    currency(),
    words("regime"),
    flag("provisional"),
    words("state", "quoted"),
    flag("ends"),
    Column("proof", JSONB, nullable=False, server_default=text("'{}'"), comment="the rows as they were claimed"),
    Column("invoice_number", Text),
    Column("collected_on", Date),
    words("reason", ""),
    words("author"),
    instant("quoted_at"),
    instant("decided_at", nullable=True),
    whole("version", 1),
    UniqueConstraint("tenant_id", "item_id", "kind", "first_day", name="charge_once_a_day"),
    Index("charge_one_lump_sum", "tenant_id", "invoice_id", unique=True, postgresql_where=text("kind = 'lump_sum'")),
    Index("charge_one_quote", "tenant_id", "item_id", "kind", unique=True, postgresql_where=text("state = 'quoted'")),
    Index("charge_state", "tenant_id", "state", "charge_id"),
    Index("charge_number", "tenant_id", "invoice_number", postgresql_where=text("invoice_number is not null")),
)
