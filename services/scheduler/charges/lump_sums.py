"""The fixed sum for recovery costs: by currency and size of the debt, once an invoice.

Owed in full from the first day of delay, without a reminder, and also when a part was paid in time (directive
2011/7/EU art. 6; Code de commerce D. 441-5; CJEU C-585/20: for each late invoice, C-279/23: however small).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LumpSum:
    """Minor units by size of debt: the first tier whose bound is above it; a bound of None is above all."""

    currency: str
    tiers: tuple[tuple[int | None, int], ...]

    def of(self, late_minor: int, currency: str) -> int:
        """What a late debt of this many minor units adds; nothing in another currency: sums are never converted."""
        if late_minor <= 0 or currency != self.currency:
            return 0
        return next(minor for below, minor in self.tiers if below is None or late_minor < below)


def flat(currency: str, minor: int) -> LumpSum:
    """One sum whatever the debt."""
    return LumpSum(currency, ((None, minor),))
