"""From what matching told of an item to its debt: which money came for it when, and what was credited.

The rule it protects: nobody is charged for what was never owed. Money counts from its value date, a credit note from
the due date; what a bank took back counts as if it had never come. The parts always add up to what matching says.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from services.scheduler.charges.interest import Debt, Payment

Cause = Literal["given", "taken_back", "other"]


@dataclass(frozen=True, slots=True)
class Told:
    """What matching said once: the residual at a version, and by which payment it came to be."""

    version: int
    residual: int
    cause: Cause = "other"
    payment_id: UUID | None = None
    given: int = 0
    """Minor units of the payment that this item got."""
    on: date | None = None
    """The payment's value date."""


@dataclass
class _Given:
    payment_id: UUID
    on: date
    minor: int


def debt_of(  # noqa: PLR0917 - an item in the order of its facts
    currency: str, due_date: date, amount: int, residual: int, told: Iterable[Told], stops_on: date | None = None
) -> Debt:
    """The debt of an item of this amount of which this much is still owed."""
    given: list[_Given] = []
    before = amount
    for fact in sorted(told, key=lambda fact: fact.version):
        if fact.cause == "given" and fact.payment_id is not None and fact.on is not None and fact.given > 0:
            given.append(_Given(fact.payment_id, fact.on, fact.given))
        elif fact.cause == "taken_back":
            mine = [each for each in given if each.payment_id == fact.payment_id]
            _take_back(mine, max(0, fact.residual - before))
        before = fact.residual
    paid = sum(each.minor for each in given)
    _take_back(given, paid - (amount - residual))
    paid = sum(each.minor for each in given)
    in_order = sorted(given, key=lambda each: each.on)
    payments = tuple(Payment(each.on, each.minor, each.payment_id) for each in in_order if each.minor)
    return Debt(currency, due_date, residual + paid, payments, stops_on)


def _take_back(given: list[_Given], minor: int) -> None:
    """The newest first, as matching does."""
    for each in reversed(given):
        back = min(each.minor, max(0, minor))
        each.minor -= back
        minor -= back
