"""What people set and decide: payment providers, plans agreed, what takes two people and what waits for the second."""

from sqlalchemy import CheckConstraint, Date, Index, Integer, PrimaryKeyConstraint, Table, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import Column

from libs.common.tables import instant
from services.payment_matching.tables_columns import currency, flag, id_, matching, minor, words

payout_provider = Table(
    "payout_provider",
    matching,
    id_("tenant_id"),
    words("iban"),
    currency(),
    words("name"),
    Column("share_bp", Integer, nullable=False),
    minor("each"),
    flag("learned"),
    words("set_by"),
    instant("set_at"),
    PrimaryKeyConstraint("tenant_id", "iban", "currency"),
    CheckConstraint("0 <= share_bp and share_bp <= 1000 and 0 <= each_minor", name="payout_provider_bounds"),
    comment="accounts from which payment providers pay out what many paid, and the most that they keep of it: basis "
    "points of the sum, and so much an item; learned: a person wrote off its fee, none set it",
)

agreed_plan = Table(
    "agreed_plan",
    matching,
    id_("tenant_id"),
    id_("plan_id"),
    id_("payer_id"),
    currency(),
    Column("parts", JSONB, nullable=False),
    Column("items", JSONB, nullable=False),
    Column("agreed_on", Date, nullable=False),
    PrimaryKeyConstraint("tenant_id", "plan_id"),
    Index("agreed_plan_payer", "tenant_id", "payer_id"),
    comment="plans that run, as the scheduler told them; parts: [[day, minor units], …]; items: their ids; a plan that "
    "fell or was taken off is gone",
)

two_people = Table(
    "two_people",
    matching,
    id_("tenant_id"),
    id_("entity_id"),
    currency(),
    minor("above"),
    words("set_by"),
    instant("set_at"),
    PrimaryKeyConstraint("tenant_id", "entity_id", "currency"),
    comment="beyond this amount, what a person gives or writes off by hand waits for a second person",
)

proposal = Table(
    "proposal",
    matching,
    id_("tenant_id"),
    id_("proposal_id"),
    words("kind"),
    id_("entity_id"),
    id_("payment_id", nullable=True),
    id_("item_id", nullable=True),
    currency(),
    minor("amount"),
    Column("wanted", JSONB, nullable=False),
    words("state"),
    words("proposed_by"),
    instant("proposed_at"),
    words("decided_by", nullable=True),
    instant("decided_at", nullable=True),
    words("why", nullable=True),
    PrimaryKeyConstraint("tenant_id", "proposal_id"),
    CheckConstraint("state in ('waiting', 'approved', 'refused', 'replaced')", name="proposal_state"),
    Index("proposal_waiting", "tenant_id", "payment_id", postgresql_where=text("state = 'waiting'")),
    comment="kind: allocation (of a payment) or write_off (of an item); wanted: what is done when another approves",
)
