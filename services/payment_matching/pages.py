"""The pages of the book: one locked row each, as plain facts in minor units."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal
from uuid import UUID

from libs.common.events.payments import How, WriteOffKind
from services.payment_matching.allocation import share

Source = Literal["payment", "credit", "write_off"]


@dataclass(slots=True)
class ItemPage:
    """An open item, locked."""

    tenant_id: UUID
    item_id: UUID
    invoice_id: UUID
    entity_id: UUID
    debtor_id: UUID
    payer_id: UUID
    currency: str
    amount: int
    residual: int
    version: int
    due_on: date
    settled_on: date | None = None
    changed: bool = False


@dataclass(slots=True)
class PaymentPage:
    """A payment, locked."""

    tenant_id: UUID
    payment_id: UUID
    entity_id: UUID
    currency: str
    amount: int
    unapplied: int
    returned: int
    version: int
    value_on: date
    payer_id: UUID | None = None
    by_person: bool = False
    source: str = "api"
    changed: bool = False


@dataclass(slots=True)
class CreditPage:
    """A credit note, locked."""

    tenant_id: UUID
    credit_note_id: UUID
    entity_id: UUID
    payer_id: UUID
    currency: str
    amount: int
    unapplied: int
    version: int
    told_version: int
    issued_on: date
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Given:
    """An allocation that stands: a part of a payment or credit on an item.

    `amount` is in the item's currency, `paid` in that of its source: the same amount where the currencies are.
    """

    allocation_id: UUID
    tenant_id: UUID
    source: Source
    source_id: UUID
    """Of a write-off: the payment beside which it was made, or the item."""
    item_id: UUID
    amount: int
    paid: int
    how: How
    order: int
    value_on: date
    actor: str = ""
    evidence: Any = None
    kind: WriteOffKind | None = None
    """What a write-off is to be booked as."""
    rest: bool = False
    """What stays of a line that was undone: the ERP is told to undo that, and has this to book."""

    def part(self, amount: int) -> "Given":
        """So much of it, in the item's currency, with what was paid for that."""
        return replace(self, amount=amount, paid=share(amount, self.amount, self.paid))

    def part_paid(self, paid: int) -> "Given":
        """So much of it, in the payment's currency, with what of the item that settled."""
        return replace(self, amount=share(paid, self.paid, self.amount), paid=paid)
