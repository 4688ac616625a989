"""A promise to pay: an amount by a date, kept by money whose value date lies between its making and its last day.

The rule it protects: nobody is called a breaker while the bank's data do not tell of the promise's last day yet.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeVar

from services.scheduler.charges.interest import Payment

State = Literal["open", "kept", "partly_kept", "broken", "cancelled"]
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Promise:
    """Minor units by a last day; `until` is the promised date and two banking days."""

    minor: int
    made_on: date
    until: date


def paid_in_span(payments: Iterable[Payment], first: date, last: date) -> int:
    """Minor units with a value date from `first` to `last`, both included."""
    return sum(each.minor for each in payments if first <= each.on <= last)


def outcome(
    promise: Promise, paid: int, today: date, *, owed: int | None = None, covered_to: date | None = None
) -> State:
    """What a promise is, with this much paid in its span.

    `owed` is what its items still owe: nothing left and too little paid means that credit notes took it, and there is
    nothing to keep any more. `covered_to` is the last day that the bank's data tell of; None: they are not waited for.
    """
    if paid >= promise.minor:
        return "kept"
    if owed == 0:
        return "cancelled"
    if today <= promise.until or (covered_to is not None and covered_to < promise.until):
        return "open"
    return "partly_kept" if paid > 0 else "broken"


def spread(minor: int, owed: Sequence[tuple[Key, int]]) -> list[tuple[Key, int | None]]:
    """The exact scope of an amount over items, in their order: None covers an item whole, a figure that much of it."""
    found: list[tuple[Key, int | None]] = []
    left = minor
    for key, residual in owed:
        if left <= 0:
            break
        found.append((key, None if left >= residual else left))
        left -= residual
    return found
