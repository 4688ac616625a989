"""What was released and what became of it; the notices that left, came back, or were decided about by people."""

from sqlalchemy import Boolean, Column, Date, Index, Table, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB

from libs.common.tables import instant
from services.scheduler.tables.columns import currency, flag, id_, ids, minor, scheduler, whole, words

occurrence = Table(
    "occurrence",
    scheduler,
    *ids("occurrence_id"),
    id_("item_id"),
    whole("cycle", None),
    words("step_key"),
    id_("case_id"),
    id_("entity_id"),
    id_("policy_version_id"),
    words("kind"),
    whole("tone", None),
    whole("release", None),
    words("state"),
    words("reason", ""),
    id_("reminder_id"),
    words("channel", "email"),
    Column("on_date", Date, nullable=False),
    instant("released_at"),
    instant("ended_at", nullable=True),
    Column("retry_on", Date),
    minor("printed_minor"),
    currency(),
    whole("invoice_version"),
    flag("withdrawn"),
    Column("anchored", Boolean, nullable=False, server_default=text("true")),
    Column("ends", JSONB, nullable=False, server_default=text("'{}'"), comment="release:end → {at, on, reason}"),
    UniqueConstraint("tenant_id", "item_id", "cycle", "step_key"),
    Index("occurrence_reminder", "tenant_id", "reminder_id"),
    Index("occurrence_case", "tenant_id", "case_id", postgresql_where=text("state in ('released', 'proposed')")),
    Index(
        "occurrence_state",
        "tenant_id",
        "state",
        "occurrence_id",
        postgresql_where=text("state not in ('released', 'proposed', 'completed')"),
    ),
)

notice = Table(
    "notice",
    scheduler,
    *ids("notice_id"),
    id_("party_id"),
    id_("case_id"),
    id_("entity_id"),
    id_("reminder_id"),
    words("kind"),
    words("step_key"),
    whole("tone"),
    Column("said_on", Date, nullable=False),
    flag("sent"),
    flag("bounced"),
    flag("uncertain"),
    flag("unsent"),
    flag("approved"),
    flag("edited"),
    flag("rejected"),
    Index("notice_party", "tenant_id", "party_id", "said_on"),
    Index("notice_entity", "tenant_id", "entity_id", "said_on"),
    Index(
        "notice_decided",
        "tenant_id",
        "entity_id",
        "step_key",
        "said_on",
        postgresql_where=text("approved or rejected"),
    ),
)
