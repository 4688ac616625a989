"""The customers: they pay by themselves, or when they have read enough reminders, or keep what they promised.

They know the outside only: their own mails, calls and invoices.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from email.message import EmailMessage

from libs.common.demo.bank import Transfer
from libs.common.demo.company import Customer, Group, Sale
from libs.common.demo.fates import Fate, fate, paid_in_history, question, transfer_text, working

NUMBER = re.compile(r"\b(?:VEM|VLO|VSE)-\d{4}-\d{5}\b")
PROMISED_IN = 7
INSISTED = 3
"""Reminders after which even who waits for a call pays."""
CHARGES = 18_00
"""What a bank in between keeps of an odd transfer."""


@dataclass(frozen=True)
class Answer:
    """What a customer writes back about an invoice; `contested` when it will not pay it like this."""

    number: str
    text: str
    contested: bool = False


@dataclass
class Customers:
    """What each open invoice's customer means to do."""

    group: Group
    open: dict[str, Sale] = field(default_factory=dict)
    pays_on: dict[str, date] = field(default_factory=dict)
    read: Counter[str] = field(default_factory=Counter)
    silent: set[str] = field(default_factory=set)
    """Invoices in dispute, or promised on the phone: mails change nothing."""
    disputed: dict[str, date] = field(default_factory=dict)
    serial: int = 0
    odd: bool = False
    """Whether some transfers of the day name no invoice and lack the bank's charges: a person looks at those."""

    def customer(self, sale: Sale) -> Customer:
        return self.group.customers[sale.customer]

    def fate(self, number: str) -> Fate:
        sale = self.open[number]
        return fate(self.customer(sale), sale)

    def inherit(self, sales: Iterable[Sale], start: date) -> None:
        """The invoices of the months before that are still open on the first day of the play."""
        for sale in sales:
            on = paid_in_history(self.customer(sale), sale)
            if on is None or on >= start:
                self.open[sale.number] = sale
                if on is not None:
                    self.pays_on[sale.number] = on

    def receive(self, sales: Iterable[Sale]) -> None:
        """New invoices arrive; some will be paid without a word."""
        for sale in sales:
            self.open[sale.number] = sale
            found = self.fate(sale.number)
            if found.kind == "itself":
                self.pays_on[sale.number] = found.on

    def read_mail(self, mail: EmailMessage, day: date) -> list[Answer]:
        """A reminder was read. Returns what the customer answers about overdue invoices, mostly nothing."""
        body = mail.get_body(("plain",))
        text = str(body.get_content()) if body else ""
        answers = []
        for number in dict.fromkeys(NUMBER.findall(text)):
            if number not in self.open or number in self.silent or self.open[number].due >= day:
                continue
            self.read[number] += 1
            answers += self._answers(number, day)
        return answers

    def _answers(self, number: str, day: date) -> list[Answer]:
        found = self.fate(number)
        if found.kind == "disputed" and number not in self.disputed:
            self.disputed[number] = day
            self.silent.add(number)
            return [Answer(number, f"Nous contestons la facture {number}.", contested=True)]
        enough = {"reminded": found.reminders, "promised": INSISTED}.get(found.kind)
        if enough is not None and self.read[number] >= enough:
            self._decide(number, working(day + timedelta(days=found.thinks)))
        asked = question(number) if self.read[number] == 1 else None
        return [Answer(number, asked)] if asked else []

    def answer_call(self, numbers: Iterable[str], day: date) -> date | None:
        """Somebody calls about these: the day by which the customer promises to pay, if it does. Money that is booked
        on the promised day, or on the next, is told by the bank a day later."""
        mine = [number for number in numbers if number in self.open and number not in self.silent]
        if not mine or self.fate(mine[0]).kind == "never":
            return None
        promised = working(day + timedelta(days=PROMISED_IN))
        for number in mine:
            self.silent.add(number)
            found = self.fate(number)
            late = 12 if not found.kept else 1 if found.thinks > 3 else 2
            self.pays_on[number] = working(promised + timedelta(days=late))
        return promised

    def _decide(self, number: str, on: date) -> None:
        self.pays_on[number] = min(self.pays_on.get(number, on), on)

    def close(self, number: str) -> None:
        """It is over without money: credited or written off."""
        self.open.pop(number, None)
        self.pays_on.pop(number, None)

    def transfers(self, day: date) -> dict[str, list[Transfer]]:
        """What the bank books on each entity's account that day; a payer's invoices come in one transfer."""
        due = [number for number, on in self.pays_on.items() if on <= day and number in self.open]
        by_payer: dict[tuple[str, str], list[Sale]] = defaultdict(list)
        for number in sorted(due):
            sale = self.open[number]
            customer = self.customer(sale)
            by_payer[sale.entity, customer.head_office or customer.external_id].append(sale)
        booked: dict[str, list[Transfer]] = defaultdict(list)
        for (entity, payer), sales in by_payer.items():
            booked[entity].append(self._transfer(self.group.customers[payer], sales))
            for sale in sales:
                self.close(sale.number)
        return booked

    def _transfer(self, payer: Customer, sales: list[Sale]) -> Transfer:
        self.serial += 1
        amount = sum(sale.gross for sale in sales)
        text = transfer_text(payer, sales)
        if self.odd and self.serial % 3 == 0 and amount > 10 * CHARGES:
            amount, text = amount - CHARGES, f"VIREMENT {payer.name.upper()[:20]}"
        return Transfer(f"VIR{self.serial:08d}", amount, payer.name.upper(), payer.iban, text)
