"""Late-payment interest of one debt, day by day: one row a span of equal balance and rate, rounded once at the end.

The rule it protects: interest runs from the day after the due date to the day the money is at the creditor's disposal,
both included (Code de commerce L. 441-10 II; R. 2192-32 says it of public buyers), on what was owed that day with VAT.
A day whose rate is not published ends the count; the sheet says so and is provisional.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from uuid import UUID

from services.scheduler.calendar import months_after
from services.scheduler.charges.imputation import Imputation, Owed, paid
from services.scheduler.charges.rates import Rate, RateBook
from services.scheduler.charges.regimes import DayCount, Found, RateRule

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Payment:
    """Money for this debt, at the creditor's disposal on its value date."""

    on: date
    minor: int
    payment_id: UUID | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Debt:
    """An item as interest sees it. `principal` is the amount with VAT less what was credited: that was never owed."""

    currency: str
    due_date: date
    principal: int
    payments: tuple[Payment, ...] = ()
    stops_on: date | None = None
    """The last day that bears interest: a waiver, or the opening of insolvency proceedings."""

    @property
    def start(self) -> date:
        """The first day of delay."""
        return self.due_date + DAY

    def late(self) -> int:
        """What was owed when the delay began; 0 when all was paid in time."""
        return max(0, self.principal - sum(each.minor for each in self.payments if each.on < self.start))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the proof: balance × percent × days / year. `interest` is exact, in minor units."""

    first: date
    last: date
    days: int
    year: int
    balance: int
    """The principal that was owed, in minor units."""
    capitalised: Fraction
    """Interest of whole years that bears interest itself; 0 but where the law compounds."""
    percent: Decimal
    interest: Fraction
    rates: tuple[Rate, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """The interest of one debt up to a day. Sums are minor units of its currency."""

    currency: str
    rows: tuple[Row, ...]
    interest: int
    """All that accrued, rounded once, half up."""
    left: Owed
    """What is owed under each head after the payments."""
    asked_to: date
    counted_to: date
    """The last day that was counted; before `asked_to` when a rate is missing or the count has stopped."""
    doubts: tuple[str, ...] = ()
    """Why the figure may still change: `rate_unpublished`, `rate_unconfirmed`, `floor_unpublished`."""

    @property
    def provisional(self) -> bool:
        return bool(self.doubts)


@dataclass
class _Running:
    """The debt while the days go by."""

    owed: Owed
    accrued: Fraction = Fraction(0)
    capitalised: Fraction = Fraction(0)
    covered: int = 0
    """Interest that payments have paid."""
    rows: list[Row] = field(default_factory=list)
    doubts: dict[str, None] = field(default_factory=dict)

    def take(self, payment: Payment, imputation: Imputation) -> None:
        interest = max(0, rounded(self.accrued) - self.covered)
        before = Owed(self.owed.principal, interest, self.owed.costs)
        after = paid(before, payment.minor, imputation)
        self.covered += before.interest - after.interest
        self.owed = after
        self.capitalised = max(Fraction(0), min(self.capitalised, self.accrued - self.covered))

    def count(self, first: date, last: date, rule: RateRule, found: Found) -> None:
        base = self.owed.principal + self.capitalised
        days, year = spanned(first, last, rule.day_count)
        interest = base * Fraction(found.percent) / 100 * days / year
        self.accrued += interest
        self.doubts |= dict.fromkeys(found.doubts)
        self.rows.append(
            Row(
                first, last, days, year, self.owed.principal, self.capitalised, found.percent, interest, found.rates
            )
        )  # fmt: skip


def interest(
    debt: Debt,
    rule: RateRule,
    book: RateBook,
    until: date,
    *,
    imputation: Imputation = "principal_first",
    costs: int = 0,
) -> Sheet:
    """The sheet of a debt up to and with a day; `costs` are those that its payments may go to first."""
    last_day = until if debt.stops_on is None else min(until, debt.stops_on)
    running = _Running(Owed(debt.principal, costs=costs))
    waiting = sorted((each for each in debt.payments if each.on <= until), key=lambda each: each.on)
    counted_to = max(debt.due_date, last_day)
    for first, last in spans(debt, rule, book, last_day):
        while waiting and waiting[0].on < first:
            running.take(waiting.pop(0), imputation)
        if rule.compounding and first != debt.start and _is_anniversary(first, debt.start):
            running.capitalised = max(Fraction(0), running.accrued - running.covered)
        if not running.owed.principal and not running.capitalised:
            continue
        found = rule.on(first, debt.start, book)
        if found is None:
            running.doubts["rate_unpublished"] = None
            counted_to = first - DAY
            break
        running.count(first, last, rule, found)
    for payment in waiting:
        running.take(payment, imputation)
    total = rounded(running.accrued)
    return Sheet(
        currency=debt.currency,
        rows=tuple(running.rows),
        interest=total,
        left=Owed(running.owed.principal, max(0, total - running.covered), running.owed.costs),
        asked_to=until,
        counted_to=counted_to,
        doubts=tuple(running.doubts),
    )


def spans(debt: Debt, rule: RateRule, book: RateBook, last_day: date) -> Iterator[tuple[date, date]]:
    """The delay up to a day, cut wherever the balance, the rate, the year's length or the capital changes."""
    start = debt.start
    if last_day < start:
        return
    cuts = {start, last_day + DAY, *rule.changes(start, last_day, book)}
    cuts |= {each.on + DAY for each in debt.payments if start <= each.on < last_day}
    if rule.day_count == "act_act":
        cuts |= {date(year, 1, 1) for year in range(start.year + 1, last_day.year + 1)}
    if rule.compounding:
        cuts |= set(_anniversaries(start, last_day))
    for first, following in pairwise(sorted(cuts)):
        yield first, following - DAY


def _anniversaries(start: date, last: date) -> Iterator[date]:
    years = 1
    while (day := months_after(start, 12 * years)) <= last:
        yield day
        years += 1


def _is_anniversary(day: date, start: date) -> bool:
    return day == months_after(start, 12 * (day.year - start.year))


def spanned(first: date, last: date, day_count: DayCount) -> tuple[int, int]:
    """(days, length of the year) of the days from `first` to `last`, both included.

    act_365: actual days over 365. act_act: over 366 in a leap year; the span lies in one year. 30_360: every month
    has 30 days, as the German courts' dunning procedure counts.
    """
    if day_count == "30_360":
        end = last + DAY
        months = (end.year - first.year) * 12 + end.month - first.month
        return months * 30 + min(end.day, 30) - min(first.day, 30), 360
    leap = first.year % 4 == 0 and (first.year % 100 != 0 or first.year % 400 == 0)
    return (last - first).days + 1, 366 if day_count == "act_act" and leap else 365


def rounded(exact: Fraction) -> int:
    """Minor units, half up."""
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def total(rows: Sequence[Row]) -> Fraction:
    """The exact sum of rows."""
    return sum((row.interest for row in rows), Fraction(0))
