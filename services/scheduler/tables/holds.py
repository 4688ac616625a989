"""What keeps silent: holds, and what stands behind them."""

from sqlalchemy import ARRAY, BigInteger, Column, Date, Index, Table, Text, Uuid, text

from libs.common.tables import instant
from services.scheduler.tables.columns import currency, flag, id_, ids, minor, scheduler, whole, words

hold = Table(
    "hold",
    scheduler,
    *ids("hold_id"),
    words("scope"),
    id_("scope_id"),
    id_("entity_id", nullable=True),
    id_("case_id", nullable=True),
    id_("payer_id", nullable=True),
    words("kind"),
    minor("amount_minor", nullable=True),
    currency(nullable=True),
    words("reason"),
    words("author"),
    Column("review_on", Date, nullable=False),
    flag("lift_at_review"),
    words("state", "active"),
    instant("placed_at"),
    instant("lifted_at", nullable=True),
    Column("lifted_by", Text),
    Column("lift_reason", Text),
    whole("version", 1),
    Index("hold_scope", "tenant_id", "scope_id", postgresql_where=text("state = 'active'")),
    Index("hold_review", "review_on", postgresql_where=text("state = 'active'")),
)

promise = Table(
    "promise",
    scheduler,
    *ids("promise_id"),
    id_("case_id"),
    id_("entity_id"),
    id_("payer_id"),
    Column("hold_ids", ARRAY(Uuid), nullable=False),
    minor("amount_minor"),
    currency(),
    Column("promised_for", Date, nullable=False),
    Column("made_on", Date, nullable=False),
    Column("until", Date, nullable=False),
    Column("item_ids", ARRAY(Uuid), nullable=False),
    flag("of_items"),
    Column("owed_minor", BigInteger, nullable=False, comment="what its items owed when it was made"),
    words("author"),
    words("state", "open"),
    instant("ended_at", nullable=True),
    whole("version", 1),
    instant("look_at", nullable=True),
    Index("promise_open", "look_at", postgresql_where=text("state = 'open'")),
    Index("promise_case", "tenant_id", "case_id"),
)

plan = Table(
    "plan",
    scheduler,
    *ids("plan_id"),
    id_("case_id"),
    id_("entity_id"),
    id_("payer_id"),
    Column("hold_ids", ARRAY(Uuid), nullable=False),
    Column("dates", ARRAY(Date), nullable=False),
    Column("amounts_minor", ARRAY(BigInteger), nullable=False),
    currency(),
    Column("item_ids", ARRAY(Uuid), nullable=False),
    words("author"),
    words("state", "running"),
    instant("agreed_at"),
    whole("version", 1),
)

dispute = Table(
    "dispute",
    scheduler,
    *ids("dispute_id"),
    id_("case_id"),
    id_("entity_id"),
    id_("payer_id"),
    id_("item_id"),
    id_("hold_id"),
    minor("amount_minor"),
    currency(),
    words("reason"),
    words("author"),
    words("state", "opened"),
    instant("opened_at"),
    instant("resolved_at", nullable=True),
    whole("version", 1),
)
