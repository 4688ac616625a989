"""What was owed on a day gone by, as the pages showed it that day, and what had been sold until then.

A day's figures are those of its last instant: of each invoice the version told by then, of each item what it owed
after the last move told by then. What was told later, even with an earlier date, does not change them. Days before
the first thing was told were never shown: they are put together from the dates in the books, and called so.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Select,
    Subquery,
    Uuid,
    and_,
    cast,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from services.console.projections.kept import NOTHING
from services.console.store.ledger import open_items, open_now, owed
from services.console.tables import read_model as model

FACTS = ("tenant_id", "item_id", "invoice_id", "entity_id", "debtor_id", "issue_date", "due_date", "currency")


def end_of(day: date, zone: str) -> datetime:
    """The first instant that is no more of this day."""
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone))


async def begun(db: AsyncConnection, tenant_id: UUID, zone: str) -> date | None:
    """The first day that was shown: that on which the first thing was told; None when nothing was."""
    activity = model.activity
    oldest = select(activity.c.at).where(activity.c.tenant_id == tenant_id).order_by(activity.c.at).limit(1)
    first: datetime | None = await db.scalar(oldest)
    return first.astimezone(ZoneInfo(zone)).date() if first else None


@dataclass(frozen=True, slots=True)
class Day:
    """A day whose figures are wanted: today's are those of now, an earlier one's as shown, or from the books."""

    day: date
    how: Literal["now", "shown", "books"]
    end: datetime

    def items(self, tenant_id: UUID) -> Select[Any]:
        """Every item that owed at the end of the day: FACTS and `owed`."""
        if self.how == "now":
            return open_items(tenant_id)
        return _as_shown(tenant_id, self.end) if self.how == "shown" else _by_books(tenant_id, self.day)

    def sold(self, tenant_id: UUID, since: date) -> Subquery:
        """What was sold from `since` to the day: entity_id, currency, issue_date, payable; nothing cancelled.

        Unless the day is one as shown it is read from the sales that are kept: settle them before.
        """
        if self.how == "shown":
            return _sold_then(tenant_id, self.day, since, self.end)
        return _sold_now(tenant_id, self.day, since)


def day_seen(day: date, today: date, first: date | None, zone: str) -> Day:
    """A day as it is to be looked at; `first` is the first day that was ever shown."""
    end = end_of(day, zone)
    if day >= today:
        return Day(day, "now", end)
    return Day(day, "books" if first is None or day < first else "shown", end)


def _as_shown(tenant_id: UUID, end: datetime) -> Select[Any]:
    told = union_all(_standing(tenant_id, end), _moved_since(tenant_id, end), _told_later(tenant_id, end))
    every = told.subquery("told")
    return select(every).where(every.c.owed != 0)


def _last_move(tenant_id: Any, item_id: Any, end: datetime) -> Any:
    """What the last move told by then left."""
    move = model.move
    mine = (move.c.tenant_id == tenant_id, move.c.item_id == item_id, move.c.at < end)
    return select(move.c.residual).where(*mine).order_by(move.c.item_version.desc()).limit(1).scalar_subquery()


def _standing(tenant_id: UUID, end: datetime) -> Select[Any]:
    """Items that owe, of which nothing was told since."""
    item = model.item
    known = and_(item.c.tenant_id == tenant_id, open_now(), item.c.told_at < end, item.c.due_date.is_not(None))
    still = or_(item.c.moved_at.is_(None), item.c.moved_at < end)
    return select(*(item.c[name] for name in FACTS), owed().label("owed")).where(known, still)


def _moved_since(tenant_id: UUID, end: datetime) -> Select[Any]:
    """Items whose residual moved since, but whose invoice has not changed: what the move before left of them."""
    item = model.item
    then = func.coalesce(_last_move(item.c.tenant_id, item.c.item_id, end), item.c.amount).label("owed")
    known = and_(item.c.tenant_id == tenant_id, ~item.c.gone, item.c.told_at < end, item.c.due_date.is_not(None))
    return select(*(item.c[name] for name in FACTS), then).where(known, item.c.moved_at >= end)


def _told_later(tenant_id: UUID, end: datetime) -> Select[Any]:
    """Items of invoices that were told anew since: as their version of then said."""
    told = _version_then(tenant_id, end)
    part = func.jsonb_array_elements(told.c["items"]).table_valued("value").render_derived("part")
    value: ColumnElement[Any] = literal_column("part.value")
    identity = cast(value.op("->>")(0), Uuid)
    then = func.coalesce(_last_move(told.c.tenant_id, identity, end), cast(value.op("->>")(2), BigInteger))
    facts: dict[str, ColumnElement[Any]] = {n: told.c[n] for n in FACTS if n not in ("item_id", "due_date")}
    facts |= {"item_id": identity, "due_date": cast(value.op("->>")(1), Date)}
    columns = [facts[name].label(name) for name in FACTS]
    return select(*columns, then.label("owed")).select_from(told.join(part, true()))


def _version_then(tenant_id: UUID, end: datetime) -> Subquery:
    """Of each invoice that was told anew since: the version that stood at that instant, if any."""
    invoice, telling = model.invoice, model.telling
    same = (telling.c.tenant_id == invoice.c.tenant_id, telling.c.invoice_id == invoice.c.invoice_id)
    last = select(telling).where(*same, telling.c.at < end).order_by(telling.c.version.desc()).limit(1).lateral("last")
    changed = (invoice.c.tenant_id == tenant_id, invoice.c.changed_at >= end)
    return select(last).select_from(invoice.join(last, true())).where(*changed).subquery("version_then")


def _by_books(tenant_id: UUID, day: date) -> Select[Any]:
    """By the dates of invoices and money, as we know them now."""
    item, move = model.item, model.move
    last = (
        select(move.c.item_id, move.c.residual)
        .where(move.c.tenant_id == tenant_id, move.c.on <= day)
        .ext(distinct_on(move.c.item_id))
        .order_by(move.c.item_id, move.c.item_version.desc())
        .subquery("last_move")
    )
    left = func.coalesce(last.c.residual, item.c.amount)
    told = and_(item.c.tenant_id == tenant_id, ~item.c.gone, item.c.issue_date <= day, left != 0)
    both = item.outerjoin(last, last.c.item_id == item.c.item_id)
    return select(*(item.c[name] for name in FACTS), left.label("owed")).select_from(both).where(told)


def _sold_now(tenant_id: UUID, day: date, since: date) -> Subquery:
    sale = model.sale
    names = (sale.c.entity_id, sale.c.currency, sale.c.day.label("issue_date"), sale.c.sold.label("payable"))
    mine = (sale.c.tenant_id == tenant_id, sale.c.day.between(since, day), sale.c.currency != NOTHING)
    return select(*names).where(*mine).subquery("sold")


def _sold_then(tenant_id: UUID, day: date, since: date, end: datetime) -> Subquery:
    """As it was told by `end`."""
    invoice = model.invoice
    names = (invoice.c.entity_id, invoice.c.currency, invoice.c.issue_date, invoice.c.payable)
    now = select(*names).where(
        invoice.c.tenant_id == tenant_id,
        invoice.c.issue_date.between(since, day),
        ~invoice.c.cancelled,
        invoice.c.changed_at < end,
    )
    told = _version_then(tenant_id, end)
    then = select(told.c.entity_id, told.c.currency, told.c.issue_date, told.c.payable)
    return union_all(now, then.where(told.c.issue_date.between(since, day))).subquery("sold")
