"""What matching learns of a tenant by itself, and may forget: nothing of the ledger is in it."""

from sqlalchemy import Column, Date, Index, Integer, PrimaryKeyConstraint, Table, Text, Uuid

from services.payment_matching.tables import matching

said_number = Table(
    "said_number",
    matching,
    Column("tenant_id", Uuid, nullable=False),
    Column("number", Text, nullable=False),
    Column("payment_id", Uuid, nullable=False),
    PrimaryKeyConstraint("tenant_id", "number", "payment_id"),
    comment="numbers of texts that named nothing, with the payments that said them: said often, they are habit",
)

payer_identity = Table(
    "payer_identity",
    matching,
    Column("tenant_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("debtor_id", Uuid, nullable=False),
    Column("source", Text, nullable=False),
    Column("times", Integer, nullable=False),
    Column("seen_on", Date),
    PrimaryKeyConstraint("tenant_id", "kind", "value", "debtor_id"),
    Index("payer_identity_debtor", "tenant_id", "debtor_id"),
    comment="kind: iban or name; source: file (the debtor's own), person, or machine, which counts from two times on",
)
