"""The columns that matching's tables are made of, and the metadata they are in."""

from sqlalchemy import BigInteger, Boolean, Column, MetaData, String, Text, Uuid, text

matching = MetaData()


def id_(name: str, *, nullable: bool = False) -> Column[object]:
    """An id."""
    return Column(name, Uuid, nullable=nullable)


def minor(name: str) -> Column[object]:
    """`<name>_minor`: minor units of the row's currency."""
    return count(f"{name}_minor")


def count(name: str) -> Column[object]:
    """A whole number that may be large."""
    return Column(name, BigInteger, nullable=False)


def currency(name: str = "currency", *, nullable: bool = False) -> Column[object]:
    """ISO 4217."""
    return Column(name, String(3), nullable=nullable)


def words(name: str, *, nullable: bool = False) -> Column[object]:
    """Text."""
    return Column(name, Text, nullable=nullable)


def flag(name: str, default: str = "false") -> Column[object]:
    """Yes or no, no by itself."""
    return Column(name, Boolean, nullable=False, server_default=text(default))


def version() -> Column[object]:
    """How often the row changed."""
    return Column("version", BigInteger, nullable=False, server_default=text("0"))
