"""The matching schema: what is owed, what came in, and who gave what to which.

Invariant I5 is a constraint here as well: an item never owes less than nothing or more than its amount, a payment
never has less than nothing left. Amounts are bigint minor units beside one currency a row.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

matching = MetaData()


def _id(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, Uuid, nullable=nullable)


def _money(name: str) -> Column[object]:
    return Column(f"{name}_minor", BigInteger, nullable=False)


def _currency() -> Column[object]:
    return Column("currency", String(3), nullable=False)


def _text(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, Text, nullable=nullable)


def _flag(name: str, default: str = "false") -> Column[object]:
    return Column(name, Boolean, nullable=False, server_default=text(default))


def _version() -> Column[object]:
    return Column("version", BigInteger, nullable=False, server_default=text("0"))


def _instant(name: str, *, nullable: bool = False, now: bool = False) -> Column[object]:
    default = func.clock_timestamp() if now else None
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=default)


OWING = text("residual_minor > 0")
LEFT = text("unapplied_minor > 0")

debtor = Table(
    "debtor",
    matching,
    _id("tenant_id"),
    _id("debtor_id"),
    _id("entity_id", nullable=True),
    _id("payer_id"),
    _id("group_id", nullable=True),
    _text("external_id", nullable=True),
    _version(),
    PrimaryKeyConstraint("tenant_id", "debtor_id"),
    Index("debtor_payer", "tenant_id", "payer_id"),
    Index("debtor_group", "tenant_id", "group_id", postgresql_where=text("group_id is not null")),
    Index("debtor_external", "tenant_id", "external_id"),
    comment="an account at one entity and who pays for it; its row is the lock of whatever hears about the account",
)

open_item = Table(
    "open_item",
    matching,
    _id("tenant_id"),
    _id("item_id"),
    _id("invoice_id"),
    _id("entity_id"),
    _id("debtor_id"),
    _id("payer_id"),
    _text("number"),
    Column("sequence", Integer, nullable=False),
    Column("issued_on", Date, nullable=False),
    Column("due_on", Date, nullable=False),
    _currency(),
    _money("amount"),
    _money("residual"),
    _version(),
    Column("invoice_version", BigInteger, nullable=False),
    _flag("cancelled"),
    Column("settled_on", Date),
    _text("payment_reference", nullable=True),
    _text("order_number", nullable=True),
    Column("discount_minor", BigInteger, nullable=False, server_default=text("0")),
    Column("discount_until", Date, comment="the last day of the cash discount that the invoice grants"),
    PrimaryKeyConstraint("tenant_id", "item_id"),
    CheckConstraint("0 <= residual_minor and residual_minor <= amount_minor", name="open_item_owes_within_its_amount"),
    Index("open_item_payer", "tenant_id", "payer_id", "due_on", postgresql_where=OWING),
    Index("open_item_owing", "tenant_id", "currency", "residual_minor", "item_id", postgresql_where=OWING),
    Index("open_item_invoice", "tenant_id", "invoice_id"),
    Index("open_item_debtor", "tenant_id", "debtor_id"),
    Index("open_item_due", "tenant_id", "due_on", "item_id", postgresql_where=OWING),
)

untried = Table(
    "untried",
    matching,
    _id("tenant_id"),
    _id("item_id"),
    PrimaryKeyConstraint("item_id"),
    comment="items that opened or changed and have not met the money that came before them; a table of its own, since "
    "a mark in open_item costs every index of it an entry",
)

invoice_seen = Table(
    "invoice_seen",
    matching,
    _id("tenant_id"),
    _id("invoice_id"),
    _version(),
    _flag("cancelled"),
    PrimaryKeyConstraint("tenant_id", "invoice_id"),
    comment="the highest version heard of each invoice, also of one that was cancelled before it was issued",
)

item_key = Table(
    "item_key",
    matching,
    _id("tenant_id"),
    _text("key"),
    _text("kind"),
    _id("item_id"),
    _flag("credit"),
    PrimaryKeyConstraint("tenant_id", "key", "item_id", "kind"),
    Index("item_key_item", "tenant_id", "item_id"),
    comment="every key an item or a credit note can be found by; kept after it is settled, to see what is paid twice",
)

credit_note = Table(
    "credit_note",
    matching,
    _id("tenant_id"),
    _id("credit_note_id"),
    _id("entity_id"),
    _id("debtor_id"),
    _id("payer_id"),
    _text("number"),
    Column("issued_on", Date, nullable=False),
    _currency(),
    _money("amount"),
    _money("unapplied"),
    _version(),
    Column("told_version", BigInteger, nullable=False),
    Column("named", JSONB, nullable=False, comment="[[invoice_id, minor units or null], …]"),
    PrimaryKeyConstraint("tenant_id", "credit_note_id"),
    CheckConstraint("0 <= unapplied_minor and unapplied_minor <= amount_minor", name="credit_note_within_its_amount"),
    Index("credit_note_left", "tenant_id", "payer_id", postgresql_where=LEFT),
    Index("credit_note_debtor", "tenant_id", "debtor_id", postgresql_where=LEFT),
)

payment = Table(
    "payment",
    matching,
    _id("tenant_id"),
    _id("payment_id"),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    _id("entity_id"),
    _text("account", nullable=True),
    _text("source"),
    _currency(),
    _money("amount"),
    _money("unapplied"),
    _money("returned"),
    Column("value_on", Date, nullable=False),
    _instant("received_at"),
    _text("payer_name", nullable=True),
    _text("payer_iban", nullable=True),
    _text("remittance"),
    Column("structured", ARRAY(Text), nullable=False),
    _text("end_to_end_id", nullable=True),
    _id("debtor_id", nullable=True),
    Column(
        "told", JSONB, nullable=False, comment="an ERP's own allocations that wait: [[item, invoice, number, minor]]"
    ),
    _id("payer_id", nullable=True),
    _flag("pending", "true"),
    _flag("by_person"),
    _flag("replaced"),
    _version(),
    PrimaryKeyConstraint("tenant_id", "payment_id"),
    CheckConstraint(
        "0 <= unapplied_minor and 0 <= returned_minor and unapplied_minor + returned_minor <= amount_minor",
        name="payment_within_its_amount",
    ),
    Index("payment_pending", "seq", postgresql_where=text("pending")),
    Index("payment_pending_of", "tenant_id", postgresql_where=text("pending")),
    Index("payment_in_order", "tenant_id", "seq"),
    Index("payment_left_in_order", "tenant_id", "seq", postgresql_where=LEFT),
    Index("payment_left", "tenant_id", "payer_id", postgresql_where=LEFT),
    Index("payment_left_amount", "tenant_id", "currency", "unapplied_minor", postgresql_where=LEFT),
    Index("payment_told", "tenant_id", postgresql_where=text("told <> '[]'::jsonb and unapplied_minor > 0")),
    Index("payment_like", "tenant_id", "currency", "amount_minor", "value_on"),
)

payment_telling = Table(
    "payment_telling",
    matching,
    _id("tenant_id"),
    _text("channel"),
    _text("name"),
    _id("payment_id"),
    Column("digest", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant_id", "channel", "name"),
    Index("payment_telling_payment", "tenant_id", "payment_id"),
    comment="the same money told by several: api and webhooks by external_id, bank by account, reference, amount, date",
)

payment_reference = Table(
    "payment_reference",
    matching,
    _id("tenant_id"),
    _text("reference"),
    _id("payment_id"),
    PrimaryKeyConstraint("tenant_id", "reference", "payment_id"),
    comment="end-to-end, transaction and bank references: how a return finds the payment it takes back",
)

waiting_key = Table(
    "waiting_key",
    matching,
    _id("tenant_id"),
    _text("key"),
    _id("payment_id"),
    PrimaryKeyConstraint("tenant_id", "key", "payment_id"),
    Index("waiting_key_payment", "tenant_id", "payment_id"),
    comment="keys of the texts of payments with money left: an item that opens finds the money that came before it",
)

allocation = Table(
    "allocation",
    matching,
    _id("tenant_id"),
    _id("allocation_id"),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    _text("source"),
    _id("source_id"),
    _id("item_id"),
    _currency(),
    _money("amount"),
    _text("kind", nullable=True),
    _text("how"),
    _text("actor"),
    Column("evidence", JSONB, nullable=False),
    Column("value_on", Date, nullable=False),
    _instant("made_at"),
    Column("booking", Text, nullable=False, server_default=text("'waiting'")),
    _instant("undone_at", nullable=True),
    _text("undone_by", nullable=True),
    _text("undone_why", nullable=True),
    PrimaryKeyConstraint("tenant_id", "allocation_id"),
    CheckConstraint("amount_minor > 0", name="allocation_is_more_than_nothing"),
    Index("allocation_source", "tenant_id", "source_id"),
    Index("allocation_item", "tenant_id", "item_id"),
    Index("allocation_to_book", "tenant_id", "seq", postgresql_where=text("booking in ('waiting', 'to_undo')")),
    comment="source: payment, credit or write_off, which has a kind and the payment beside which it was made, or the "
    "item, as its source_id; a change undoes a line and writes another, nothing is overwritten. booking: what the "
    "ERP's ledger knows of it",
)

suggestion = Table(
    "suggestion",
    matching,
    _id("tenant_id"),
    _id("payment_id"),
    Column("rank", Integer, nullable=False),
    _text("shape"),
    Column("items", ARRAY(Uuid), nullable=False),
    Column("amounts", ARRAY(BigInteger), nullable=False),
    Column("credits", ARRAY(Uuid), nullable=False),
    Column("credit_amounts", ARRAY(BigInteger), nullable=False),
    Column("score", Double, nullable=False),
    Column("share", Double, nullable=False),
    Column("evidence", JSONB, nullable=False),
    Column("unsure", ARRAY(Text), nullable=False),
    PrimaryKeyConstraint("tenant_id", "payment_id", "rank"),
)

bank_account = Table(
    "bank_account",
    matching,
    _id("tenant_id"),
    _text("account"),
    _id("bank_account_id"),
    _id("entity_id"),
    _currency(),
    _flag("required"),
    _instant("effective_at", nullable=True),
    Column("covered_to", Date),
    Column("gap_after", Date),
    Column("chain_from", Date, comment="coverage is counted from the first statement received, or an accepted gap, on"),
    _flag("unreadable"),
    Column("table_mapping", JSONB, comment="how the bank writes CSV and XLSX files of this account"),
    Column("approved_version", BigInteger, nullable=False, server_default=text("0")),
    _version(),
    PrimaryKeyConstraint("tenant_id", "account"),
    Index("bank_account_entity", "tenant_id", "entity_id"),
)

statement_file = Table(
    "statement_file",
    matching,
    _id("tenant_id"),
    _id("file_id"),
    Column("sha256", LargeBinary, nullable=False),
    _text("actor"),
    Column("size", BigInteger, nullable=False),
    _instant("received_at", now=True),
    _text("state"),
    Column("result", JSONB, comment="what was taken, or the problem why it was refused"),
    PrimaryKeyConstraint("tenant_id", "file_id"),
    Index("statement_file_digest", "tenant_id", "sha256", unique=True),
    Index("statement_file_reading", "tenant_id", postgresql_where=text("state = 'reading'")),
)

statement = Table(
    "statement",
    matching,
    _id("tenant_id"),
    _text("fingerprint"),
    _id("file_id"),
    _text("account"),
    _text("kind"),
    _text("reference"),
    Column("opening_minor", BigInteger),
    Column("opening_on", Date),
    Column("closing_minor", BigInteger),
    Column("closing_on", Date),
    _currency(),
    Column("entries", Integer, nullable=False),
    PrimaryKeyConstraint("tenant_id", "fingerprint"),
    Index("statement_chain", "tenant_id", "account", "closing_on"),
)

statement_entry = Table(
    "statement_entry",
    matching,
    _id("tenant_id"),
    _text("account"),
    _text("key"),
    _id("file_id"),
    _money("amount"),
    _currency(),
    _text("status"),
    Column("value_on", Date, nullable=False),
    _flag("detailed"),
    PrimaryKeyConstraint("tenant_id", "account", "key"),
    comment="an entry as first told; one told as a lump is replaced when its details come",
)

reversal = Table(
    "reversal",
    matching,
    _id("tenant_id"),
    _id("reversal_id"),
    _text("name"),
    _id("entity_id"),
    _id("payment_id", nullable=True),
    Column("references", ARRAY(Text), nullable=False),
    _currency(),
    _money("amount"),
    _text("code"),
    Column("on_day", Date, nullable=False),
    _instant("received_at"),
    PrimaryKeyConstraint("tenant_id", "reversal_id"),
    Index("reversal_name", "tenant_id", "name", unique=True),
    Index("reversal_orphan", "tenant_id", postgresql_where=text("payment_id is null")),
    comment="money that the bank took back; without a payment it waits for the one it names",
)
