"""The canonical invoice: the one contract that every source ends in, whichever format it speaks.

Amounts are `{"amount": "1250.00", "currency": "EUR"}`, all in one currency. `totals.gross` is what the invoice adds
up to; what is asked for is `payable = gross - prepaid + rounding` (EN 16931, BR-CO-16). A credit note states
positive amounts that reduce what is owed. Due dates are structured (`due_date` or `instalments`) or computed from
`terms`; a date inside free text (`terms_note`) counts for nothing.
"""

from typing import Annotated, Literal, get_args
from uuid import UUID

from pydantic import EmailStr, Field

from libs.common.events import Amount
from libs.common.events.debtors import ContactRole, Language, PayerProfile
from libs.common.events.invoices import NotChased, PaymentMeans
from services.invoice_ingest.sources.wire import (
    Country,
    Day,
    Key,
    Line,
    Number,
    Percent,
    Siren,
    Vat,
    Version,
    Wire,
    Words,
)

Kind = Literal["invoice", "credit_note", "corrective", "prepayment", "self_billed", "debit_note"]
KINDS: tuple[str, ...] = get_args(Kind)
DocumentKind = Literal["invoice", "quote", "order", "delivery_note", "other"]


class Totals(Wire):
    """What the document adds up to. Only `gross` is needed; what is left out is derived, what is given is checked."""

    net: Amount | None = None
    tax: Amount | None = None
    gross: Amount
    prepaid: Amount | None = None
    rounding: Amount | None = None
    payable: Amount | None = None


class InstalmentDue(Wire):
    """One due date and its amount."""

    due_date: Day
    amount: Amount


class DiscountOffer(Wire):
    """So many percent less when paid until a date."""

    percent: Percent
    until: Day


class ContactEntry(Wire):
    """A person or mailbox at the debtor."""

    name: Line
    email: EmailStr | None = None
    phone: Key | None = None
    roles: Annotated[list[ContactRole], Field(min_length=1, max_length=4)] = ["accounts_payable"]
    language: Language | None = None


class DebtorNamed(Wire):
    """Who owes, as the invoice tells it: enough to find the debtor's file, or to open one."""

    external_id: Key | None = None
    name: Line | None = None
    siren: Siren | None = None
    vat_number: Vat | None = None
    country: Country | None = None
    language: Language | None = None
    contacts: Annotated[list[ContactEntry], Field(max_length=50, default_factory=list)]


class SellerNamed(Wire):
    """Who issued it, as the document tells it."""

    name: Line | None = None
    siren: Siren | None = None
    vat_number: Vat | None = None


class Preceding(Wire):
    """An invoice that this document corrects or credits, maybe only by an amount."""

    number: Number
    issue_date: Day | None = None
    amount: Amount | None = None


class References(Wire):
    """What the debtor's accountants look for."""

    order_number: Line | None = None
    buyer_reference: Line | None = None
    contract: Line | None = None
    project: Line | None = None
    delivery_notes: Annotated[list[Line], Field(max_length=100, default_factory=list)]
    preceding: Annotated[list[Preceding], Field(max_length=500, default_factory=list)]


_NO_REFERENCES = References(delivery_notes=[], preceding=[])


class DocumentLink(Wire):
    """A document stored here before: the invoice's copy, its quote, order or delivery note."""

    document_id: UUID
    kind: DocumentKind = "invoice"


class CanonicalInvoice(Wire):
    """An invoice or credit note, whole, as it stands at `version`."""

    entity_id: UUID | None = None
    """The creditor; needed when the tenant has several and the door does not tell."""
    source: Key | None = None
    """The system that tells it, such as `sage`; signed webhooks have their own."""
    external_id: Key | None = None
    """The source's own id of it; its number if left out."""
    version: Version | None = None
    status: Literal["issued", "cancelled"] = "issued"
    kind: Kind = "invoice"
    number: Number
    issue_date: Day
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    totals: Totals
    due_date: Day | None = None
    instalments: Annotated[list[InstalmentDue], Field(max_length=120, default_factory=list)]
    terms: Line | None = None
    terms_note: Words | None = None
    discount: DiscountOffer | None = None
    payment_means: PaymentMeans = "transfer"
    payment_reference: Line | None = None
    debtor: DebtorNamed
    seller: SellerNamed | None = None
    references: References = Field(default_factory=lambda: _NO_REFERENCES)
    documents: Annotated[list[DocumentLink], Field(max_length=50, default_factory=list)]
    not_chased: Annotated[list[NotChased], Field(max_length=7, default_factory=list)]
    """Reasons that the source knows; those that we can tell ourselves are added."""
    take_over: bool = False
    """Old history: it waits in take-over and is not chased by itself."""


Iban = Annotated[str, Field(pattern="^[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}$")]


class DebtorFile(Wire):
    """A debtor's file, whole: what is left out is empty."""

    entity_id: UUID | None = None
    version: Version | None = None
    name: Line
    siren: Siren | None = None
    vat_number: Vat | None = None
    country: Country = "FR"
    language: Language = "fr"
    profile: PayerProfile = "regular"
    payer: Key | None = None
    """The external_id of the account that pays for this one, if another does."""
    group: Key | None = None
    """The group of companies its party belongs to, by the name the tenant gives it."""
    collector: Line | None = None
    sales_owner: Line | None = None
    phone: Key | None = None
    ibans: Annotated[
        list[Annotated[str, Field(pattern="^[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}$")]],
        Field(max_length=20, default_factory=list),
    ]
    terms: Line | None = None
    """Payment terms for invoices that come without any."""
    contacts: Annotated[list[ContactEntry], Field(max_length=50, default_factory=list)]
    consumer: bool = False
    intercompany: bool = False


class DebtorEntry(DebtorFile):
    """A line of a debtor batch: the file with its own number."""

    external_id: Key
