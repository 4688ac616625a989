"""The terms under which an item is charged: the debtor's own, else the company's, else the law of its country.

The rule it protects: what a contract does not say is the law's. An agreed rate stays under the law it was agreed under,
with that law's floor, lump sum and articles.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, cast

from services.scheduler.charges.imputation import Imputation
from services.scheduler.charges.lump_sums import LumpSum, flat
from services.scheduler.charges.rates import Index
from services.scheduler.charges.regimes import REGIMES, DayCount, Key, RateRule, Regime, by_contract, of_country


@dataclass(frozen=True, slots=True)
class Terms:
    """What was set for a company or a debtor; None: as the next wider one says."""

    regime: Key | None = None
    percent: Decimal | None = None
    """An agreed fixed rate a year."""
    index: Index | None = None
    points: Decimal | None = None
    """An agreed index and points on top of it."""
    day_count: DayCount | None = None
    lump_sum: LumpSum | None = None
    imputation: Imputation | None = None

    @property
    def agreed(self) -> RateRule | None:
        """The rate rule of the contract; None where it says nothing."""
        if self.percent is not None:
            return RateRule(percent=self.percent)
        return RateRule(index=self.index, points=self.points or Decimal(0)) if self.index is not None else None


def terms_of(row: Mapping[str, Any] | None) -> Terms:
    """A row of charge_terms → its terms; none → no word."""
    if row is None:
        return Terms()
    lump = row["lump_minor"]
    return Terms(
        regime=cast(Key | None, row["regime"]),
        percent=None if row["percent"] is None else Decimal(row["percent"]),
        index=cast(Index | None, row["series"]),
        points=None if row["points"] is None else Decimal(row["points"]),
        day_count=cast(DayCount | None, row["day_count"]),
        lump_sum=None if lump is None else flat(row["currency"], lump),
        imputation=cast(Imputation | None, row["imputation"]),
    )


def regime_of(country: str, *, public_debtor: bool, entity: Terms, debtor: Terms) -> Regime | None:
    """The regime of an item; None where neither law nor contract gives one."""
    key = debtor.regime or entity.regime or of_country(country, public_debtor=public_debtor)
    if key is None:
        return None
    law = REGIMES[key]
    agreed = debtor.agreed or (None if debtor.regime else entity.agreed)
    lump = debtor.lump_sum or (None if debtor.regime else entity.lump_sum)
    days = debtor.day_count or entity.day_count
    found = law
    if agreed is not None:
        found = by_contract(law, agreed, lump)
    elif lump is not None:
        found = replace(law, lump_sum=lump)
    return found if days is None else replace(found, rule=replace(found.rule, day_count=days))


def imputation_of(entity: Terms, debtor: Terms) -> Imputation:
    """What payments pay first: principal, unless somebody chose otherwise."""
    return debtor.imputation or entity.imputation or "principal_first"
