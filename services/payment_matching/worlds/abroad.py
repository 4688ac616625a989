"""Customers abroad: invoiced in another currency, and a bank that converts what they order and may say so."""

from collections.abc import Sequence
from random import Random

from services.payment_matching.worlds.knobs import Knobs
from services.payment_matching.worlds.payments import Paid
from services.payment_matching.worlds.people import Debtor

CURRENCY = "EUR"


class Bank:
    """The rates of a world, which move a little with every payment. They are made up, as the amounts are."""

    def __init__(self, dice: Random, knobs: Knobs) -> None:
        self.dice = dice
        self.knobs = knobs
        self.rates = {currency: dice.uniform(0.8, 1.2) for currency in knobs.currencies}

    def move(self, debtors: Sequence[Debtor]) -> None:
        """Some debtors are abroad, and the banks of some of these tell; a head office and its shops are alike."""
        for one in debtors:
            if one.head is None and self.dice.random() < self.knobs.foreign:
                one.currency = self.dice.choice(self.knobs.currencies)
                one.told = self.dice.random() < self.knobs.converted
        for one in debtors:
            if one.head is not None:
                one.currency, one.told = one.head.currency, one.head.told

    def book(self, paid: Paid) -> tuple[int, str | None]:
        """The cents that are booked in euros, and the rate, euros for one of the other currency."""
        if paid.currency == CURRENCY:
            return paid.cents, None
        rate = self.rates[paid.currency] * self.dice.uniform(0.97, 1.03)
        return max(1, round(paid.cents * rate)), f"{rate:.6f}"
