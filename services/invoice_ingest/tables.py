"""The tables of invoice_ingest. Amounts are bigint minor units beside one currency a row.

The rules they protect: one row an invoice, whichever source told it; personal data live in `debtor` and `contact`
alone; what is doubtful stays in `quarantine` until a person ended it. Ids are derived from their tenant or random, so
keys begin with them and not with the tenant: an index that begins with the tenant invites plans that read all of it.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.types import CHAR

ingest = MetaData()


def _id(name: str, nullable: bool = False) -> Column[object]:
    return Column(name, Uuid, nullable=nullable)


def _text(name: str, nullable: bool = False, default: str | None = None) -> Column[object]:
    return Column(name, Text, nullable=nullable, server_default=default)


def _flag(name: str) -> Column[object]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))


def _count(name: str, nullable: bool = False) -> Column[object]:
    return Column(name, BigInteger, nullable=nullable)


def _instant(name: str, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


party = Table(
    "party",
    ingest,
    _id("tenant_id"),
    _id("party_id"),
    _text("siren", nullable=True),
    _text("vat_number", nullable=True),
    _id("group_id", nullable=True),
    PrimaryKeyConstraint("party_id"),
    comment="a legal person above the accounts that all entities keep of it",
)

debtor = Table(
    "debtor",
    ingest,
    _id("tenant_id"),
    _id("debtor_id"),
    _id("entity_id"),
    _text("external_id"),
    _id("party_id"),
    _id("payer_id"),
    _text("name"),
    _text("siren", nullable=True),
    _text("vat_number", nullable=True),
    _text("country"),
    _text("language"),
    _text("profile"),
    _text("collector", nullable=True),
    _text("sales_owner", nullable=True),
    _text("phone", nullable=True),
    Column("ibans", Text, nullable=False, comment="separated by spaces"),
    _text("terms", nullable=True),
    _flag("consumer"),
    _flag("intercompany"),
    _count("version"),
    _count("source_version", nullable=True),
    Column("content", LargeBinary, nullable=False, comment="digest of the file as it was told"),
    _flag("erased"),
    _instant("changed_at"),
    PrimaryKeyConstraint("debtor_id"),
    Index("debtor_external", "entity_id", "external_id", unique=True),
    Index("debtor_party", "party_id"),
    Index("debtor_payer", "payer_id"),
)

contact = Table(
    "contact",
    ingest,
    _id("tenant_id"),
    _id("debtor_id"),
    _id("contact_id"),
    Column("position", Integer, nullable=False),
    _text("name"),
    _text("email", nullable=True),
    _text("phone", nullable=True),
    Column("roles", Text, nullable=False, comment="separated by spaces"),
    _text("language", nullable=True),
    PrimaryKeyConstraint("debtor_id", "contact_id"),
)

invoice = Table(
    "invoice",
    ingest,
    _id("tenant_id"),
    _id("invoice_id"),
    _id("entity_id"),
    _id("debtor_id"),
    _text("kind"),
    _text("number"),
    Column("issue_date", Date, nullable=False),
    Column("currency", CHAR(3), nullable=False),
    _count("net", nullable=True),
    _count("tax", nullable=True),
    _count("gross"),
    _count("prepaid"),
    _count("rounding"),
    Column("owed", BigInteger, nullable=False, comment="what it adds to the debt; negative when it is a credit"),
    Column("items", Integer, nullable=False, comment="how many instalments"),
    _text("due_source"),
    _text("discount_percent", nullable=True),
    Column("discount_until", Date),
    _text("payment_means"),
    _text("payment_reference", nullable=True),
    _text("order_number", nullable=True),
    _id("document_id", nullable=True),
    _flag("take_over"),
    Column("not_chased", Text, nullable=False, comment="reasons, separated by spaces"),
    _text("source"),
    _text("external_id"),
    _count("source_version", nullable=True),
    _count("version"),
    _flag("cancelled"),
    _flag("credit_applied"),
    Column("content", LargeBinary, nullable=False, comment="digest of all that was told"),
    Column("core", LargeBinary, nullable=False, comment="digest of what two sources must agree on"),
    Column("details", Text, nullable=False, comment="JSON: references, terms, seller, documents"),
    _instant("received_at"),
    _instant("changed_at"),
    PrimaryKeyConstraint("invoice_id"),
    CheckConstraint("version > 0", name="invoice_version"),
    Index("invoice_told_by", "entity_id", "source", "external_id", unique=True),
    Index("invoice_number", "entity_id", "number"),
    Index("invoice_of_debtor", "debtor_id"),
    Index("invoice_by_date", "tenant_id", "issue_date", "invoice_id"),
    Index(
        "invoice_credit_waiting",
        "debtor_id",
        postgresql_where=text("owed < 0 and not credit_applied and not cancelled"),
    ),
    comment="invoices and, with owed below zero, credit notes",
)

instalment = Table(
    "instalment",
    ingest,
    _id("tenant_id"),
    _id("invoice_id"),
    Column("sequence", Integer, nullable=False),
    _id("item_id"),
    Column("due_date", Date, nullable=False),
    _count("amount"),
    PrimaryKeyConstraint("invoice_id", "sequence"),
)

credited = Table(
    "credited",
    ingest,
    _id("tenant_id"),
    _id("credit_note_id"),
    _id("invoice_id"),
    _count("amount", nullable=True),
    PrimaryKeyConstraint("credit_note_id", "invoice_id"),
    Index("credited_invoice", "invoice_id"),
    comment="the invoices that a credit note names",
)

document = Table(
    "document",
    ingest,
    _id("tenant_id"),
    _id("document_id"),
    _id("entity_id"),
    _text("media_type"),
    _text("name", nullable=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("size", Integer, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    _instant("received_at"),
    PrimaryKeyConstraint("document_id"),
)

invoice_document = Table(
    "invoice_document",
    ingest,
    _id("tenant_id"),
    _id("invoice_id"),
    _id("document_id"),
    _text("kind"),
    PrimaryKeyConstraint("invoice_id", "document_id"),
)

quarantine = Table(
    "quarantine",
    ingest,
    _id("tenant_id"),
    _id("quarantine_id"),
    _id("entity_id"),
    _id("invoice_id"),
    _text("source"),
    _text("external_id"),
    _text("number"),
    _text("reason"),
    _text("field", nullable=True),
    _text("detail"),
    _text("remedy"),
    Column("told", Text, nullable=False, comment="JSON: the canonical invoice"),
    _id("document_id", nullable=True),
    Column("state", Text, nullable=False, comment="open, released, rejected, superseded"),
    _text("decided_by", nullable=True),
    _text("note", nullable=True),
    _instant("received_at"),
    _instant("decided_at", nullable=True),
    PrimaryKeyConstraint("quarantine_id"),
    Index("quarantine_open", "invoice_id", postgresql_where=text("state = 'open'")),
    Index("quarantine_state", "tenant_id", "state", "received_at", "quarantine_id"),
)

import_run = Table(
    "import_run",
    ingest,
    _id("tenant_id"),
    _id("import_id"),
    _id("entity_id", nullable=True),
    _text("name", nullable=True),
    _text("by"),
    _flag("dry_run"),
    Column("lines", Integer, nullable=False),
    Column("results", Text, nullable=False, comment="JSON: result → number of lines"),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    PrimaryKeyConstraint("import_id"),
)

import_error = Table(
    "import_error",
    ingest,
    _id("tenant_id"),
    _id("import_id"),
    Column("line", Integer, nullable=False),
    _text("external_id", nullable=True),
    _text("result"),
    _text("code", nullable=True),
    _text("field", nullable=True),
    _text("detail", nullable=True),
    _text("remedy", nullable=True),
    PrimaryKeyConstraint("import_id", "line"),
)
