"""Recovery files: which items are handed on to whom, what became of them, and the sealed file that went with them."""

from sqlalchemy import ARRAY, Column, Date, Index, LargeBinary, SmallInteger, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from libs.common.tables import instant
from services.scheduler.tables.columns import currency, id_, ids, minor, scheduler, whole, words

recovery_file = Table(
    "recovery_file",
    scheduler,
    *ids("file_id"),
    id_("entity_id"),
    id_("case_id"),
    id_("payer_id"),
    currency(),
    words("reason"),
    words("author"),
    instant("prepared_at"),
    words("state", "prepared"),
    words("handed_to", ""),
    Column("handed_kind", Text),
    words("handed_by", ""),
    instant("handed_at", nullable=True),
    Column("hold_ids", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    Column("figures", JSONB, comment="cost and benefit as they were shown when it went to court"),
    words("content_sha256", ""),
    words("seal", ""),
    words("seal_key", ""),
    Column("content", LargeBinary, comment="the zip as it was handed over, never written again"),
    instant("ended_at", nullable=True),
    whole("version", 1),
    Index("recovery_file_state", "tenant_id", "state", "file_id"),
    Index("recovery_file_payer", "tenant_id", "payer_id"),
    comment="prepared → handed_over → judicial → collected | returned; dropped before it was handed over",
)

recovery_item = Table(
    "recovery_item",
    scheduler,
    *ids("file_id", "item_id"),
    id_("invoice_id"),
    minor("owed_minor"),
    words("state", "open"),
    Index("recovery_item_once", "tenant_id", "item_id", unique=True, postgresql_where=text("state = 'open'")),
    comment="an item is in one open file at a time",
)

recovery_step = Table(
    "recovery_step",
    scheduler,
    *ids("file_id"),
    Column("number", SmallInteger, primary_key=True),
    words("was"),
    words("became"),
    words("by"),
    instant("at"),
    words("why"),
    Column("on_day", Date),
)
