"""The matching schema: what is owed, what came in, and who gave what to which.

Invariant I5 is a constraint here as well: an item never owes less than nothing or more than its amount, a payment
never has less than nothing left. Amounts are bigint minor units beside one currency a row.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Double,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from libs.common.tables import instant
from services.payment_matching.tables_columns import count, currency, flag, id_, matching, minor, version, words

OWING = text("residual_minor > 0")
LEFT = text("unapplied_minor > 0")

debtor = Table(
    "debtor",
    matching,
    id_("tenant_id"),
    id_("debtor_id"),
    id_("entity_id", nullable=True),
    id_("payer_id"),
    id_("group_id", nullable=True),
    words("external_id", nullable=True),
    version(),
    PrimaryKeyConstraint("tenant_id", "debtor_id"),
    Index("debtor_payer", "tenant_id", "payer_id"),
    Index("debtor_group", "tenant_id", "group_id", postgresql_where=text("group_id is not null")),
    Index("debtor_external", "tenant_id", "external_id"),
    comment="an account at one entity and who pays for it; its row is the lock of whatever hears about the account",
)

open_item = Table(
    "open_item",
    matching,
    id_("tenant_id"),
    id_("item_id"),
    id_("invoice_id"),
    id_("entity_id"),
    id_("debtor_id"),
    id_("payer_id"),
    words("number"),
    Column("sequence", Integer, nullable=False),
    Column("issued_on", Date, nullable=False),
    Column("due_on", Date, nullable=False),
    currency(),
    minor("amount"),
    minor("residual"),
    version(),
    count("invoice_version"),
    flag("cancelled"),
    Column("settled_on", Date),
    words("payment_reference", nullable=True),
    words("order_number", nullable=True),
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
    id_("tenant_id"),
    id_("item_id"),
    PrimaryKeyConstraint("item_id"),
    comment="items that opened or changed and have not met the money that came before them; a table of its own, since "
    "a mark in open_item costs every index of it an entry",
)

invoice_seen = Table(
    "invoice_seen",
    matching,
    id_("tenant_id"),
    id_("invoice_id"),
    version(),
    flag("cancelled"),
    PrimaryKeyConstraint("tenant_id", "invoice_id"),
    comment="the highest version heard of each invoice, also of one that was cancelled before it was issued",
)

item_key = Table(
    "item_key",
    matching,
    id_("tenant_id"),
    words("key"),
    words("kind"),
    id_("item_id"),
    flag("credit"),
    PrimaryKeyConstraint("tenant_id", "key", "item_id", "kind"),
    Index("item_key_item", "tenant_id", "item_id"),
    comment="every key an item or a credit note can be found by; kept after it is settled, to see what is paid twice",
)

credit_note = Table(
    "credit_note",
    matching,
    id_("tenant_id"),
    id_("credit_note_id"),
    id_("entity_id"),
    id_("debtor_id"),
    id_("payer_id"),
    words("number"),
    Column("issued_on", Date, nullable=False),
    currency(),
    minor("amount"),
    minor("unapplied"),
    version(),
    count("told_version"),
    Column("named", JSONB, nullable=False, comment="[[invoice_id, minor units or null], …]"),
    PrimaryKeyConstraint("tenant_id", "credit_note_id"),
    CheckConstraint("0 <= unapplied_minor and unapplied_minor <= amount_minor", name="credit_note_within_its_amount"),
    Index("credit_note_left", "tenant_id", "payer_id", postgresql_where=LEFT),
    Index("credit_note_debtor", "tenant_id", "debtor_id", postgresql_where=LEFT),
)

payment = Table(
    "payment",
    matching,
    id_("tenant_id"),
    id_("payment_id"),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    id_("entity_id"),
    words("account", nullable=True),
    words("source"),
    currency(),
    minor("amount"),
    minor("unapplied"),
    minor("returned"),
    Column("value_on", Date, nullable=False),
    instant("received_at"),
    words("payer_name", nullable=True),
    words("payer_iban", nullable=True),
    words("remittance"),
    Column("structured", ARRAY(Text), nullable=False),
    words("end_to_end_id", nullable=True),
    Column("instructed_minor", BigInteger, comment="what the payer ordered in another currency, as the bank told it"),
    currency("instructed_currency", nullable=True),
    words("exchange_rate", nullable=True),
    id_("debtor_id", nullable=True),
    Column(
        "told",
        JSONB,
        nullable=False,
        comment="an ERP's own allocations that wait: [{item_id, invoice_id, number, amount, currency, paid}]",
    ),
    id_("payer_id", nullable=True),
    flag("pending", "true"),
    flag("by_person"),
    flag("replaced"),
    version(),
    PrimaryKeyConstraint("tenant_id", "payment_id"),
    CheckConstraint(
        "0 <= unapplied_minor and 0 <= returned_minor and unapplied_minor + returned_minor <= amount_minor",
        name="payment_within_its_amount",
    ),
    CheckConstraint(
        "(instructed_minor is null) = (instructed_currency is null) and instructed_minor > 0"
        " and instructed_currency <> currency",
        name="payment_instructed_in_another_currency",
    ),
    Index("payment_pending", "seq", postgresql_where=text("pending")),
    Index("payment_pending_of", "tenant_id", postgresql_where=text("pending")),
    Index("payment_in_order", "tenant_id", "seq"),
    Index("payment_left_in_order", "tenant_id", "seq", postgresql_where=LEFT),
    Index("payment_left", "tenant_id", "payer_id", postgresql_where=LEFT),
    Index("payment_left_amount", "tenant_id", "currency", "unapplied_minor", postgresql_where=LEFT),
    Index(
        "payment_left_instructed",
        "tenant_id",
        "instructed_currency",
        "instructed_minor",
        postgresql_where=text("unapplied_minor > 0 and instructed_minor is not null"),
    ),
    Index("payment_told", "tenant_id", postgresql_where=text("told <> '[]'::jsonb and unapplied_minor > 0")),
    Index("payment_like", "tenant_id", "currency", "amount_minor", "value_on"),
)

payment_telling = Table(
    "payment_telling",
    matching,
    id_("tenant_id"),
    words("channel"),
    words("name"),
    id_("payment_id"),
    Column("digest", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant_id", "channel", "name"),
    Index("payment_telling_payment", "tenant_id", "payment_id"),
    comment="the same money told by several: api and webhooks by external_id, bank by account, reference, amount, date",
)

payment_reference = Table(
    "payment_reference",
    matching,
    id_("tenant_id"),
    words("reference"),
    id_("payment_id"),
    PrimaryKeyConstraint("tenant_id", "reference", "payment_id"),
    comment="end-to-end, transaction and bank references: how a return finds the payment it takes back",
)

waiting_key = Table(
    "waiting_key",
    matching,
    id_("tenant_id"),
    words("key"),
    id_("payment_id"),
    PrimaryKeyConstraint("tenant_id", "key", "payment_id"),
    Index("waiting_key_payment", "tenant_id", "payment_id"),
    comment="keys of the texts of payments with money left: an item that opens finds the money that came before it",
)

allocation = Table(
    "allocation",
    matching,
    id_("tenant_id"),
    id_("allocation_id"),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    words("source"),
    id_("source_id"),
    id_("item_id"),
    currency(),
    minor("amount"),
    currency("paid_currency"),
    minor("paid"),
    words("kind", nullable=True),
    words("how"),
    words("actor"),
    Column("evidence", JSONB, nullable=False),
    Column("value_on", Date, nullable=False),
    instant("made_at"),
    Column("booking", Text, nullable=False, server_default=text("'waiting'")),
    instant("undone_at", nullable=True),
    words("undone_by", nullable=True),
    words("undone_why", nullable=True),
    PrimaryKeyConstraint("tenant_id", "allocation_id"),
    CheckConstraint("amount_minor > 0 and paid_minor > 0", name="allocation_is_more_than_nothing"),
    CheckConstraint("paid_currency <> currency or paid_minor = amount_minor", name="allocation_is_one_amount"),
    Index("allocation_source", "tenant_id", "source_id"),
    Index("allocation_item", "tenant_id", "item_id"),
    Index("allocation_to_book", "tenant_id", "seq", postgresql_where=text("booking in ('waiting', 'to_undo')")),
    comment="source: payment, credit or write_off, which has a kind and the payment beside which it was made, or the "
    "item, as its source_id; amount: what the item owes less, in its currency; paid: what the payment or credit has "
    "less, in its own; a change undoes a line and writes another, nothing is overwritten. booking: what the "
    "ERP's ledger knows of it",
)

suggestion = Table(
    "suggestion",
    matching,
    id_("tenant_id"),
    id_("payment_id"),
    Column("rank", Integer, nullable=False),
    words("shape"),
    Column("items", ARRAY(Uuid), nullable=False),
    currency(),
    Column("amounts", ARRAY(BigInteger), nullable=False),
    Column("paid", ARRAY(BigInteger), nullable=False),
    Column("credits", ARRAY(Uuid), nullable=False),
    Column("credit_amounts", ARRAY(BigInteger), nullable=False),
    Column("score", Double, nullable=False),
    Column("share", Double, nullable=False),
    Column("odds", Double, nullable=False),
    Column("evidence", JSONB, nullable=False),
    Column("unsure", ARRAY(Text), nullable=False),
    PrimaryKeyConstraint("tenant_id", "payment_id", "rank"),
    comment="amounts are in the items' currency; paid: what the payment would give for each in its own, empty where "
    "that is the same",
)

bank_account = Table(
    "bank_account",
    matching,
    id_("tenant_id"),
    words("account"),
    id_("bank_account_id"),
    id_("entity_id"),
    currency(),
    flag("required"),
    instant("effective_at", nullable=True),
    Column("covered_to", Date),
    Column("gap_after", Date),
    Column("chain_from", Date, comment="coverage is counted from the first statement received, or an accepted gap, on"),
    flag("unreadable"),
    Column("table_mapping", JSONB, comment="how the bank writes CSV and XLSX files of this account"),
    Column("approved_version", BigInteger, nullable=False, server_default=text("0")),
    version(),
    PrimaryKeyConstraint("tenant_id", "account"),
    Index("bank_account_entity", "tenant_id", "entity_id"),
)

statement_file = Table(
    "statement_file",
    matching,
    id_("tenant_id"),
    id_("file_id"),
    Column("sha256", LargeBinary, nullable=False),
    words("actor"),
    count("size"),
    instant("received_at", now=True),
    words("state"),
    Column("result", JSONB, comment="what was taken, or the problem why it was refused"),
    PrimaryKeyConstraint("tenant_id", "file_id"),
    Index("statement_file_digest", "tenant_id", "sha256", unique=True),
    Index("statement_file_reading", "tenant_id", postgresql_where=text("state = 'reading'")),
)

statement = Table(
    "statement",
    matching,
    id_("tenant_id"),
    words("fingerprint"),
    id_("file_id"),
    words("account"),
    words("kind"),
    words("reference"),
    Column("opening_minor", BigInteger),
    Column("opening_on", Date),
    Column("closing_minor", BigInteger),
    Column("closing_on", Date),
    currency(),
    Column("entries", Integer, nullable=False),
    PrimaryKeyConstraint("tenant_id", "fingerprint"),
    Index("statement_chain", "tenant_id", "account", "closing_on"),
)

statement_entry = Table(
    "statement_entry",
    matching,
    id_("tenant_id"),
    words("account"),
    words("key"),
    id_("file_id"),
    minor("amount"),
    currency(),
    words("status"),
    Column("value_on", Date, nullable=False),
    flag("detailed"),
    PrimaryKeyConstraint("tenant_id", "account", "key"),
    comment="an entry as first told; one told as a lump is replaced when its details come",
)

reversal = Table(
    "reversal",
    matching,
    id_("tenant_id"),
    id_("reversal_id"),
    words("name"),
    id_("entity_id"),
    id_("payment_id", nullable=True),
    Column("references", ARRAY(Text), nullable=False),
    currency(),
    minor("amount"),
    words("code"),
    Column("on_day", Date, nullable=False),
    instant("received_at"),
    PrimaryKeyConstraint("tenant_id", "reversal_id"),
    Index("reversal_name", "tenant_id", "name", unique=True),
    Index("reversal_orphan", "tenant_id", postgresql_where=text("payment_id is null")),
    comment="money that the bank took back; without a payment it waits for the one it names",
)
