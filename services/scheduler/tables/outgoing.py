"""Signed messages to systems outside: where they go, what is to go there, and every try with its answer."""

from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger, Table, Text, text

from libs.common.tables import instant
from services.scheduler.tables.columns import flag, id_, ids, scheduler, whole, words

endpoint = Table(
    "endpoint",
    scheduler,
    *ids("endpoint_id"),
    id_("entity_id", nullable=True),
    words("url"),
    words("sealed_secret"),
    words("author"),
    instant("opened_at"),
    instant("closed_at", nullable=True),
    flag("closed"),
    whole("failures"),
    instant("next_try_at", now=True),
    instant("claimed_until", nullable=True),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Index("endpoint_next", "next_try_at"),
    comment="entity_id null: for all companies of the tenant; failures in a row make the pause until next_try_at",
)

message = Table(
    "outgoing_message",
    scheduler,
    *ids("message_id"),
    id_("endpoint_id"),
    words("kind"),
    id_("subject_id"),
    words("body"),
    words("state", "waiting"),
    whole("tries"),
    instant("queued_at"),
    instant("ended_at", nullable=True),
    Index(
        "outgoing_message_waiting",
        "tenant_id",
        "endpoint_id",
        "queued_at",
        "message_id",
        postgresql_where=text("state = 'waiting'"),
    ),
    Index("outgoing_message_subject", "tenant_id", "subject_id"),
    comment="waiting → delivered | given_up; the first one that waits at a door is the next that is posted there",
)

attempt = Table(
    "outgoing_attempt",
    scheduler,
    *ids("message_id"),
    Column("number", Integer, primary_key=True),
    instant("at"),
    Column("status", SmallInteger),
    Column("error", Text),
    whole("milliseconds"),
)
