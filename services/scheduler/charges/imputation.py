"""What a payment pays first: the principal, or costs, then interest, then principal.

Code civil art. 1343-1: a payment in part goes to interest first (and to costs before it: Cass. 1re civ., 7 February
1995) unless creditor and debtor agree otherwise; an entity chooses. BGB § 367 says costs, interest, principal.
"""

from dataclasses import dataclass, replace
from typing import Literal

Imputation = Literal["principal_first", "costs_interest_principal"]


@dataclass(frozen=True, slots=True)
class Owed:
    """What is owed under each head, in minor units of one currency."""

    principal: int
    interest: int = 0
    costs: int = 0

    @property
    def total(self) -> int:
        return self.principal + self.interest + self.costs


def paid(owed: Owed, minor: int, rule: Imputation) -> Owed:
    """What is left after a payment; what it pays beyond all heads is left aside.

    With `principal_first` it pays nothing but principal: interest and costs are claimed, never taken out of it.
    """
    if rule == "principal_first":
        return replace(owed, principal=max(0, owed.principal - minor))
    costs = min(owed.costs, minor)
    interest = min(owed.interest, minor - costs)
    principal = min(owed.principal, minor - costs - interest)
    return Owed(owed.principal - principal, owed.interest - interest, owed.costs - costs)
