"""Policy versions and what people did with them; which policy holds for which item, debtor or segment."""

from sqlalchemy import Column, Date, Index, SmallInteger, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB

from libs.common.tables import instant
from services.scheduler.tables.columns import flag, id_, ids, scheduler, whole, words

policy_version = Table(
    "policy_version",
    scheduler,
    *ids("version_id"),
    words("name"),
    whole("number", None),
    Column("body", JSONB, nullable=False),
    words("state", "draft"),
    words("author"),
    instant("written_at"),
    Column("activated_by", Text),
    instant("activated_at", nullable=True),
    UniqueConstraint("tenant_id", "name", "number"),
    Index("policy_version_active", "tenant_id", "name", unique=True, postgresql_where=text("state = 'active'")),
)

policy_act = Table(
    "policy_act",
    scheduler,
    *ids("version_id"),
    Column("number", SmallInteger, primary_key=True),
    words("was"),
    words("became"),
    words("by"),
    instant("at"),
    words("why"),
)

policy_assignment = Table(
    "policy_assignment",
    scheduler,
    *ids("assignment_id"),
    words("scope"),
    id_("subject_id"),
    id_("entity_id", nullable=True),
    words("policy"),
    words("segment", ""),
    words("when", ""),
    whole("priority", 100),
    flag("at_once"),
    words("reason"),
    words("author"),
    instant("assigned_at"),
    Column("expires_on", Date, nullable=False),
    instant("ended_at", nullable=True),
    Column("ended_by", Text),
    Column("end_reason", Text),
    Index("policy_assignment_subject", "tenant_id", "subject_id"),
)
