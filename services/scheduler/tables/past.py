"""What was told when: the facts that a decision of the past rested on and that their own rows do not keep."""

from sqlalchemy import Column, Index, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from libs.common.tables import instant
from services.scheduler.tables.columns import id_, scheduler

past_fact = Table(
    "past_fact",
    scheduler,
    Column("tenant_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("subject_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    id_("about_id"),
    instant("told_at"),
    Column("body", JSONB, nullable=False),
    Index("past_fact_about", "tenant_id", "about_id", "kind"),
)
