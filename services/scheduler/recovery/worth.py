"""Cost and benefit of going to court, before anybody does: what may be claimed, what it costs, what is left on average.

The rule it protects: every figure is in the file's one currency and integers; the chance is a person's estimate and is
shown as one.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal


@dataclass(frozen=True, slots=True)
class Claim:
    """What may be claimed, minor units."""

    principal: int
    interest: int
    lump_sums: int

    @property
    def total(self) -> int:
        return self.principal + self.interest + self.lump_sums


@dataclass(frozen=True, slots=True)
class Worth:
    """What going on brings: `expected` is the claim times its chance, `net` what is left of it after costs and fee."""

    claim: Claim
    chance_percent: int
    cost: int
    fee_percent: Decimal
    expected: int
    fee: int
    net: int

    @property
    def pays(self) -> bool:
        """Whether more is to be expected than it costs."""
        return self.net > 0

    @property
    def breaks_even_at(self) -> int | None:
        """The least chance in whole percent at which it pays; None when it never does."""
        kept = Decimal(self.claim.total) * (100 - self.fee_percent) / 100
        if kept <= self.cost:
            return None
        return int(Decimal(self.cost) * 100 / kept) + 1


def worth(claim: Claim, chance_percent: int, cost: int, fee_percent: Decimal) -> Worth:
    """A claim's worth at a chance from 0 to 100, with fixed costs and a success fee of what comes in."""
    expected = _share(claim.total, Decimal(chance_percent))
    fee = _share(expected, fee_percent)
    return Worth(claim, chance_percent, cost, fee_percent, expected, fee, expected - fee - cost)


def _share(minor: int, percent: Decimal) -> int:
    return int((Decimal(minor) * percent / 100).to_integral_value(ROUND_HALF_UP))
