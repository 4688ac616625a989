"""The key figures of a tenant, from its rows: as of the end of a day, or over a period. Nothing is changed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.standing import MONTHS, PERIOD, Standing, month_starts
from services.scheduler import debts
from services.scheduler.calendar import Calendar
from services.scheduler.charges.interest import rounded
from services.scheduler.kpis.collecting import Lateness, cost
from services.scheduler.kpis.reminding import Effect, Sent, Words
from services.scheduler.store import kpis as store

PAGE = 2_000
DAY = timedelta(days=1)
ON_TIME = Lateness(0, 0, 0, 0)


@dataclass(frozen=True)
class Asked:
    """Whose figures: of a company, or of all; days are those of the calendar."""

    db: AsyncConnection
    tenant: UUID
    entity: UUID | None
    calendar: Calendar

    def end(self, day: date) -> datetime:
        """The instant after a day."""
        return self.calendar.instant(day + DAY, time(0))


async def standing(asked: Asked, day: date) -> dict[str, Standing]:
    """Currency → what was owed at the end of a day, and what was sold before it."""
    end, starts = asked.end(day), month_starts(day)
    owed = {row.currency: row for row in await store.owed(asked.db, asked.tenant, asked.entity, day, end)}
    months: dict[str, list[int]] = defaultdict(lambda: [0] * MONTHS)
    recent: dict[str, int] = defaultdict(int)
    for row in await store.sold(asked.db, asked.tenant, asked.entity, starts[-1] - DAY, day, end):
        months[row.currency][starts.index(row.issue_date.replace(day=1))] += int(row.minor)
        recent[row.currency] += int(row.minor) if row.issue_date > day - timedelta(days=PERIOD) else 0
    found = {}
    for currency in sorted(owed.keys() | months.keys()):
        row = owed.get(currency)
        outstanding, not_due = (int(row.outstanding), int(row.not_due)) if row is not None else (0, 0)
        sold = tuple(months[currency])
        found[currency] = Standing(day, currency, outstanding, not_due, recent[currency], sold)
    return found


@dataclass(frozen=True, slots=True)
class Collection:
    """How well a period's money was collected; `cost` is None when nobody said what money costs."""

    currency: str
    at_start: int
    sold: int
    at_end: int
    not_due: int
    lateness: Lateness
    cost: int | None


async def collection(asked: Asked, first: date, last: date, percent: Decimal | None) -> list[Collection]:
    """Currency by currency."""
    start, end = await standing(asked, first - DAY), await standing(asked, last)
    sold: dict[str, int] = defaultdict(int)
    for row in await store.sold(asked.db, asked.tenant, asked.entity, first - DAY, last, asked.end(last)):
        sold[row.currency] += int(row.minor)
    late = {row.currency: row for row in await store.settled(asked.db, asked.tenant, asked.entity, first, last)}
    costs = await _costs(asked, first, last, percent) if percent is not None else {}
    found = []
    for currency in sorted(start.keys() | end.keys() | late.keys()):
        begun, ended, row = start.get(currency), end.get(currency), late.get(currency)
        found.append(
            Collection(
                currency=currency,
                at_start=begun.outstanding if begun else 0,
                sold=sold[currency],
                at_end=ended.outstanding if ended else 0,
                not_due=ended.not_due if ended else 0,
                lateness=Lateness(row.items, int(row.minor), int(row.days), int(row.minor_days)) if row else ON_TIME,
                cost=costs.get(currency, 0) if percent is not None else None,
            )
        )
    return found


async def _costs(asked: Asked, first: date, last: date, percent: Decimal) -> Mapping[str, int]:
    sums: dict[str, Fraction] = defaultdict(Fraction)
    after: UUID | None = None
    while True:
        rows = await store.overdue_in(asked.db, asked.tenant, asked.entity, first, last, after, PAGE)
        for debt in (await debts.debts(asked.db, asked.tenant, rows)).values():
            sums[debt.currency] += cost([debt], first, last, percent)
        if len(rows) < PAGE:
            return {currency: rounded(exact) for currency, exact in sums.items()}
        after = rows[-1]["item_id"]


async def words(asked: Asked, first: date, last: date) -> dict[str, Words]:
    """Currency → the promises that ended in a period."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    rows = await store.words(asked.db, asked.tenant, asked.entity, asked.end(first - DAY), asked.end(last))
    for row in rows:
        counts[row.currency][row.state] += row.count
        counts[row.currency]["promised"] += int(row.promised)
        counts[row.currency]["paid"] += int(row.paid)
    return {
        currency: Words(each["kept"], each["partly_kept"], each["broken"], each["promised"], each["paid"])
        for currency, each in sorted(counts.items())
    }


async def reminders(asked: Asked, first: date, last: date) -> Sent:
    """The reminders of a period, and the wrong ones among them."""
    row = await store.reminders(asked.db, asked.tenant, asked.entity, first, last)
    return Sent(row.reminders, row.wrong)


async def steps(asked: Asked, first: date, last: date, within: int) -> Sequence[tuple[str, str, Effect]]:
    """Step, currency, and what followed it within so many days."""
    rows = await store.steps(asked.db, asked.tenant, asked.entity, first, last, within)
    return [
        (row.step_key, row.currency, Effect(row.items, row.settled, int(row.minor), int(row.settled_minor)))
        for row in sorted(rows, key=lambda row: (row.step_key, row.currency))
    ]
