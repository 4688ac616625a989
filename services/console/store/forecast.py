"""When what is owed is likely to come: due dates, moved by how late each customer pays.

A customer's habit is the mean of the days between due date and value date of what they settled in the last 180 days,
weighted by amount; who settled nothing has the mean of all. It is measured once a day, when somebody asks first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Date,
    Integer,
    Numeric,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.console.store import coming, kept
from services.console.store.coming import NOBODY
from services.console.store.ledger import open_now, owed
from services.console.tables import read_model as model

LOOKED_BACK = timedelta(days=180)
WEEKS = 13
BEYOND, LATER = -1, WEEKS
"""The places of what is later than its customer's habit, and of what comes after the last week."""


@dataclass(frozen=True, slots=True)
class Week:
    """What is expected within a week, and what falls due in it."""

    first: date
    expected: Money
    due: Money
    items: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Thirteen weeks of one currency; `beyond` is later than its customers usually are, and in no week."""

    currency: str
    currencies: Sequence[str]
    weeks: Sequence[Week]
    beyond: Money
    later: Money
    delay: int
    """Days by which all customers together pay late."""

    def sum(self, count: int) -> Money:
        """What is expected in the first weeks."""
        return Money(sum(week.expected.minor for week in self.weeks[:count]), self.currency)


async def measured(db: AsyncConnection, tenant_id: UUID, day: date) -> int:
    """Measure the habits if nobody did today; answers the days of all customers together."""
    habit = model.habit
    ours = select(habit.c.delay).where(habit.c.tenant_id == tenant_id, habit.c.debtor_id == NOBODY, habit.c.day == day)
    known = await db.scalar(ours)
    if known is not None:
        return int(known)
    await kept.lock(db, tenant_id)
    await db.execute(habit.delete().where(habit.c.tenant_id == tenant_id))
    settled = _settled(tenant_id, day)
    names = [column.name for column in habit.columns]
    for whose, groups in ((settled.c.debtor_id, [settled.c.debtor_id]), (literal(NOBODY), [])):
        late = func.coalesce(func.round(func.sum(settled.c.late * settled.c.amount) / func.sum(settled.c.amount)), 0)
        row = select(literal(tenant_id), whose, literal(day), cast(late, Integer), func.count()).group_by(*groups)
        await db.execute(insert(habit).from_select(names, row))
    await coming.anew(db, model, tenant_id)
    return int(await db.scalar(ours) or 0)


def _settled(tenant_id: UUID, day: date) -> Any:
    """What was settled lately: whose, how many days late, and how much."""
    item, move = model.item, model.move
    of_move = and_(item.c.tenant_id == move.c.tenant_id, item.c.item_id == move.c.item_id)
    late = cast(move.c.on - item.c.due_date, Numeric).label("late")
    mine = (
        move.c.tenant_id == tenant_id,
        move.c.residual == 0,
        move.c.on > day - LOOKED_BACK,
        item.c.due_date.is_not(None),
        item.c.amount > 0,
        ~item.c.gone,
        func.coalesce(item.c.residual, item.c.amount) == 0,
    )
    asked = select(item.c.debtor_id, late, item.c.amount).select_from(move.join(item, of_move)).where(*mine)
    return asked.subquery("settled")


async def expected(
    db: AsyncConnection, tenant_id: UUID, day: date, *, entity: UUID | None = None, currency: str = ""
) -> Forecast:
    """The forecast of a currency, the largest if none is wanted. Settle the accounts before."""
    delay = await measured(db, tenant_id, day)
    rows = list(await db.execute(_by_week(tenant_id, day, delay, entity)))
    sums: dict[str, int] = {}
    for row in rows:
        sums[row.currency] = sums.get(row.currency, 0) + int(row.owed)
    currencies = sorted(sums, key=lambda code: -sums[code])
    chosen = currency if currency in sums else next(iter(currencies), "EUR")
    placed = {(row.kind, row.place): row for row in rows if row.currency == chosen}

    def told(kind: str, place: int) -> Money:
        row = placed.get((kind, place))
        return Money(int(row.owed) if row else 0, chosen)

    monday = day - timedelta(days=day.weekday())
    weeks = [
        Week(
            max(day, monday + timedelta(weeks=place)),
            told("expected", place),
            told("due", place),
            int(placed[("expected", place)].count_) if ("expected", place) in placed else 0,
        )
        for place in range(WEEKS)
    ]
    return Forecast(chosen, currencies, weeks, told("expected", BEYOND), told("expected", LATER), delay)


def _by_week(tenant_id: UUID, day: date, delay: int, entity: UUID | None) -> Any:
    """Open items by the week in which they are expected, and by that in which they fall due."""
    lines = union_all(*_by_day(tenant_id, delay, entity)).cte("lines")
    return union_all(_grouped("expected", lines, lines.c.likely, day), _grouped("due", lines, lines.c.due_date, day))


def _by_day(tenant_id: UUID, delay: int, entity: UUID | None) -> tuple[Select[Any], Select[Any]]:
    """Open items by due date and likely day: those of invoices that have one are kept, those of others are looked
    up."""
    item, owing, habit = model.item, model.owing, model.habit
    of_invoice = and_(item.c.tenant_id == owing.c.tenant_id, item.c.invoice_id == owing.c.invoice_id)
    of_debtor = and_(habit.c.tenant_id == tenant_id, habit.c.debtor_id == owing.c.debtor_id)
    mine = [owing.c.tenant_id == tenant_id] + ([owing.c.entity_id == entity] if entity is not None else [])
    likely = type_coerce(item.c.due_date + func.coalesce(habit.c.delay, delay), Date).label("likely")
    sums = (func.sum(owed()).label("owed"), func.count().label("items"))
    more = select(owing.c.currency, item.c.due_date, likely, *sums)
    more = more.select_from(owing.join(item, of_invoice).outerjoin(habit, of_debtor))
    more = more.where(*mine, owing.c.parts > 1, open_now(), item.c.due_date.is_not(None))
    return coming.by_day(model, tenant_id, entity), more.group_by(owing.c.currency, item.c.due_date, likely)


def _grouped(kind: str, lines: CTE, on: ColumnElement[date], day: date) -> Select[Any]:
    monday = day - timedelta(days=day.weekday())
    days = type_coerce(on - literal(monday), Integer)
    week = func.least(days // 7, LATER)
    place = case((on < day, BEYOND), else_=week).label("place")
    summed = (func.sum(lines.c.owed).label("owed"), func.sum(lines.c["items"]).label("count_"))
    asked = select(literal(kind).label("kind"), lines.c.currency, place, *summed)
    return asked.group_by(lines.c.currency, place)
