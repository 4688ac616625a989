"""The columns that the scheduler's tables are made of, and the metadata they are in."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, String, Text, Uuid, text

scheduler = MetaData()


def ids(*names: str) -> list[Column[object]]:
    """tenant_id and these ids, which together are the key."""
    return [Column(name, Uuid, primary_key=True) for name in ("tenant_id", *names)]


def id_(name: str, *, nullable: bool = False) -> Column[object]:
    """An id."""
    return Column(name, Uuid, nullable=nullable)


def whole(name: str, default: int | None = 0, *, comment: str | None = None) -> Column[object]:
    """A whole number; `default` None: it has none."""
    given = None if default is None else str(default)
    return Column(name, Integer, nullable=default is None, server_default=given, comment=comment)


def minor(name: str, *, nullable: bool = False, default: int | None = None) -> Column[object]:
    """Minor units of the row's currency."""
    return Column(name, BigInteger, nullable=nullable, server_default=None if default is None else str(default))


def flag(name: str) -> Column[object]:
    """Yes or no, no by itself."""
    return Column(name, Boolean, nullable=False, server_default=text("false"))


def words(name: str, default: str | None = None) -> Column[object]:
    """Text, never absent."""
    return Column(name, Text, nullable=False, server_default=default)


def currency(*, nullable: bool = False) -> Column[object]:
    """ISO 4217."""
    return Column("currency", String(3), nullable=nullable)
