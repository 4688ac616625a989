"""What payment_matching says on `relance.payments`. It alone says what an item still owes."""

from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

from libs.common.events.envelope import Amount, Body, Part

How = Literal["auto", "person", "erp"]
WriteOffKind = Literal["discount", "fee", "provider_fee", "rounding", "withholding", "erp", "other"]
"""What a difference is booked as; provider_fee: what a payment provider keeps of what it pays out; erp: the ERP's own
ledger says that nothing is owed any more."""


class Residual(Part):
    """What an item still owes once this happened; the highest `item_version` holds."""

    item_id: UUID
    invoice_id: UUID
    residual: Amount
    item_version: int


class Allocation(Part):
    """A part of a payment given to an item: `amount`, in the item's currency, is what the item owes less."""

    item_id: UUID
    invoice_id: UUID
    amount: Amount
    paid: Amount | None = None
    """What the payment has less for it, in its own currency; null where that is the item's."""


class WriteOff(Part):
    """A part of an item that no money pays and that the ERP must book: with the payment that came short, if one did."""

    kind: WriteOffKind
    amount: Amount
    payment_id: UUID | None = None


class PaymentBody(Body):
    """About one payment. `payer_id` is absent while nobody knows whose it is."""

    topic: ClassVar[str] = "relance.payments"

    entity_id: UUID
    payment_id: UUID
    payer_id: UUID | None = None
    amount: Amount
    value_date: date
    unapplied: Amount
    """What of it is not allocated once this happened."""

    @property
    def subject(self) -> UUID:
        return self.payment_id

    @property
    def key(self) -> str:
        return f"{self.tenant_id}:{self.payer_id or self.payment_id}"


class PaymentReceived(PaymentBody):
    """Money came in and is on record; it may not be matched yet."""

    bank_account_id: UUID | None = None
    source: Literal["statement", "api", "webhook"] = "api"


class PaymentMatched(PaymentBody):
    """A payment was given to items; `residuals` are theirs after it. Without any it was put on its payer's account."""

    how: How
    allocations: list[Allocation]
    residuals: list[Residual]


class PaymentUnmatched(PaymentBody):
    """An allocation was taken back."""

    how: How
    residuals: list[Residual]


class PaymentReversed(PaymentBody):
    """The bank took the money back; `code` is the ISO 20022 return reason, such as AC04 or MD06."""

    code: str
    refused_by_debtor: bool = False
    residuals: list[Residual]


class CreditApplied(Body):
    """A credit note reduced items, or does so no more: the answer to the CreditNoteIssued of `note_version`."""

    topic: ClassVar[str] = "relance.payments"

    entity_id: UUID
    credit_note_id: UUID
    note_version: int = 1
    payer_id: UUID
    unapplied: Amount
    residuals: list[Residual]

    @property
    def subject(self) -> UUID:
        return self.credit_note_id

    @property
    def key(self) -> str:
        return f"{self.tenant_id}:{self.payer_id}"


class ItemBody(Body):
    """About one item; `version` is the item's."""

    topic: ClassVar[str] = "relance.payments"

    entity_id: UUID
    item_id: UUID
    invoice_id: UUID
    payer_id: UUID

    @property
    def subject(self) -> UUID:
        return self.item_id

    @property
    def key(self) -> str:
        return f"{self.tenant_id}:{self.payer_id}"


class InvoiceSettled(ItemBody):
    """An item owes nothing any more."""

    settled_on: date
    """The value date of what settled it."""
    by: Literal["payment", "credit", "write_off"]
    write_offs: list[WriteOff] = []
    """What was written off for it to owe nothing."""


class InvoiceReopened(ItemBody):
    """A settled item owes again, and is chased from the level it had reached."""

    residual: Amount
    reason: Literal["unallocated", "returned", "refused_by_debtor", "amended"]
    on: date
    write_offs: list[WriteOff] = []
    """What had been written off and is owed again."""


class FeedAdvanced(Body):
    """How fresh a bank account's data is: every booking up to `covered_to` is on record."""

    topic: ClassVar[str] = "relance.payments"

    entity_id: UUID
    bank_account_id: UUID
    covered_to: date | None
    required: bool
    """Reminders of the entity wait while a required account is stale."""
    unreadable: bool = False
    """The last file could not be read: stale until one can be."""

    @property
    def subject(self) -> UUID:
        return self.bank_account_id
