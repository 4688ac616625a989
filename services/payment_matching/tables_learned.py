"""What matching learns of a tenant by itself, and may forget: nothing of the ledger is in it."""

from sqlalchemy import Column, PrimaryKeyConstraint, Table, Text, Uuid

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
