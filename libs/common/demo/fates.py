"""What becomes of each invoice: paid by itself, after so many reminders, after a promise, disputed, or not at all.

Fates are drawn once, per invoice, from the seed and the invoice's number: a customer does not change its mind because
the demo ran faster or slower.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Literal

from libs.common.demo.company import Customer, Group, Sale

Kind = Literal["itself", "reminded", "promised", "disputed", "never"]
QUESTIONS = (
    "Pouvez-vous nous renvoyer une copie de la facture {number} ?",
    "La facture {number} est en cours de validation chez nous. Quel est le numéro de commande ?",
    "Le règlement de la facture {number} partira avec notre prochain virement.",
)
ASKING = 0.25
"""The share of overdue invoices about which a customer writes back when it first reads of them."""
HISTORY_GAP = 15  # days between two reminders in the months before the play, when they were written by hand
_REMINDED = ("reminded",) * 11 + ("promised",) * 6 + ("never",)


@dataclass(frozen=True)
class Fate:
    """`on` is the day the money arrives when nothing more is needed; `reminders` is how many it takes otherwise."""

    kind: Kind
    on: date
    reminders: int
    thinks: int
    """Days between the last reminder (or call) and the money."""
    kept: bool
    """Whether a promise made on the phone is kept."""


def fate(customer: Customer, sale: Sale, seed: int = 2026) -> Fate:
    """What becomes of a sale."""
    random = Random(f"{seed}:{sale.number}")  # noqa: S311 - draws a story
    habit = customer.habit
    late = max(round(random.gauss(habit.delay, habit.spread)), -10)
    on = max(working(sale.due + timedelta(days=late)), sale.issued + timedelta(days=2))
    reminders, thinks = random.choice((1, 1, 1, 2, 2, 3, 3)), random.randint(1, 6)
    kept = random.random() < 0.8
    if random.random() < habit.disputes:
        return Fate("disputed", on, 1, thinks, kept)
    if random.random() < habit.by_itself:
        return Fate("itself", on, 0, thinks, kept)
    kind: Kind = random.choice(_REMINDED)  # type: ignore[arg-type]
    return Fate(kind, on, reminders, thinks, kept)


def question(number: str, seed: int = 2026) -> str | None:
    """What a customer writes back about an invoice, if it does."""
    random = Random(f"{seed}:asks:{number}")  # noqa: S311 - draws a story
    return random.choice(QUESTIONS).format(number=number) if random.random() < ASKING else None


def working(day: date) -> date:
    """The day itself, or the Monday after a week-end."""
    return day + timedelta(days=(7 - day.weekday()) if day.weekday() >= 5 else 0)


def paid_in_history(customer: Customer, sale: Sale) -> date | None:
    """When an invoice of the months before the play was paid; None when it never was."""
    found = fate(customer, sale)
    if found.kind == "never":
        return None
    if found.kind == "itself":
        return found.on
    waits = found.reminders * HISTORY_GAP + found.thinks + (15 if found.kind in ("promised", "disputed") else 0)
    return working(sale.due + timedelta(days=waits))


def split(group: Group, start: date) -> tuple[list[Sale], list[Sale]]:
    """The sales before the play begins, and those of the play."""
    before = [sale for sale in group.sales if sale.issued < start]
    return before, [sale for sale in group.sales if sale.issued >= start]


def transfer_text(customer: Customer, sales: list[Sale], seed: int = 2026) -> str:
    """What the customer's accounts department writes on a transfer."""
    random = Random(f"{seed}:text:{sales[0].number}")  # noqa: S311 - draws a story
    style = customer.habit.remittance if random.random() < 0.94 else "vague"
    if style == "vague":
        return f"VIREMENT {customer.name.upper()[:20]}"
    if style == "digits":
        return "FACT " + " ".join(sale.number.rsplit("-", 1)[1].lstrip("0") for sale in sales)
    separator = " / " if style == "list" else " "
    return separator.join(sale.number for sale in sales)
