"""Money and credits of the payers, and how fresh the bank data are."""

from sqlalchemy import ARRAY, Column, Date, Index, Table, Uuid, text

from services.scheduler.tables.columns import currency, flag, id_, ids, minor, scheduler, whole

payment = Table(
    "payment",
    scheduler,
    *ids("payment_id"),
    id_("entity_id"),
    id_("payer_id", nullable=True),
    whole("version"),
    minor("amount_minor"),
    minor("unapplied_minor"),
    currency(),
    Column("value_date", Date, nullable=False),
    Column("seen_on", Date, nullable=False),
    flag("reversed"),
    Index("payment_payer", "tenant_id", "payer_id", "value_date"),
    Index("payment_unapplied", "tenant_id", "payer_id", postgresql_where=text("unapplied_minor > 0")),
)

credit_note = Table(
    "credit_note",
    scheduler,
    *ids("credit_note_id"),
    id_("entity_id"),
    id_("payer_id", nullable=True),
    id_("debtor_id", nullable=True),
    currency(nullable=True),
    Column("invoice_ids", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    minor("unapplied_minor", nullable=True),
    whole("issued_version"),
    whole("applied_version"),
    whole("answered_version"),
    Column("seen_on", Date, nullable=False),
    Index("credit_note_payer", "tenant_id", "payer_id"),
)

feed = Table(
    "feed",
    scheduler,
    *ids("bank_account_id"),
    id_("entity_id"),
    whole("version"),
    Column("covered_to", Date),
    flag("required"),
    flag("unreadable"),
    Index("feed_entity", "tenant_id", "entity_id"),
)
