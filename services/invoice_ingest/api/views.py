"""How invoices, debtors and quarantined objects are shown."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel

from libs.common.events import Amount
from libs.common.money import Money


class InstalmentShown(BaseModel):
    """One due date of an invoice."""

    item_id: UUID
    sequence: int
    due_date: date
    amount: Amount


class InvoiceShown(BaseModel):
    """An invoice or credit note as it stands. `payable` is negative when it reduces what is owed."""

    id: UUID
    version: int
    entity_id: UUID
    debtor_id: UUID
    kind: str
    number: str
    issue_date: date
    payable: Amount
    instalments: list[InstalmentShown]
    due_source: str
    status: str
    source: str
    external_id: str
    payment_means: str
    payment_reference: str | None
    order_number: str | None
    document_id: UUID | None
    take_over: bool
    not_chased: list[str]
    received_at: datetime
    changed_at: datetime


class CreditedShown(BaseModel):
    """An invoice that a credit note names."""

    invoice_id: UUID
    amount: Amount | None


class DocumentShown(BaseModel):
    """A document linked to an invoice."""

    document_id: UUID
    kind: str


class InvoiceWhole(InvoiceShown):
    """With its totals, its references, what it credits and its documents."""

    net: Amount | None
    tax: Amount | None
    gross: Amount
    prepaid: Amount
    rounding: Amount
    discount_percent: str | None
    discount_until: date | None
    details: dict[str, Any]
    credits: list[CreditedShown]
    documents: list[DocumentShown]


class InvoicePage(BaseModel):
    """A page; `next` is the cursor of the one after it."""

    items: list[InvoiceShown]
    next: str | None


_PLAIN = (
    "version", "entity_id", "debtor_id", "kind", "number", "issue_date", "due_source", "source", "external_id",
    "payment_means", "payment_reference", "order_number", "document_id", "take_over", "received_at", "changed_at",
)  # fmt: skip


def _shown(row: Any, parts: Sequence[Any]) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in _PLAIN}
    return plain | {
        "id": row.invoice_id,
        "payable": Money(row.owed, row.currency),
        "status": "cancelled" if row.cancelled else "issued",
        "not_chased": row.not_chased.split(),
        "instalments": [
            {
                "item_id": part.item_id,
                "sequence": part.sequence,
                "due_date": part.due_date,
                "amount": Money(part.amount, row.currency),
            }
            for part in parts
        ],
    }


def invoice(row: Any, parts: Sequence[Any]) -> InvoiceShown:
    """From rows of `invoice` and `instalment`."""
    return InvoiceShown(**_shown(row, parts))


def whole(row: Any, parts: Sequence[Any], named: Sequence[Any], links: Sequence[Any]) -> InvoiceWhole:
    """From rows of `invoice`, `instalment`, `credited` and `invoice_document`."""
    sums = {name: _money(getattr(row, name), row.currency) for name in ("net", "tax", "gross", "prepaid", "rounding")}
    return InvoiceWhole(
        **_shown(row, parts),
        **sums,
        discount_percent=row.discount_percent,
        discount_until=row.discount_until,
        details=orjson.loads(row.details),
        credits=[CreditedShown(invoice_id=each.invoice_id, amount=_money(each.amount, row.currency)) for each in named],
        documents=[DocumentShown(document_id=each.document_id, kind=each.kind) for each in links],
    )


def _money(minor: int | None, currency: str) -> Any:
    return None if minor is None else Money(minor, currency)


class ContactShown(BaseModel):
    """A person or mailbox at a debtor."""

    id: UUID
    name: str
    email: str | None
    phone: str | None
    roles: list[str]
    language: str | None


class DebtorShown(BaseModel):
    """A debtor's file."""

    id: UUID
    version: int
    entity_id: UUID
    external_id: str
    name: str
    party_id: UUID
    payer_id: UUID
    siren: str | None
    vat_number: str | None
    country: str
    language: str
    profile: str
    collector: str | None
    sales_owner: str | None
    phone: str | None
    ibans: list[str]
    terms: str | None
    consumer: bool
    intercompany: bool
    erased: bool
    changed_at: datetime
    contacts: list[ContactShown]


class DebtorPage(BaseModel):
    """A page; `next` is the cursor of the one after it."""

    items: list[DebtorShown]
    next: str | None


_FILE = (
    "version", "entity_id", "external_id", "name", "party_id", "payer_id", "siren", "vat_number", "country",
    "language", "profile", "collector", "sales_owner", "phone", "terms", "consumer", "intercompany", "erased",
    "changed_at",
)  # fmt: skip


def debtor(row: Any, contacts: Sequence[Any]) -> DebtorShown:
    """From rows of `debtor` and `contact`."""
    return DebtorShown(
        id=row.debtor_id,
        ibans=row.ibans.split(),
        contacts=[
            ContactShown(
                id=each.contact_id,
                name=each.name,
                email=each.email,
                phone=each.phone,
                roles=each.roles.split(),
                language=each.language,
            )
            for each in contacts
        ],
        **{name: getattr(row, name) for name in _FILE},
    )


class QuarantineShown(BaseModel):
    """What waits for a person, why, and what was told."""

    id: UUID
    entity_id: UUID
    source: str
    external_id: str
    number: str
    reason: str
    field: str | None
    detail: str
    remedy: str
    state: str
    received_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    note: str | None
    document_id: UUID | None
    told: dict[str, Any]


class QuarantinePage(BaseModel):
    """A page; `next` is the cursor of the one after it."""

    items: list[QuarantineShown]
    next: str | None


_ASIDE = (
    "entity_id", "source", "external_id", "number", "reason", "field", "detail", "remedy", "state", "received_at",
    "decided_at", "decided_by", "note", "document_id",
)  # fmt: skip


def quarantined(row: Any) -> QuarantineShown:
    """From a row of `quarantine`."""
    return QuarantineShown(
        id=row.quarantine_id, told=orjson.loads(row.told), **{name: getattr(row, name) for name in _ASIDE}
    )
