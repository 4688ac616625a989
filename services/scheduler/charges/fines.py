"""The Moroccan fine on late payment: what the debtor owes the State, told for information only.

Law 69-21: Bank Al-Maghrib's policy rate for the first month of delay and 0.85 % for each further month or part of one,
on what is unpaid with VAT. It is never a line of a claim: it is not the supplier's money.
"""

from datetime import date
from decimal import Decimal
from fractions import Fraction

from services.scheduler.calendar import months_after
from services.scheduler.charges.interest import DAY, Debt, rounded
from services.scheduler.charges.rates import RateBook

FURTHER_MONTH = Decimal("0.85")


def months_late(due_date: date, until: date) -> int:
    """Months of delay, begun ones counted whole."""
    months = 0
    while months_after(due_date, months) < until:
        months += 1
    return months


def fine(debt: Debt, book: RateBook, until: date) -> int | None:
    """Minor units of the fine up to a day; None when the policy rate of the first day of delay is unknown."""
    months = months_late(debt.due_date, until)
    if not months or not debt.late():
        return 0
    rate = book.at("bam", debt.start)
    if rate is None:
        return None
    sums = Fraction(0)
    for month in range(months):
        begins = months_after(debt.due_date, month) + DAY
        unpaid = max(0, debt.principal - sum(each.minor for each in debt.payments if each.on < begins))
        sums += unpaid * Fraction(FURTHER_MONTH if month else rate.percent) / 100
    return rounded(sums)
