"""What invoice_ingest says on `relance.invoices`: invoices, credit notes, and a debtor erased."""

from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

from libs.common.events.envelope import Amount, Body, Part

DueSource = Literal["structured", "terms_computed", "debtor_default", "manual"]
PaymentMeans = Literal["transfer", "direct_debit", "card", "bill_of_exchange", "cheque", "other"]
NotChased = Literal[
    "consumer", "intercompany", "collected_otherwise", "factored", "undelivered", "insolvency", "history"
]


class Instalment(Part):
    """The item that gets old: one due date and one amount of an invoice."""

    item_id: UUID
    sequence: int
    due_date: date
    amount: Amount


class InvoiceBody(Body):
    """An invoice as it stands at this version, whole."""

    topic: ClassVar[str] = "relance.invoices"

    entity_id: UUID
    invoice_id: UUID
    debtor_id: UUID
    payer_id: UUID
    number: str
    issue_date: date
    payable: Amount
    instalments: list[Instalment]
    due_source: DueSource
    payment_means: PaymentMeans = "transfer"
    payment_reference: str | None = None
    order_number: str | None = None
    discount_percent: str | None = None
    discount_until: date | None = None
    document_id: UUID | None = None
    take_over: bool = False
    """First import or more than 30 days late: waits in take-over, never in the ladder by itself."""
    not_chased: list[NotChased] = []
    """Reasons why nobody is reminded of it, although it stays in the aged balance."""

    @property
    def subject(self) -> UUID:
        return self.invoice_id

    @property
    def key(self) -> str:
        return f"{self.tenant_id}:{self.debtor_id}"


class InvoiceIssued(InvoiceBody):
    """An invoice was taken in for the first time."""


class InvoiceAmended(InvoiceBody):
    """An invoice taken in before now reads like this."""


class InvoiceCancelled(Body):
    """An invoice is void; nothing of it is owed."""

    topic: ClassVar[str] = "relance.invoices"

    entity_id: UUID
    invoice_id: UUID
    debtor_id: UUID
    payer_id: UUID
    item_ids: list[UUID]

    @property
    def subject(self) -> UUID:
        return self.invoice_id

    @property
    def key(self) -> str:
        return f"{self.tenant_id}:{self.debtor_id}"


class CreditedInvoice(Part):
    """An invoice that a credit note names; without an amount the note reduces the oldest first."""

    invoice_id: UUID
    amount: Amount | None = None


class CreditNoteIssued(Body):
    """A credit note: `amount` is positive and reduces what the debtor owes."""

    topic: ClassVar[str] = "relance.invoices"

    entity_id: UUID
    credit_note_id: UUID
    debtor_id: UUID
    payer_id: UUID
    number: str
    issue_date: date
    amount: Amount
    invoices: list[CreditedInvoice] = []

    @property
    def subject(self) -> UUID:
        return self.credit_note_id

    @property
    def key(self) -> str:
        return f"{self.tenant_id}:{self.debtor_id}"


class DebtorErased(Body):
    """A debtor's personal data is gone; the ledger stays."""

    topic: ClassVar[str] = "relance.invoices"

    debtor_id: UUID

    @property
    def subject(self) -> UUID:
        return self.debtor_id
