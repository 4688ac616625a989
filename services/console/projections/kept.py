"""The tables that are worked out of the read model and kept, so that no page adds up a million rows.

mark     an invoice about which something was heard that the others do not know yet
owing    one row an invoice that owes now
account  what one customer owes, by age, as of the days between `counted_on` and `stands_until`
sale     what was sold on one day
habit    how late a customer pays, measured once a day when somebody asks
coming   what is owed by due date and likely day, as those habits have it
closing  what stood at the end of a day that is over

They are written by `store.kept`, `store.coming`, `store.forecast` and `store.dso` alone. A mark is added in the
transaction that changes what it is about; whoever works the others out takes the mark away first, so nothing is left
out of them.
"""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, MetaData, String, Table, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

AGES = ("b0", "b1", "b2", "b3", "b4")
"""Columns of an account: not due, 1-30, 31-60, 61-90 and more days overdue, minor units."""
NOTHING = "---"
"""The currency of the row that tells that a day is worked out, whatever there was."""


def _table(prefix: str, metadata: MetaData, name: str, keys: tuple[Column[Any], ...], *columns: Column[Any]) -> Table:
    return Table(prefix + name, metadata, Column("tenant_id", Uuid, primary_key=True), *keys, *columns)


def _key(name: str, kind: Any = Uuid) -> Column[Any]:
    return Column(name, kind, primary_key=True)


def _minor(name: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False)


def _count(name: str) -> Column[Any]:
    return Column(name, Integer, nullable=False)


def _day(name: str) -> Column[Any]:
    return Column(name, Date, nullable=False)


def mark(prefix: str, metadata: MetaData) -> Table:
    """A mark names the event, so that two that are heard at once leave two marks."""
    return _table(prefix, metadata, "mark", (_key("invoice_id"), _key("event_id")))


def owing(prefix: str, metadata: MetaData) -> Table:
    """`due_date` is the earliest of the items that are open, `owed` the sum of all that is open, `parts` how many."""
    found = _table(
        prefix,
        metadata,
        "owing",
        (_key("invoice_id"),),
        Column("entity_id", Uuid, nullable=False),
        Column("debtor_id", Uuid, nullable=False),
        Column("currency", String(3), nullable=False),
        _day("issue_date"),
        _day("due_date"),
        _minor("owed"),
        _count("parts"),
    )
    Index(f"{found.name}_by_due", found.c.tenant_id, found.c.due_date, found.c.invoice_id)
    Index(f"{found.name}_by_issue", found.c.tenant_id, found.c.issue_date, found.c.invoice_id)
    Index(f"{found.name}_by_amount", found.c.tenant_id, found.c.owed, found.c.invoice_id)
    Index(f"{found.name}_of_debtor", found.c.tenant_id, found.c.debtor_id, found.c.invoice_id)
    Index(f"{found.name}_in_parts", found.c.tenant_id, found.c.invoice_id, postgresql_where=text("parts > 1"))
    return found


def account(prefix: str, metadata: MetaData) -> Table:
    """A row a debtor, payer and currency that owes. `late_whole` is what invoices with an overdue item owe in all."""
    keys = (_key("debtor_id"), _key("payer_id"), _key("entity_id"), _key("currency", String(3)))
    sums = (_minor("total"), *(_minor(name) for name in AGES), _minor("late_whole"))
    counts = (_count("items"), _count("late_items"), _count("invoices"), _count("late_invoices"))
    days = (_day("oldest"), _day("counted_on"), _day("stands_until"))
    found = _table(prefix, metadata, "account", keys, *sums, *counts, *days)
    Index(f"{found.name}_of_payer", found.c.tenant_id, found.c.payer_id)
    Index(f"{found.name}_stands", found.c.tenant_id, found.c.stands_until)
    Index(f"{found.name}_counted", found.c.tenant_id, found.c.counted_on)
    return found


def sale(prefix: str, metadata: MetaData) -> Table:
    """Invoices issued on a day, cancelled ones counted but not summed; the row NOTHING says whether it is fresh."""
    keys = (_key("day", Date), _key("entity_id"), _key("currency", String(3)))
    fresh = Column("fresh", Boolean, nullable=False, server_default=text("true"))
    sums = (_minor("sold"), _count("invoices"), _count("cancelled"), fresh)
    found = _table(prefix, metadata, "sale", keys, *sums)
    Index(f"{found.name}_stale", found.c.tenant_id, found.c.day, postgresql_where=text("not fresh"))
    return found


def habit(prefix: str, metadata: MetaData) -> Table:
    """By how many days a customer pays late, as measured on `day`; nobody's row is all customers' together."""
    return _table(prefix, metadata, "habit", (_key("debtor_id"),), _day("day"), _count("delay"), _count("paid"))


def coming(prefix: str, metadata: MetaData) -> Table:
    """What invoices of one item owe by due date and likely day; `items` 0 is nothing any more."""
    keys = (_key("entity_id"), _key("currency", String(3)), _key("due_date", Date), _key("likely", Date))
    return _table(prefix, metadata, "coming", keys, _minor("owed"), _count("items"))


def closing(prefix: str, metadata: MetaData) -> Table:
    """What stood at the end of a day that is over; `sold` are the last 90 days and the months, the newest first."""
    keys = (_key("day", Date), _key("entity_id"), _key("currency", String(3)))
    sold = Column("sold", JSONB, nullable=False)
    books = Column("books", Boolean, nullable=False, server_default=text("false"))
    return _table(prefix, metadata, "closing", keys, _minor("outstanding"), _minor("not_due"), sold, books)


BY_DAY = (closing, coming, habit)
"""Those that are made anew as days pass."""
