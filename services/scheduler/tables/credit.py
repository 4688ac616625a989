"""Credit control: limits and blocks, what insurers cover and want to know, what is proposed to be written off."""

from sqlalchemy import (
    ARRAY,
    Column,
    Date,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from libs.common.tables import instant
from services.scheduler.tables.columns import currency, id_, ids, minor, scheduler, whole, words

credit_limit = Table(
    "credit_limit",
    scheduler,
    *ids("limit_id"),
    id_("payer_id"),
    id_("entity_id"),
    minor("amount_minor"),
    currency(),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date),
    words("reason"),
    words("entered_by"),
    instant("entered_at"),
    Column("approved_by", Text),
    instant("approved_at", nullable=True),
    Column("withdrawn_by", Text),
    instant("withdrawn_at", nullable=True),
    words("why", ""),
    words("state", "entered"),
    Index(
        "credit_limit_approved", "tenant_id", "payer_id", "currency", unique=True,
        postgresql_where=text("state = 'approved'"),
    ),
    Index("credit_limit_payer", "tenant_id", "payer_id", "entered_at"),
    Index("credit_limit_entered", "tenant_id", postgresql_where=text("state = 'entered'")),
    comment="entered → approved by a second person → replaced | withdrawn; one that is only entered is withdrawn too",
)  # fmt: skip

payer_owing = Table(
    "payer_owing",
    scheduler,
    *ids("payer_id"),
    Column("currency", String(3), primary_key=True),
    minor("owed_minor"),
    whole("told", None),
    comment="what a payer with a limit owed when its case had been told of `told` times; stands while it still has",
)

credit_block = Table(
    "credit_block",
    scheduler,
    *ids("block_id"),
    id_("payer_id"),
    id_("entity_id"),
    words("act"),
    words("reason"),
    Column(
        "figures", JSONB, nullable=False, server_default=text("'[]'"), comment="exposure and limit when it was asked"
    ),
    words("requested_by"),
    instant("requested_at"),
    Column("decided_by", Text),
    instant("decided_at", nullable=True),
    words("why", ""),
    words("state", "requested"),
    Index("credit_block_open", "tenant_id", "payer_id", unique=True, postgresql_where=text("state = 'requested'")),
    Index("credit_block_payer", "tenant_id", "payer_id", "decided_at"),
    comment="requested → approved by a second person | rejected; the last approved act of a payer holds",
)

insurer_terms = Table(
    "insurer_terms",
    scheduler,
    *ids("terms_id"),
    words("name"),
    words("insurer"),
    whole("number", None),
    Column("extension_days", SmallInteger, nullable=False),
    Column("declaration_days", SmallInteger, nullable=False),
    words("counts_from", "due_date"),
    Column("claim_days", SmallInteger),
    Column("alarm_days", ARRAY(Integer), nullable=False),
    words("author"),
    instant("set_at"),
    UniqueConstraint("tenant_id", "name", "number"),
    comment="what a policy says; never changed: a policy that says otherwise is its next number",
)

insurer_cover = Table(
    "insurer_cover",
    scheduler,
    *ids("cover_id"),
    id_("payer_id"),
    id_("terms_id"),
    minor("amount_minor"),
    currency(),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date),
    words("reference"),
    words("author"),
    instant("set_at"),
    Index("insurer_cover_payer", "tenant_id", "payer_id", "valid_from"),
    comment="a payer under a policy for invoices issued in a span; the last one that was set holds",
)

insurer_consent = Table(
    "insurer_consent",
    scheduler,
    *ids("consent_id"),
    id_("payer_id"),
    Column("item_ids", ARRAY(Uuid), nullable=False, comment="none: all items of the payer"),
    Column("extended_to", Date, nullable=False),
    Column("given_on", Date, nullable=False),
    words("reference"),
    words("author"),
    instant("recorded_at"),
    Index("insurer_consent_payer", "tenant_id", "payer_id"),
)

insurer_declaration = Table(
    "insurer_declaration",
    scheduler,
    *ids("item_id"),
    id_("payer_id"),
    id_("terms_id"),
    Column("declared_on", Date, nullable=False),
    Column("declare_by", Date, nullable=False),
    Column("claim_by", Date),
    words("reference"),
    words("author"),
    instant("recorded_at"),
    Index("insurer_declaration_payer", "tenant_id", "payer_id"),
    comment="the proof that an unpaid item was declared, once",
)

insurer_answer = Table(
    "insurer_answer",
    scheduler,
    *ids("answer_id"),
    id_("item_id"),
    words("outcome"),
    minor("amount_minor", nullable=True),
    currency(nullable=True),
    Column("answered_on", Date, nullable=False),
    words("reference"),
    words("note", ""),
    words("author"),
    instant("recorded_at"),
    Index("insurer_answer_item", "tenant_id", "item_id", "answer_id"),
    comment="what the insurer said of a declared item: accepted | refused | indemnified; the last one holds",
)

deadline_alarm = Table(
    "deadline_alarm",
    scheduler,
    *ids("subject_id"),
    Column("kind", Text, primary_key=True),
    Column("due_on", Date, primary_key=True),
    Column("stage", SmallInteger, primary_key=True, comment="days before it; -1: it has passed"),
    id_("payer_id"),
    instant("raised_at"),
    Index("deadline_alarm_raised", "tenant_id", "raised_at"),
    comment="each alarm of each deadline once",
)

write_off_proposal = Table(
    "write_off_proposal",
    scheduler,
    *ids("proposal_id"),
    id_("item_id"),
    id_("entity_id"),
    id_("payer_id"),
    minor("amount_minor"),
    currency(),
    words("reason"),
    words("note"),
    words("proposed_by"),
    instant("proposed_at"),
    Column("decided_by", Text),
    instant("decided_at", nullable=True),
    words("why", ""),
    words("state", "proposed"),
    Index(
        "write_off_open", "tenant_id", "item_id", unique=True, postgresql_where=text("state in ('proposed','approved')")
    ),
    comment="proposed → approved by a second person | rejected; the ERP books it, the item says when it is settled",
)

insolvency = Table(
    "insolvency",
    scheduler,
    *ids("insolvency_id"),
    id_("payer_id"),
    id_("entity_id"),
    words("kind"),
    Column("judgment_on", Date, nullable=False),
    Column("published_on", Date),
    Column("file_by", Date),
    words("place", "mainland"),
    words("trustee"),
    id_("hold_id"),
    Column("filed_on", Date),
    words("filing_reference", ""),
    words("author"),
    instant("recorded_at"),
    Column("ended_on", Date),
    Index("insolvency_payer", "tenant_id", "payer_id", unique=True, postgresql_where=text("ended_on is null")),
)
