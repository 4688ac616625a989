"""What people decide that takes two of them: from which amount on, and what waits for the second."""

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint, Table, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import Column

from libs.common.tables import instant
from services.payment_matching.tables_columns import currency, id_, matching, minor, words

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
