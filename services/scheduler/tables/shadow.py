"""What was decided in shadow: recorded once, on the day it would have been said first, and never sent."""

from sqlalchemy import Column, Date, Index, Integer, Table, Text

from libs.common.tables import instant
from services.scheduler.tables.columns import id_, ids, scheduler, whole, words

shadow_step = Table(
    "shadow_step",
    scheduler,
    *ids("item_id"),
    Column("cycle", Integer, primary_key=True),
    Column("step_key", Text, primary_key=True),
    id_("entity_id"),
    id_("case_id"),
    id_("policy_version_id"),
    words("kind"),
    whole("tone", None),
    words("channel"),
    Column("on_date", Date, nullable=False),
    instant("decided_at"),
    Index("shadow_step_day", "tenant_id", "entity_id", "on_date"),
)
