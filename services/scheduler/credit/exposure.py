"""What a payer owes now against what it may owe: by currency, less its money and credits on account.

The rule it protects: currencies are never added up; a limit holds from its day on, by a second person's approval, and a
block is proposed by figures and decided by people.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal


@dataclass(frozen=True, slots=True)
class Owing:
    """What one payer owes in one currency, minor units; `on_account` is money and credits not applied yet."""

    currency: str
    not_due: int = 0
    overdue: int = 0
    on_account: int = 0

    @property
    def outstanding(self) -> int:
        return self.not_due + self.overdue

    @property
    def exposure(self) -> int:
        """What would be lost: what is owed less what is on account, never below zero."""
        return max(0, self.outstanding - self.on_account)


@dataclass(frozen=True, slots=True)
class Limit:
    """What a payer may owe, minor units, from one day until another, both included; None: until it is replaced."""

    currency: str
    minor: int
    valid_from: date
    valid_until: date | None = None

    def holds(self, day: date) -> bool:
        """Whether it is in force on a day."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)


@dataclass(frozen=True, slots=True)
class Standing:
    """An exposure beside its limit. `available` is negative when it is over, None without a limit."""

    owing: Owing
    limit: Limit | None

    @property
    def available(self) -> int | None:
        return None if self.limit is None else self.limit.minor - self.owing.exposure

    @property
    def over(self) -> bool:
        return self.available is not None and self.available < 0

    @property
    def used_percent(self) -> int | None:
        """Whole percent of the limit, rounded down; of a limit of zero 100 as soon as anything is owed."""
        if self.limit is None:
            return None
        if not self.limit.minor:
            return 100 if self.owing.exposure else 0
        return self.owing.exposure * 100 // self.limit.minor


def standing(owing: Owing, limit: Limit | None, today: date) -> Standing:
    """An exposure beside the limit that is in force today in its own currency."""
    fits = limit is not None and limit.currency == owing.currency and limit.holds(today)
    return Standing(owing, limit if fits else None)


def advice(standings: list[Standing], *, blocked: bool) -> Literal["block", "unblock"] | None:
    """What the figures propose: a block when an exposure is over its limit, its end when none is and none is late."""
    over = any(each.over for each in standings)
    if over and not blocked:
        return "block"
    late = any(each.owing.overdue > 0 for each in standings)
    return "unblock" if blocked and not over and not late else None
