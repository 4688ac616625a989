"""The charges of one item: its regime, its debt, what was claimed of it, and what may be claimed now.

The rule it protects: nothing is claimed of whom the law does not let it be claimed of, and the reason is shown:
consumers and companies of one's own group, a debt sold to a factor, a debtor in insolvency proceedings (Code de
commerce D. 441-5 for the lump sum, L. 622-28 for interest), an invoiced charge, and regimes that only inform.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from services.scheduler.charges import claims as claiming
from services.scheduler.charges.claims import Claim, Kind
from services.scheduler.charges.fines import fine
from services.scheduler.charges.imputation import Imputation
from services.scheduler.charges.interest import Debt, Sheet, interest
from services.scheduler.charges.rates import RateBook
from services.scheduler.charges.regimes import RateRule, Regime

NOTHING = RateRule()
REFUSED: tuple[str, ...] = ("consumer", "intercompany", "factored", "insolvency")
"""Reasons of an item or its debtor for which nothing is claimed."""


@dataclass(frozen=True)
class Account:
    """Everything that the charges of an item follow from."""

    debt: Debt
    regime: Regime | None
    book: RateBook
    imputation: Imputation = "principal_first"
    claims: Sequence[Claim] = ()
    """Those of the item, and the lump sum of its invoice whichever item it was claimed for."""
    refused: Collection[str] = ()
    """What of the item or its debtor may forbid a claim."""
    is_charge: bool = False
    """The item is an invoiced charge itself: it bears no interest and no indemnity."""
    _sheets: dict[date, Sheet] = field(default_factory=dict, repr=False, compare=False)

    @property
    def why_not(self) -> str | None:
        """Why nothing is claimed of this item; None when it may be."""
        if self.is_charge:
            return "charge"
        found = next((reason for reason in REFUSED if reason in self.refused), None)
        if found is not None:
            return found
        if self.regime is None:
            return "no_regime"
        return None if self.regime.claimable else "information_only"

    def sheet(self, until: date) -> Sheet:
        """The interest up to a day; empty where nothing is claimed."""
        if until not in self._sheets:
            self._sheets[until] = self._counted(until)
        return self._sheets[until]

    def _counted(self, until: date) -> Sheet:
        ends = [day for day in (self.debt.stops_on, claiming.stops_on(self.claims)) if day is not None]
        debt = replace(self.debt, stops_on=min(ends, default=None))
        if self.regime is None or self.why_not is not None:
            debt = replace(debt, stops_on=debt.due_date)
            return interest(debt, NOTHING, self.book, until)
        costs = self.lump_sum(until) if self.imputation == "costs_interest_principal" else 0
        return interest(debt, self.regime.rule, self.book, until, imputation=self.imputation, costs=costs)

    def lump_sum(self, until: date) -> int:
        """Minor units of the lump sum by law or contract, claimed or not, once the item is late."""
        if self.why_not is not None or self.regime is None or self.regime.lump_sum is None or until < self.debt.start:
            return 0
        if self.debt.stops_on is not None and self.debt.stops_on < self.debt.start:
            return 0
        return self.regime.lump_sum.of(self.debt.late(), self.debt.currency)

    def next(self, kind: Kind, until: date) -> Claim | None:
        """What of a kind may be claimed up to a day; None when there is nothing."""
        if kind == "interest":
            return claiming.next_interest(self.claims, self.sheet, self.debt.due_date, until)
        return claiming.next_lump_sum(self.claims, self.lump_sum(until), self.debt.due_date, until)

    def to_credit(self) -> int:
        """Minor units of interest that were invoiced and are not owed by the facts of now."""
        return claiming.to_credit(self.claims, self.sheet)

    def fine(self, until: date) -> int | None:
        """The figure of a regime that only informs; None for the others, or when a rate is missing."""
        if self.regime is None or self.regime.claimable or self.is_charge:
            return None
        return fine(self.debt, self.book, until)
