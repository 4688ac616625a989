"""The directory as every service keeps it: one row an entry, as the highest version that was heard tells it.

`console` is the master: there these rows are written in the transaction that records the event. Elsewhere the
consumer writes them. Nobody else does. Rows of the whole installation carry the tenant INSTALLATION.
"""

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, Date, DateTime, Index, Table, Text, Uuid, text

from libs.common.tables import NOBODY, common

INSTALLATION = NOBODY
"""The tenant of what belongs to no tenant: the directory's own state, and the installation's administrator."""

INSTANT = DateTime(timezone=True)


def _entry(name: str, identity: str | None, *facts: Column[object] | Index) -> Table:
    """A table of the directory: tenant and identity first, the event's versions last."""
    keys = [Column("tenant_id", Uuid, primary_key=True)]
    if identity is not None:
        keys.append(Column(identity, Uuid, primary_key=True))
    versions = (Column("version", BigInteger, nullable=False), Column("directory_version", BigInteger, nullable=False))
    return Table(name, common, *keys, *facts, *versions)


def _text(name: str, nullable: bool = False) -> Column[object]:
    return Column(name, Text, nullable=nullable)


def _flag(name: str) -> Column[object]:
    return Column(name, Boolean, nullable=False)


directory_tenant = _entry("directory_tenant", None, _text("name"), _flag("sandbox"), _flag("stopped"))

directory_entity = _entry(
    "directory_entity",
    "entity_id",
    _text("name"),
    _text("siren", nullable=True),
    _text("country"),
    _text("region", nullable=True),
    Column("closed_days", ARRAY(Date), nullable=False, server_default=text("'{}'")),
    _text("time_zone"),
    _text("language"),
    _text("currency"),
    _text("sender_name"),
    _text("sender_email"),
    _text("reply_to", nullable=True),
    _text("phone", nullable=True),
    _text("mode"),
    _text("approvals"),
    _text("run_in"),
    _text("policy"),
    _flag("feed_required"),
    _text("settlement_master"),
    Column("ledger_tolerance", BigInteger, nullable=False),
)

directory_api_key = _entry(
    "directory_api_key",
    "key_id",
    _text("prefix", nullable=True),
    _text("secret_sha256", nullable=True),
    Column("scopes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("expires_at", INSTANT, nullable=True),
    _flag("revoked"),
    Index("directory_api_key_prefix", "prefix", unique=True),
)
"""A revocation may be heard first, or alone: the row then has no prefix and opens nothing."""

directory_source = _entry(
    "directory_source",
    "source_id",
    Column("entity_id", Uuid, nullable=False),
    _text("slug"),
    _text("purpose"),
    Column("sealed_secrets", ARRAY(Text), nullable=False),
    _flag("active"),
    Index("directory_source_of_any_tenant", "source_id"),
)

directory_bank_details = _entry(
    "directory_bank_details",
    "bank_account_id",
    Column("entity_id", Uuid, nullable=False),
    _text("iban"),
    _text("bic", nullable=True),
    _text("holder"),
    _text("currency"),
    _flag("required"),
    Column("effective_at", INSTANT, nullable=False),
)

directory_state = Table(
    "directory_state",
    common,
    Column("tenant_id", Uuid, primary_key=True),
    Column("heard", BigInteger, nullable=False, server_default=text("0")),
    Column("complete", Boolean, nullable=False, server_default=text("false")),
)
"""One row, of INSTALLATION: the highest directory_version heard, and whether the directory was read to an end once."""
