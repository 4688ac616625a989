"""Policy versions: drafts, the active one of each name, retired ones."""

from sqlalchemy import Column, Index, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB

from libs.common.tables import instant
from services.scheduler.tables.columns import ids, scheduler, whole, words

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
