"""What matching learns of a tenant by itself, and may forget: nothing of the ledger is in it."""

from sqlalchemy import Column, Date, Index, Integer, PrimaryKeyConstraint, Table

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
    PrimaryKeyConstraint("tenant_id", "kind", "value", "debtor_id"),
    Index("payer_identity_debtor", "tenant_id", "debtor_id"),
    comment="kind: iban or name; source: file (the debtor's own), person, or machine, which counts from two times on",
)
