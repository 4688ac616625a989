"""How far each entity is on its run-in: steps that have earned it, and days whose notices are bounded."""

from sqlalchemy import Column, Date, Table, Text, Uuid

from services.scheduler.tables.columns import scheduler, whole

earned_step = Table(
    "earned_step",
    scheduler,
    Column("tenant_id", Uuid, primary_key=True),
    Column("entity_id", Uuid, primary_key=True),
    Column("step_key", Text, primary_key=True),
    Column("earned_on", Date, nullable=False),
)

bounded_day = Table(
    "bounded_day",
    scheduler,
    Column("tenant_id", Uuid, primary_key=True),
    Column("entity_id", Uuid, primary_key=True),
    Column("bound", Text, primary_key=True, comment="ramp, or spread"),
    Column("day", Date, primary_key=True),
    whole("cap", None),
    whole("released"),
)

ramp_notice = Table(
    "ramp_notice",
    scheduler,
    Column("tenant_id", Uuid, primary_key=True),
    Column("entity_id", Uuid, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("reminder_id", Uuid, primary_key=True),
)
