"""Debts and rates as the tests of charges write them."""

from datetime import date
from decimal import Decimal
from typing import Any

from services.scheduler.charges.interest import Debt, Payment, Sheet, interest
from services.scheduler.charges.rates import Index, Rate, RateBook, shipped
from services.scheduler.charges.regimes import REGIMES, Key, RateRule

BOOK = shipped()


def day(text: str) -> date:
    return date.fromisoformat(text)


def debt(euros: int, due: str, *payments: tuple[str, int], currency: str = "EUR") -> Debt:
    """So many whole units, and payments of (day, whole units)."""
    return Debt(currency, day(due), euros * 100, tuple(Payment(day(on), minor * 100) for on, minor in payments))


def by_law(key: Key, owed: Debt, until: str, **how: Any) -> Sheet:
    return interest(owed, REGIMES[key].rule, BOOK, day(until), **how)


def at(percent: str, owed: Debt, until: str, **rule: Any) -> Sheet:
    return interest(owed, RateRule(percent=Decimal(percent), **rule), BOOK, day(until))


def book(index: Index, *rows: tuple[str, str]) -> RateBook:
    return RateBook(Rate(index, day(on), Decimal(percent), "test", approved_by="test") for on, percent in rows)
