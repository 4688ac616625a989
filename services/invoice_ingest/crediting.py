"""Which invoices a credit note reduces.

Pure. The rule it protects: a credit finds the invoice it names, whichever comes first; when the name fits none or
several, a person decides.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from libs.common.events.invoices import CreditedInvoice
from libs.common.ids import invoice_id
from libs.common.money import Money
from services.invoice_ingest.accounts import Offer
from services.invoice_ingest.assess import Facts
from services.invoice_ingest.errors import Doubt
from services.invoice_ingest.sources.canonical import Preceding


class Numbers:
    """The invoices known by their number, at each entity."""

    def __init__(self, rows: Iterable[Any] = ()) -> None:
        self.found: defaultdict[tuple[UUID, str], dict[UUID, date]] = defaultdict(dict)
        for row in rows:
            self.add(row.entity_id, row.number, row.invoice_id, row.issue_date)

    def add(self, entity: UUID, number: str, invoice: UUID, issued: date) -> None:
        """One more."""
        self.found[entity, number][invoice] = issued

    def get(self, entity: UUID, number: str, issued: date | None) -> list[UUID]:
        """Those with this number, and with this date of issue if it is told."""
        known = self.found.get((entity, number), {})
        return [one for one, day in known.items() if issued in (None, day)]


def credited(offer: Offer, facts: Facts, numbers: Numbers) -> list[CreditedInvoice]:
    """The invoices that a credit names, each once. Raises Doubt."""
    named = offer.invoice.references.preceding
    found: dict[UUID, Money | None] = {}
    for each in named:
        one = _invoice(offer, each, numbers)
        before = found.get(one)
        found[one] = before + each.amount if before and each.amount else each.amount
    if sum(amount.minor for amount in found.values() if amount) > -facts.owed.minor:
        raise Doubt(
            "wrong_sums",
            "The invoices are credited with more than the credit note is worth.",
            field="references.preceding",
            remedy="Correct the amounts, or leave them out.",
        )
    return [CreditedInvoice(invoice_id=one, amount=amount) for one, amount in found.items()]


def _invoice(offer: Offer, named: Preceding, numbers: Numbers) -> UUID:
    known = numbers.get(offer.entity_id, named.number, named.issue_date)
    if len(known) == 1:
        return known[0]
    if not known and named.issue_date:
        return invoice_id(offer.tenant_id, offer.entity_id, "invoice", named.number, named.issue_date.year)
    raise _unclear(named, known)


def _unclear(named: Preceding, known: Sequence[UUID]) -> Doubt:
    if known:
        return Doubt(
            "invoice_ambiguous",
            f"{len(known)} invoices have the number {named.number!r}.",
            field="references.preceding",
            remedy="Send the issue_date of the invoice as well.",
        )
    return Doubt(
        "invoice_unknown",
        f"There is no invoice {named.number!r} here yet.",
        field="references.preceding",
        remedy="Send that invoice, or its issue_date, and release the credit note.",
    )
