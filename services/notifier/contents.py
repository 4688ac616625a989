"""What one notice says, as plain facts, and the strings that a template may use.

Pure: from lines, parties and dates to a dict of strings. One total per currency, never one over two.
The scheduler says whether a notice names the right to charges and whether it counts them; where it did not say, the
right is named from tone 3 and counted from tone 4. Tones 1 and 2 never speak of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from libs.common import creditor_reference
from libs.common.events.reminders import StepKind
from libs.common.money import Money, totals
from services.notifier import wording
from services.notifier.labels import LABELS
from services.notifier.wording import Language

SHOWN = 50
"""Lines drawn in the mail; beyond, the oldest are drawn and all of them are attached."""
INDEMNITY = Money(4000, "EUR")
"""Per invoice paid late between professionals: article D. 441-5 of the French commercial code."""
NAMED_FROM, COUNTED_FROM = 3, 4
"""Tones: the right to charges is named from the first on, sums are stated from the second on."""
_FRENCH_LAW: Mapping[Language, str] = {
    "fr": "articles L. 441-10 et D. 441-5 du code de commerce",
    "en": "articles L. 441-10 and D. 441-5 of the French Commercial Code",
}
ANSWER_DAYS = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One item of the table. `residual` is what the notice asks for."""

    item_id: UUID
    invoice_id: UUID
    number: str
    issue_date: date
    due_date: date
    amount: Money
    residual: Money
    reference: str = ""
    paused: Money | None = None
    """The part of the residual that nobody asks for now: shown, and taken off the total."""
    interest: Money | None = None
    """Late-payment interest as of the notice's day, where it is stated."""
    lump_sum: Money | None = None

    @property
    def asked(self) -> Money:
        return self.residual - self.paused if self.paused else self.residual


@dataclass(frozen=True, slots=True)
class Account:
    """An approved account of ours."""

    holder: str
    iban: str
    bic: str = ""
    currency: str = "EUR"


@dataclass(frozen=True, slots=True)
class Creditor:
    """The entity that asks: its name, who signs and where answers go."""

    name: str
    sender_name: str
    reply_to: str
    phone: str = ""
    siren: str = ""
    country: str = "FR"


@dataclass(frozen=True, slots=True)
class Stated:
    """The law or contract behind the charges. An empty basis: nothing is claimed of this payer."""

    basis: str
    lump_sum: bool
    as_of: date
    provisional: bool = False
    sums: bool | None = None
    """Whether they are counted; None: by the tone."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a notice is made of. `earlier` are the dates of what this payer was sent before, oldest first."""

    kind: StepKind
    tone: int
    language: Language
    today: date
    creditor: Creditor
    debtor: str
    debtor_siren: str
    contact: str
    rows: Sequence[Row]
    anchor_item_id: UUID
    accounts: Sequence[Account]
    earlier: Sequence[date] = field(default=())
    deductions: Sequence[Money] = field(default=())
    """Money and credits on account, one sum a currency, taken off what is asked for."""
    debtor_phone: str = ""
    charges: Stated | None = None
    """None: nobody said; then a French creditor names the articles of its own law and counts the indemnity."""


def oldest_first(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.due_date, row.number, row.item_id))


def _days_late(row: Row, today: date) -> int:
    return max(0, (today - row.due_date).days)


def _anchor(facts: Facts) -> Row:
    found = (row for row in facts.rows if row.item_id == facts.anchor_item_id)
    return next(found, None) or oldest_first(facts.rows)[0]


def sums(rows: Sequence[Row], deductions: Sequence[Money] = ()) -> Mapping[str, Money]:
    """What is asked for, one sum per currency: residuals, less what is paused, less what is on account."""
    due = totals(row.asked for row in rows)
    off = totals(each for each in deductions if each.currency in due)
    return {currency: due[currency] - off.get(currency, Money.zero(currency)) for currency in sorted(due)}


def named(facts: Facts) -> Stated | None:
    """The law behind the charges that this notice may speak of; None before tone 3, or when there is none."""
    if facts.tone < NAMED_FROM:
        return None
    if facts.charges is not None:
        return facts.charges if facts.charges.basis else None
    if facts.creditor.country != "FR":
        return None
    return Stated(_FRENCH_LAW[facts.language], lump_sum=True, as_of=facts.today)


def counted(facts: Facts) -> bool:
    """Whether the notice states what the charges come to."""
    if named(facts) is None:
        return False
    told = facts.charges.sums if facts.charges is not None else None
    return facts.tone >= COUNTED_FROM if told is None else told


def indemnities(facts: Facts) -> list[Money]:
    """The lump sums of the late invoices: those that were told, else 40 € each in euros. None if none is counted."""
    if not counted(facts):
        return []
    if facts.charges is not None:
        return [row.lump_sum for row in facts.rows if row.lump_sum]
    late = {row.invoice_id for row in facts.rows if row.due_date < facts.today and row.residual.currency == "EUR"}
    return [INDEMNITY] * len(late)


def charged(facts: Facts) -> dict[str, Any]:
    """The template's words about charges: the right to them, and the sums as of their day."""
    tongue, law, fees = facts.language, named(facts), indemnities(facts)
    owed = totals(row.interest for row in facts.rows if row.interest) if counted(facts) else {}
    return {
        "charges": law is not None,
        "charges_basis": law.basis if law is not None else "",
        "charges_as_of": wording.day(law.as_of, tongue) if law is not None else "",
        "charges_provisional": bool(law is not None and law.provisional and owed),
        "lump_sum": law is not None and law.lump_sum,
        "interest": wording.joined([wording.money(each, tongue) for each in owed.values()], tongue) if owed else "",
        "indemnity": wording.joined([wording.money(each, tongue) for each in totals(fees).values()], tongue)
        if fees
        else "",
        "indemnity_count": len(fees),
    }


def variables(facts: Facts) -> dict[str, Any]:
    """The template's words: strings, whole numbers, yes or no, and lists of dicts of strings. Nothing else."""
    tongue, rows, anchor = facts.language, oldest_first(facts.rows), _anchor(facts)
    asked = [wording.money(amount, tongue) for amount in sums(rows, facts.deductions).values()]
    late = max((_days_late(row, facts.today) for row in rows), default=0)
    return {
        "creditor": wording.one_line(facts.creditor.name),
        "creditor_siren": wording.one_line(facts.creditor.siren),
        "debtor": wording.one_line(facts.debtor),
        "debtor_siren": wording.one_line(facts.debtor_siren),
        "contact": wording.one_line(facts.contact),
        "sender": wording.one_line(facts.creditor.sender_name),
        "reply_to": facts.creditor.reply_to,
        "phone": wording.one_line(facts.creditor.phone),
        "debtor_phone": wording.one_line(facts.debtor_phone),
        "today": wording.day(facts.today, tongue),
        "deadline": wording.day(facts.today + timedelta(days=ANSWER_DAYS), tongue),
        "answer_days": ANSWER_DAYS,
        "count": len(rows),
        "single": len(rows) == 1,
        "number": wording.one_line(anchor.number),
        "due_date": wording.day(anchor.due_date, tongue),
        "same_due_date": len({row.due_date for row in rows}) == 1,
        "days_late": late,
        "late": wording.days(late, tongue),
        "total": wording.joined(asked, tongue),
        "earlier": [wording.day(each, tongue) for each in facts.earlier],
        "last_contact": wording.day(facts.earlier[-1], tongue) if facts.earlier else "",
        "truncated": len(rows) > SHOWN,
        "shown": min(len(rows), SHOWN),
        **charged(facts),
    }


def table(facts: Facts) -> dict[str, Any]:
    """The rows drawn and the totals under them, as strings."""
    tongue, rows = facts.language, oldest_first(facts.rows)
    return {
        "rows": [
            {
                "number": wording.one_line(row.number),
                "issued": wording.short_day(row.issue_date),
                "due": wording.short_day(row.due_date),
                "amount": wording.money(row.amount, tongue),
                "residual": wording.money(row.residual, tongue),
                "late": str(_days_late(row, facts.today)) if row.due_date < facts.today else "–",
            }
            for row in rows[:SHOWN]
        ],
        "totals": list(_footer(facts)),
    }


def _footer(facts: Facts) -> Iterator[dict[str, str]]:
    label, tongue = LABELS[facts.language], facts.language
    for paused in totals(row.paused for row in facts.rows if row.paused).values():
        yield {"name": label["paused"], "total": wording.money(-paused, tongue)}
    for deducted in facts.deductions:
        yield {"name": label["deducted"], "total": wording.money(-deducted, tongue)}
    for amount in sums(facts.rows, facts.deductions).values():
        yield {"name": label["total"], "total": wording.money(amount, tongue)}


def payment(facts: Facts) -> list[dict[str, str]]:
    """Where to pay: the approved accounts in the currencies asked for; all of them if none is."""
    currencies = set(sums(facts.rows))
    fitting = [each for each in facts.accounts if each.currency in currencies] or list(facts.accounts)
    references = {row.reference or _issued(row.number) for row in facts.rows}
    reference = wording.one_line(references.pop()) if len(references) == 1 else ""
    return [
        {
            "holder": wording.one_line(each.holder),
            "iban": wording.iban(each.iban),
            "bic": each.bic,
            "currency": each.currency,
            "reference": reference,
        }
        for each in fitting
    ]


def _issued(number: str) -> str:
    """The reference to quote for an invoice that has none: one that proves itself, where the number makes one."""
    reference = creditor_reference.issued(number)
    return creditor_reference.printed(reference) if reference else number
