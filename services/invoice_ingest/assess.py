"""What an invoice comes to: what is owed, when, by which evidence, and whether anybody may be chased for it.

Pure. The rules it protects: sums that do not add up and due dates that nobody stated wait for a person; a date in
free text is never a due date; amounts of two currencies never meet.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import blake2b
from uuid import UUID

from libs.common.errors import CurrencyMismatch
from libs.common.events.invoices import DueSource, NotChased
from libs.common.money import Money
from services.invoice_ingest import terms
from services.invoice_ingest.errors import Doubt
from services.invoice_ingest.sources.canonical import CanonicalInvoice

LATE_DAYS = 30
"""An item that arrives later than this after its due date waits in take-over."""
COLLECTED = {"direct_debit", "card", "bill_of_exchange", "cheque"}
"""Means by which we take the money ourselves: nobody is reminded until they fail."""

Due = tuple[date, Money]


@dataclass(frozen=True, slots=True)
class Facts:
    """What counts of an invoice. `owed` is negative when it reduces what the debtor owes; then nothing falls due."""

    owed: Money
    due: tuple[Due, ...]
    due_source: DueSource
    discount_percent: str | None
    discount_until: date | None

    @property
    def credit(self) -> bool:
        return self.owed.minor < 0


def assess(invoice: CanonicalInvoice, debtor_terms: str | None = None, *, trusted: bool = False) -> Facts:
    """The facts of an invoice. Raises Refused for what cannot be and Doubt for what a person must look at.

    `trusted`: a person has looked at the totals, and the payable amount stands as it is stated.
    """
    totals = invoice.totals
    if invoice.status == "cancelled":
        return Facts(-totals.gross if invoice.kind == "credit_note" else totals.gross, (), "structured", None, None)
    payable = _payable(invoice, trusted)
    owed = -payable if invoice.kind == "credit_note" else payable
    if invoice.kind == "credit_note" and payable.minor < 0:
        raise Doubt(
            "credit_sign",
            "A credit note with a negative amount would raise what is owed.",
            field="totals.payable",
            remedy="State a credit note's amounts as positive numbers.",
        )
    if owed.minor <= 0:
        return Facts(owed, (), "structured", None, None)
    due, source, offer = _due(invoice, owed, debtor_terms)
    if sum(amount.minor for _, amount in due) != owed.minor or any(amount.minor <= 0 for _, amount in due):
        raise Doubt(
            "wrong_sums",
            f"The instalments do not make the payable amount {owed}.",
            field="instalments",
            remedy="Send instalments above zero that sum to totals.payable.",
        )
    percent, until = _discount(invoice, offer)
    return Facts(owed, tuple(due), source, percent, until)


def _payable(invoice: CanonicalInvoice, trusted: bool) -> Money:
    totals = invoice.totals
    currency = totals.gross.currency
    for field, amount in _amounts(invoice):
        if amount.currency != currency:
            raise CurrencyMismatch(f"{field} is in {amount.currency}, totals.gross in {currency}.", field=field)
    if invoice.currency not in (None, currency):
        raise CurrencyMismatch(f"The invoice is in {invoice.currency}, its totals in {currency}.", field="currency")
    if trusted and totals.payable is not None:
        return totals.payable
    gross = totals.gross.minor
    due = gross - _minor(totals.prepaid) + _minor(totals.rounding)
    if totals.payable is not None and totals.payable.minor != due:
        raise _wrong("totals.payable", f"payable {totals.payable} is not gross - prepaid + rounding")
    if (
        not trusted
        and totals.net is not None
        and totals.tax is not None
        and totals.net.minor + totals.tax.minor != gross
    ):
        raise _wrong("totals.gross", f"gross {totals.gross} is not net + tax")
    return Money(due, currency)


def _amounts(invoice: CanonicalInvoice) -> Iterator[tuple[str, Money]]:
    totals = invoice.totals
    named = (("net", totals.net), ("tax", totals.tax), ("prepaid", totals.prepaid), ("rounding", totals.rounding))
    yield from ((f"totals.{name}", amount) for name, amount in named if amount is not None)
    if totals.payable is not None:
        yield "totals.payable", totals.payable
    yield from (("instalments", part.amount) for part in invoice.instalments)
    yield from (("references.preceding", named.amount) for named in invoice.references.preceding if named.amount)


def _minor(amount: Money | None) -> int:
    return amount.minor if amount is not None else 0


def _wrong(field: str, detail: str) -> Doubt:
    return Doubt("wrong_sums", f"{detail}.", field=field, remedy="Correct the totals, or release it as it stands.")


def _due(
    invoice: CanonicalInvoice, owed: Money, debtor_terms: str | None
) -> tuple[list[Due], DueSource, terms.Discount | None]:
    if invoice.instalments:
        return [(part.due_date, part.amount) for part in invoice.instalments], "structured", None
    if invoice.due_date is not None:
        return [(invoice.due_date, owed)], "structured", None
    if invoice.terms is not None:
        read = terms.parse(invoice.terms)
        return read.due(invoice.issue_date, owed), "terms_computed", read.discount
    if debtor_terms is not None:
        read = terms.parse(debtor_terms)
        return read.due(invoice.issue_date, owed), "debtor_default", read.discount
    unused = f" The text {invoice.terms_note[:120]!r} counts for nothing." if invoice.terms_note else ""
    raise Doubt(
        "due_date_missing",
        f"It has neither a structured due date nor payment terms.{unused}",
        field="due_date",
        remedy="Send due_date, instalments or terms, or give the debtor default terms, and release it.",
    )


def _discount(invoice: CanonicalInvoice, offer: terms.Discount | None) -> tuple[str | None, date | None]:
    if invoice.discount is not None:
        return invoice.discount.percent, invoice.discount.until
    if offer is not None:
        return str(offer.percent), invoice.issue_date + timedelta(days=offer.days)
    return None, None


def not_chased(invoice: CanonicalInvoice, *, consumer: bool, intercompany: bool) -> list[NotChased]:
    """Why nobody is reminded of it, in a stable order; empty when it may be chased."""
    reasons: set[NotChased] = set(invoice.not_chased)
    if consumer:
        reasons.add("consumer")
    if intercompany:
        reasons.add("intercompany")
    if invoice.payment_means in COLLECTED:
        reasons.add("collected_otherwise")
    return sorted(reasons)


def takes_over(invoice: CanonicalInvoice, facts: Facts, today: date) -> bool:
    """Whether it waits in take-over: told as history, or more than 30 days late on arrival."""
    late = any(day < today - timedelta(days=LATE_DAYS) for day, _ in facts.due)
    return invoice.take_over or late


def core(facts: Facts, debtor: UUID, issued: date) -> bytes:
    """A digest of what two systems must agree on: who owes how much, when."""
    due = [(day.toordinal(), amount.minor) for day, amount in facts.due]
    return _digest((str(debtor), issued.toordinal(), facts.owed.minor, facts.owed.currency, due))


def content(invoice: CanonicalInvoice, facts: Facts, debtor: UUID) -> bytes:
    """A digest of all that a source told of it, apart from its versions and the debtor's own file."""
    due = [(day.toordinal(), amount.minor) for day, amount in facts.due]
    paid = (invoice.payment_means, invoice.payment_reference, facts.discount_percent, facts.discount_until)
    totals = [_minor(amount) for amount in (invoice.totals.net, invoice.totals.tax, invoice.totals.prepaid)]
    links = [(str(link.document_id), link.kind) for link in invoice.documents]
    told = (
        str(debtor),
        invoice.issue_date.toordinal(),
        facts.owed.minor,
        facts.owed.currency,
        due,
        totals,
        paid,
        links,
    )
    return _digest((*told, _references(invoice), sorted(invoice.not_chased)))


def _references(invoice: CanonicalInvoice) -> tuple[object, ...]:
    named = invoice.references
    credited = [(each.number, each.issue_date, each.amount) for each in named.preceding]
    return (named.order_number, named.buyer_reference, named.contract, named.project, named.delivery_notes, credited)


def _digest(told: object) -> bytes:
    return blake2b(repr(told).encode(), digest_size=16).digest()
