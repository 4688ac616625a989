"""The notifier's tables. Amounts are bigint minor units beside their currency; leases and tries live on database time.

Who we may write to (debtor, contact) is the copy of what DebtorChanged told; it is the only home of personal data here
besides the texts themselves, which erasure empties.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()


def _id(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, Uuid, nullable=nullable)


def _at(name: str, *, nullable: bool = True, now: bool = False) -> Column[object]:
    return Column(
        name, DateTime(timezone=True), nullable=nullable, server_default=func.clock_timestamp() if now else None
    )


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> Column[object]:
    return Column(name, Text, nullable=nullable, server_default=None if default is None else text(f"'{default}'"))


def _count(name: str, default: int | None = None) -> Column[object]:
    return Column(name, Integer, nullable=False, server_default=None if default is None else text(str(default)))


def _minor(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, BigInteger, nullable=nullable)


def _currency() -> Column[object]:
    return Column("currency", String(3), nullable=False)


def _flag(name: str, default: str) -> Column[object]:
    return Column(name, Boolean, nullable=False, server_default=text(default))


debtor = Table(
    "debtor",
    metadata,
    _id("tenant_id"),
    _id("debtor_id"),
    Column("version", BigInteger, nullable=False),
    _id("entity_id"),
    _id("payer_id"),
    _id("party_id"),
    _text("external_id"),
    _text("name"),
    _text("siren", nullable=True),
    _text("language"),
    _text("phone", nullable=True),
    _text("sales_owner", nullable=True),
    _text("collector", nullable=True),
    PrimaryKeyConstraint("tenant_id", "debtor_id"),
)

contact = Table(
    "contact",
    metadata,
    _id("tenant_id"),
    _id("debtor_id"),
    _id("contact_id"),
    _text("name"),
    _text("email", nullable=True),
    _text("phone", nullable=True),
    Column("roles", ARRAY(Text), nullable=False),
    _text("language", nullable=True),
    PrimaryKeyConstraint("tenant_id", "debtor_id", "contact_id"),
)

invoice = Table(
    "invoice",
    metadata,
    _id("tenant_id"),
    _id("invoice_id"),
    Column("version", BigInteger, nullable=False),
    _flag("cancelled", "false"),
    _id("document_id", nullable=True),
    _text("payment_reference", nullable=True),
    PrimaryKeyConstraint("tenant_id", "invoice_id"),
)

item = Table(
    "item",
    metadata,
    _id("tenant_id"),
    _id("item_id"),
    Column("item_version", BigInteger, nullable=False),
    _minor("residual"),
    _currency(),
    PrimaryKeyConstraint("tenant_id", "item_id"),
    comment="what payment_matching last said that an item owes; the highest item_version holds",
)

notice = Table(
    "notice",
    metadata,
    _id("tenant_id"),
    _id("notice_id"),
    _id("reminder_id"),
    _count("rendition", 1),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    _id("entity_id"),
    _id("case_id"),
    _id("payer_id"),
    _id("party_id"),
    _id("policy_version_id"),
    _id("anchor_item_id"),
    _text("kind"),
    _text("step_key"),
    _count("tone"),
    _text("template"),
    _text("language"),
    Column("channels", ARRAY(Text), nullable=False),
    Column("audience", ARRAY(Text), nullable=False),
    Column("cc", ARRAY(Text), nullable=False, server_default=text("'{}'"), comment="roles that get a copy"),
    Column("sender", JSONB, nullable=False, server_default=text("'{}'"), comment="SentBy, as the step says"),
    _text("completes_on", default="accepted"),
    _text("approval"),
    _at("window_ends_at", nullable=False),
    Column("charges", JSONB(none_as_null=True), comment="the law behind the charges it may speak of, as ChargesStated"),
    _text("state", default="due"),
    _text("reason", nullable=True),
    _text("channel", nullable=True),
    _text("subject", nullable=True),
    _text("words", nullable=True),
    _text("markup", nullable=True),
    _text("note", nullable=True),
    Column("recipients", ARRAY(Text), comment="addresses that a person chose, instead of the audience"),
    _text("edited_by", nullable=True),
    _text("first_approver", nullable=True),
    _text("approved_by", nullable=True),
    _at("approved_at"),
    _at("due_at", nullable=False),
    _at("prepared_at"),
    _at("sent_at"),
    _id("replaced_by", nullable=True),
    _id("correlation"),
    _id("cause"),
    _count("tries", 0),
    _at("next_try_at", nullable=False, now=True),
    _at("recorded_at", nullable=False, now=True),
    PrimaryKeyConstraint("tenant_id", "notice_id"),
    UniqueConstraint("tenant_id", "reminder_id", "rendition"),
    Index("notice_to_prepare", "next_try_at", postgresql_where=text("state = 'due'")),
    Index("notice_state", "tenant_id", "state", "notice_id"),
    Index("notice_open_case", "tenant_id", "case_id", postgresql_where=text("state in ('due', 'proposed', 'ready')")),
    Index("notice_of_payer", "tenant_id", "payer_id", "sent_at"),
    Index(
        "notice_open_entity", "tenant_id", "entity_id", postgresql_where=text("state in ('due', 'proposed', 'ready')")
    ),
    comment="due → proposed → ready → sent | failed | stopped | uncertain; superseded when another took its place",
)

notice_line = Table(
    "notice_line",
    metadata,
    _id("tenant_id"),
    _id("notice_id"),
    _id("occurrence_id"),
    _count("release"),
    _id("item_id"),
    Column("item_version", BigInteger, nullable=False),
    _id("invoice_id"),
    Column("invoice_version", BigInteger, nullable=False),
    _id("debtor_id"),
    _text("number"),
    Column("issue_date", Date, nullable=False),
    Column("due_date", Date, nullable=False),
    _minor("amount"),
    _minor("residual"),
    _minor("paused", nullable=True),
    _minor("interest", nullable=True),
    _minor("lump_sum", nullable=True),
    _currency(),
    _text("step_key"),
    _count("tone"),
    _flag("completes", "true"),
    PrimaryKeyConstraint("tenant_id", "notice_id", "occurrence_id"),
    ForeignKeyConstraint(["tenant_id", "notice_id"], ["notice.tenant_id", "notice.notice_id"]),
    Index("notice_line_item", "tenant_id", "item_id"),
    Index("notice_line_invoice", "tenant_id", "invoice_id"),
)

notice_deduction = Table(
    "notice_deduction",
    metadata,
    _id("tenant_id"),
    _id("notice_id"),
    _minor("amount"),
    _currency(),
    PrimaryKeyConstraint("tenant_id", "notice_id", "currency"),
)

delivery = Table(
    "delivery",
    metadata,
    _id("tenant_id"),
    _id("delivery_id"),
    _id("notice_id"),
    _id("entity_id"),
    _id("case_id"),
    _id("contact_id", nullable=True),
    _text("kind"),
    _text("recipient"),
    Column("cc", Text, nullable=False, server_default=text("''"), comment="who gets a copy, commas between"),
    _text("sender"),
    _text("reply_to", nullable=True),
    Column("debtor_version", BigInteger, nullable=False),
    _text("state"),
    _text("reason", nullable=True),
    Column("raw", LargeBinary, comment="the frozen bytes, kept until the mail server took them"),
    Column("raw_sha256", LargeBinary),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    _at("claimed_until"),
    _count("tries", 0),
    _count("asks", 0),
    _at("next_try_at", nullable=False, now=True),
    _at("opens_at"),
    _at("on_wire_at"),
    _count("code", 0),
    _text("reply", nullable=True),
    _at("sent_at"),
    _text("bounce_status", nullable=True),
    _text("resolved_by", nullable=True),
    _text("resolved_why", nullable=True),
    _at("recorded_at", nullable=False, now=True),
    PrimaryKeyConstraint("tenant_id", "delivery_id"),
    ForeignKeyConstraint(["tenant_id", "notice_id"], ["notice.tenant_id", "notice.notice_id"]),
    Index("delivery_to_send", "next_try_at", postgresql_where=text("state = 'ready'")),
    Index("delivery_to_open", "opens_at", postgresql_where=text("state = 'ready' and opens_at is not null")),
    Index("delivery_claimed", "claimed_until", postgresql_where=text("state = 'on_wire'")),
    Index("delivery_of_notice", "tenant_id", "notice_id"),
    Index("delivery_state", "tenant_id", "state", "delivery_id"),
    Index("delivery_thread", "tenant_id", "case_id", "recipient", "sent_at"),
    Index("delivery_to_contact", "tenant_id", "recipient", "sent_at"),
    comment="proposed → ready → on_wire → sent | uncertain; failed and stopped provably never arrived",
)

delivery_line = Table(
    "delivery_line",
    metadata,
    _id("tenant_id"),
    _id("delivery_id"),
    _id("occurrence_id"),
    _text("recipient"),
    _flag("live", "true"),
    PrimaryKeyConstraint("tenant_id", "delivery_id", "occurrence_id"),
    Index("delivery_line_once", "tenant_id", "occurrence_id", "recipient", unique=True, postgresql_where=text("live")),
    comment="(occurrence, recipient) is unique over all deliveries not provably unsent",
)

task = Table(
    "task",
    metadata,
    _id("tenant_id"),
    _id("task_id"),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    _id("entity_id"),
    _id("case_id"),
    _id("payer_id"),
    _text("kind"),
    _text("state", default="open"),
    _text("title"),
    _text("body"),
    Column("due_on", Date, nullable=False),
    _id("notice_id", nullable=True),
    _id("reminder_id", nullable=True),
    _id("message_id", nullable=True),
    _text("outcome", nullable=True),
    _text("remark", nullable=True),
    _text("done_by", nullable=True),
    _at("opened_at", nullable=False),
    _at("done_at"),
    PrimaryKeyConstraint("tenant_id", "task_id"),
    Index("task_state", "tenant_id", "state", "task_id"),
    Index("task_open_case", "tenant_id", "case_id", postgresql_where=text("state = 'open'")),
)

inbound_message = Table(
    "inbound_message",
    metadata,
    _id("tenant_id"),
    _id("message_id"),
    Column("raw_sha256", LargeBinary, nullable=False),
    _text("kind"),
    _text("mail_message_id"),
    _text("sender"),
    _text("subject"),
    _text("words"),
    _id("delivery_id", nullable=True),
    _id("notice_id", nullable=True),
    _id("case_id", nullable=True),
    _id("payer_id", nullable=True),
    _text("status", nullable=True),
    _at("received_at", nullable=False),
    _at("read_at"),
    PrimaryKeyConstraint("tenant_id", "message_id"),
    UniqueConstraint("tenant_id", "raw_sha256"),
    Index("inbound_unread_case", "tenant_id", "case_id", postgresql_where=text("kind = 'reply' and read_at is null")),
)

suppression = Table(
    "suppression",
    metadata,
    _id("tenant_id"),
    _text("address"),
    _text("reason"),
    _text("author"),
    _at("added_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "address"),
)

template_version = Table(
    "template_version",
    metadata,
    _id("tenant_id"),
    _text("key"),
    _text("language"),
    _count("version"),
    _text("subject"),
    _text("body"),
    _text("author"),
    _at("created_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "key", "language", "version"),
)

day_volume = Table(
    "day_volume",
    metadata,
    _id("tenant_id"),
    Column("day", Date, nullable=False),
    _count("sent", 0),
    _count("most"),
    _at("stopped_at"),
    _text("resumed_by", nullable=True),
    PrimaryKeyConstraint("tenant_id", "day"),
    comment="what left on a day without a person's approval, and the bound at which it stops",
)
