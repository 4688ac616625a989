"""What of each day is not in the occurrences themselves: releases that were followed by others, and steps kept silent.

A silence is an interval: it begins when a decision gives its reason, and ends when another reason or a release follows.
And what the auditor found, with how far it has counted.
"""

from sqlalchemy import Column, Date, DateTime, Index, Integer, Table, Text, text

from libs.common.tables import instant
from services.scheduler.tables.columns import id_, ids, scheduler, whole, words

earlier_release = Table(
    "earlier_release",
    scheduler,
    *ids("occurrence_id"),
    Column("release", Integer, primary_key=True),
    instant("released_at"),
    words("state"),
    words("reason", ""),
    Index("earlier_release_day", "tenant_id", "released_at"),
)

kept_silent = Table(
    "kept_silent",
    scheduler,
    *ids("item_id"),
    Column("cycle", Integer, primary_key=True),
    Column("step_key", Text, primary_key=True),
    Column("since", DateTime(timezone=True), primary_key=True),
    id_("case_id"),
    id_("entity_id"),
    whole("tone"),
    Column("due_on", Date, nullable=False, comment="the day of the step, which may be ahead"),
    words("reason"),
    instant("until", nullable=True),
    Index("kept_silent_case", "tenant_id", "case_id", postgresql_where=text("until is null")),
    Index("kept_silent_day", "tenant_id", "until", "due_on"),
)

said_twice = Table(
    "said_twice",
    scheduler,
    *ids("subject_id"),
    words("kind"),
    id_("place_id"),
    comment="steps of items (place: the case) and reminders (place: the party) that were said twice; must be empty",
)

audit_mark = Table(
    "audit_mark",
    scheduler,
    *ids(),
    instant("counted_to"),
    instant("all_counted_at"),
    comment="one row: how far the auditor has counted what left, and when it last counted everything",
)
