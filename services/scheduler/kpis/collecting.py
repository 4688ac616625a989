"""How well money is collected: effectiveness, days late, what overdue money costs; minor units of one currency.

Collection effectiveness index (CEI) of a period: of what could have been collected, the share that was. What could be
is what was owed at the start and sold since, less what is not due at the end; what was, the same less all that is owed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from services.scheduler.charges.interest import Debt, interest, total
from services.scheduler.charges.rates import RateBook
from services.scheduler.charges.regimes import RateRule

NO_RATES = RateBook(())


def effectiveness(at_start: int, sold: int, at_end: int, not_due_at_end: int) -> Fraction | None:
    """The CEI as a share from 0 to 1; None when nothing could be collected."""
    could = at_start + sold - not_due_at_end
    return max(Fraction(0), Fraction(at_start + sold - at_end, could)) if could > 0 else None


def share(part: int, whole: int) -> Fraction | None:
    """A part of a whole; None of nothing."""
    return Fraction(part, whole) if whole > 0 else None


@dataclass(frozen=True, slots=True)
class Lateness:
    """Items that money settled in a period: how many, their amount, days late, and amount × days late."""

    items: int
    minor: int
    days: int
    minor_days: int

    @property
    def mean(self) -> Fraction | None:
        """Days late of an item on average; early ones count as 0."""
        return Fraction(self.days, self.items) if self.items else None

    @property
    def weighted(self) -> Fraction | None:
        """Days late of a unit of money on average."""
        return Fraction(self.minor_days, self.minor) if self.minor else None


def cost(debts: Iterable[Debt], first: date, last: date, percent: Decimal) -> Fraction:
    """What the overdue balances of a period cost at a rate a year, exactly: simple interest over 365."""
    rule = RateRule(percent=percent)
    sums = Fraction(0)
    for debt in debts:
        before = interest(debt, rule, NO_RATES, first - timedelta(days=1))
        sums += total(interest(debt, rule, NO_RATES, last).rows) - total(before.rows)
    return sums
