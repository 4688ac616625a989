"""How a payer pays, by its last six months: good, regular or slow. Strategic and public bodies are told.

The rule it protects: a profile is never typed in where behaviour tells it, and everybody can check the figure. The
formula, over the items that money settled in the last six calendar months and those overdue today:

- late     days from the due date to the value date of the payment, or to today while it is owed; never below 0
- delay    the mean of late over these items, half a day rounded up
- late share  of these items, those more than 2 days late, in whole percent, half rounded up
- strategic, public_body   what the debtor's file says: who somebody is does not follow from how they pay
- fewer than 3 items       what the file says, else regular: too little to judge by
- good      delay ≤ 3 days and late share ≤ 20 %
- slow      delay > 20 days or late share > 70 %
- regular   all others
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from libs.common.events.debtors import PayerProfile
from services.scheduler.calendar import months_after

MONTHS, ENOUGH, GRACE = 6, 3, 2
GOOD_DELAY, GOOD_SHARE = 3, 20
SLOW_DELAY, SLOW_SHARE = 20, 70
NAMES: tuple[PayerProfile, ...] = ("good", "regular", "slow", "strategic", "public_body")
TOLD: frozenset[str] = frozenset({"strategic", "public_body"})


@dataclass(frozen=True, slots=True)
class Paid:
    """One item: when it was due, and the value date of the money that settled it; None while it is owed."""

    due: date
    on: date | None


@dataclass(frozen=True, slots=True)
class Profile:
    """How a payer pays, with the figures it follows from. Without items there is no delay and no share."""

    name: PayerProfile
    told: PayerProfile
    items: int = 0
    delay: int | None = None
    late_share: int | None = None


def since(today: date) -> date:
    """The day after which a payment counts."""
    return months_after(today, -MONTHS)


def profile(items: Iterable[Paid], told: PayerProfile, today: date) -> Profile:
    """The profile on a day; items that were settled outside of the six months, or are not late yet, do not count."""
    late = [days for each in items if (days := _late(each, today)) is not None]
    if not late:
        return Profile(told, told)
    delay = (2 * sum(late) + len(late)) // (2 * len(late))
    share = (200 * sum(days > GRACE for days in late) + len(late)) // (2 * len(late))
    name = told if told in TOLD or len(late) < ENOUGH else _name(delay, share)
    return Profile(name, told, len(late), delay, share)


def _late(item: Paid, today: date) -> int | None:
    """Days late; None for what does not count."""
    if item.on is None:
        return (today - item.due).days if item.due < today else None
    return max(0, (item.on - item.due).days) if since(today) < item.on <= today else None


def _name(delay: int, share: int) -> PayerProfile:
    if delay > SLOW_DELAY or share > SLOW_SHARE:
        return "slow"
    return "good" if delay <= GOOD_DELAY and share <= GOOD_SHARE else "regular"
