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
    comment="entity_id null: for all companies of the tenant",
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
    Column("fence", BigInteger, nullable=False, server_default="0"),
    instant("queued_at"),
    instant("next_try_at", nullable=True),
    instant("claimed_until", nullable=True),
    instant("ended_at", nullable=True),
    Index("outgoing_message_next", "next_try_at", postgresql_where=text("next_try_at is not null")),
    Index("outgoing_message_subject", "tenant_id", "subject_id"),
    comment="waiting → claimed → delivered | waiting again | given_up; next_try_at is null once it has ended",
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
