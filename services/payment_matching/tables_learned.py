"""What matching learns of a tenant by itself, and may forget: nothing of the ledger is in it."""

from sqlalchemy import CheckConstraint, Column, Date, Double, Index, Integer, PrimaryKeyConstraint, Table, text
from sqlalchemy.dialects.postgresql import JSONB

from libs.common.tables import instant
from services.payment_matching.tables_columns import id_, matching, words

said_number = Table(
    "said_number",
    matching,
    id_("tenant_id"),
    words("number"),
    id_("payment_id"),
    PrimaryKeyConstraint("tenant_id", "number", "payment_id"),
    comment="numbers of texts that named nothing, with the payments that said them: said often, they are habit",
)

payer_identity = Table(
    "payer_identity",
    matching,
    id_("tenant_id"),
    words("kind"),
    words("value"),
    id_("debtor_id"),
    words("source"),
    Column("times", Integer, nullable=False),
    Column("seen_on", Date),
    words("whole", nullable=True),
    PrimaryKeyConstraint("tenant_id", "kind", "value", "debtor_id"),
    Index("payer_identity_debtor", "tenant_id", "debtor_id"),
    comment="kind: iban or name, whose whole keeps its legal form; source: file (the debtor's own), person, or "
    "machine, which counts from two times on",
)

calibration = Table(
    "calibration",
    matching,
    id_("tenant_id"),
    id_("calibration_id"),
    words("state"),
    Column("curve", JSONB, nullable=False),
    Column("least_odds", Double),
    Column("outcomes", Integer, nullable=False),
    words("why"),
    words("made_by"),
    instant("made_at"),
    id_("replaces", nullable=True),
    words("decided_by", nullable=True),
    instant("decided_at", nullable=True),
    PrimaryKeyConstraint("tenant_id", "calibration_id"),
    CheckConstraint("state in ('shadow', 'active', 'retired')", name="calibration_state"),
    Index("calibration_active", "tenant_id", unique=True, postgresql_where=text("state = 'active'")),
    comment="how sure the machine's odds are for a tenant; a shadow is watched and acts on nothing; replaces: the one "
    "that was active before, to which a rollback leads; without an active one the product's own acts",
)

declined = Table(
    "declined",
    matching,
    id_("tenant_id"),
    id_("payment_id"),
    Column("odds", Double, nullable=False),
    Column("guards", Integer, nullable=False),
    instant("at"),
    PrimaryKeyConstraint("tenant_id", "payment_id"),
    comment="payments of which a person said that no suggestion is right: how sure the likeliest was",
)
