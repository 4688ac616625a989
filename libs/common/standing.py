"""Days sales outstanding, three ways, from what is owed and what was sold. Nothing here reads a clock or a table.

Sales are invoices issued with their taxes, cancelled ones left out, credit notes not deducted; currencies are never
added up. Simple: what is owed over the sales of the last 90 days, times 90. Best possible: the same of what is not
due yet, so it is the not-due share of the simple one. Countback: what is owed is used up by the sales of the newest
month, then of the one before, and so on; the days of the months used up are the answer.
"""

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

PERIOD = 90
MONTHS = 13
"""Months of sales that the countback may use up: the day's own and the twelve before."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What stood at the end of a day, minor units of one currency: `sold` by month, the newest first."""

    day: date
    currency: str
    outstanding: int
    not_due: int
    sold_90: int
    sold: tuple[int, ...]
    books: bool = False
    """Put together from the books: nobody was shown this day."""

    @property
    def overdue(self) -> int:
        return self.outstanding - self.not_due

    @property
    def simple(self) -> Fraction | None:
        """Days; None without sales in the period."""
        return Fraction(self.outstanding * PERIOD, self.sold_90) if self.sold_90 > 0 else None

    @property
    def best(self) -> Fraction | None:
        """Days that it would be if everything were paid when it is due; None without sales in the period."""
        return Fraction(self.not_due * PERIOD, self.sold_90) if self.sold_90 > 0 else None

    @property
    def countback(self) -> Fraction | None:
        """Days; None when the months that we look back over are not enough."""
        left, days = Fraction(max(0, self.outstanding)), Fraction(0)
        if not left:
            return days
        for sold, length in zip(self.sold, month_lengths(self.day), strict=False):
            if sold >= left:
                return days + length * left / sold
            left, days = left - max(0, sold), days + length
        return None


def month_lengths(day: date) -> Sequence[int]:
    """The days of the day's month so far, then of the months before it."""
    lengths, year, month = [day.day], day.year, day.month
    for _ in range(MONTHS - 1):
        year, month = (year - 1, 12) if month == 1 else (year, month - 1)
        lengths.append(calendar.monthrange(year, month)[1])
    return lengths


def month_starts(day: date) -> Sequence[date]:
    """The first of the day's month, and of the months before it."""
    starts, first = [], day.replace(day=1)
    for _ in range(MONTHS):
        starts.append(first)
        first = (first - timedelta(days=1)).replace(day=1)
    return starts


def month_ends(day: date, count: int) -> Sequence[date]:
    """The last days of the `count` months before the day's, the oldest first."""
    ends, last = [], day.replace(day=1) - timedelta(days=1)
    for _ in range(count):
        ends.append(last)
        last = last.replace(day=1) - timedelta(days=1)
    return ends[::-1]


def together(standings: Iterable[Standing]) -> dict[tuple[date, str], Standing]:
    """What entities have together, by day and currency."""
    found: dict[tuple[date, str], Standing] = {}
    for each in standings:
        known = found.get((each.day, each.currency))
        found[each.day, each.currency] = _added(known, each) if known else each
    return found


def _added(one: Standing, other: Standing) -> Standing:
    return Standing(
        one.day,
        one.currency,
        one.outstanding + other.outstanding,
        one.not_due + other.not_due,
        one.sold_90 + other.sold_90,
        tuple(a + b for a, b in zip(one.sold, other.sold, strict=True)),
        one.books,
    )
