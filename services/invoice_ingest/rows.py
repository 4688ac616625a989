"""An invoice as rows and as events: how what was decided is written down and said.

Pure: built from the canonical invoice, its facts and its debtor.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.events import Event, event
from libs.common.events.invoices import (
    CreditedInvoice,
    CreditNoteIssued,
    Instalment,
    InvoiceAmended,
    InvoiceCancelled,
    InvoiceIssued,
    NotChased,
)
from libs.common.ids import item_id
from libs.common.money import Money
from services.invoice_ingest.assess import Facts
from services.invoice_ingest.sources.canonical import CanonicalInvoice

_DETAILS = {"references", "terms", "terms_note", "seller", "documents"}


@dataclass(frozen=True, slots=True)
class Account:
    """What an invoice needs of its debtor's file."""

    debtor_id: UUID
    payer_id: UUID
    terms: str | None
    consumer: bool
    intercompany: bool
    erased: bool


@dataclass(slots=True)
class Telling:
    """One accepted state of an invoice, ready to be written and said."""

    tenant_id: UUID
    entity_id: UUID
    invoice_id: UUID
    version: int
    account: Account
    invoice: CanonicalInvoice
    facts: Facts
    source: str
    source_version: int | None
    content: bytes
    core: bytes
    not_chased: Sequence[NotChased]
    take_over: bool
    cancelled: bool
    document_id: UUID | None
    received_at: datetime
    now: datetime
    credits: Sequence[CreditedInvoice] = ()
    item_ids: Sequence[UUID] = field(init=False)

    def __post_init__(self) -> None:
        self.item_ids = items(self.invoice_id, len(self.facts.due))

    def row(self) -> dict[str, Any]:
        """The row of `invoice`."""
        told, facts, totals = self.invoice, self.facts, self.invoice.totals
        return {
            "tenant_id": self.tenant_id,
            "invoice_id": self.invoice_id,
            "entity_id": self.entity_id,
            "debtor_id": self.account.debtor_id,
            "kind": told.kind,
            "number": told.number,
            "issue_date": told.issue_date,
            "currency": facts.owed.currency,
            "net": totals.net.minor if totals.net else None,
            "tax": totals.tax.minor if totals.tax else None,
            "gross": totals.gross.minor,
            "prepaid": totals.prepaid.minor if totals.prepaid else 0,
            "rounding": totals.rounding.minor if totals.rounding else 0,
            "owed": facts.owed.minor,
            "items": len(facts.due),
            "due_source": facts.due_source,
            "discount_percent": facts.discount_percent,
            "discount_until": facts.discount_until,
            "payment_means": told.payment_means,
            "payment_reference": told.payment_reference,
            "order_number": told.references.order_number,
            "document_id": self.document_id,
            "take_over": self.take_over,
            "not_chased": " ".join(self.not_chased),
            "source": self.source,
            "external_id": told.external_id or told.number,
            "source_version": self.source_version,
            "version": self.version,
            "cancelled": self.cancelled,
            "content": self.content,
            "core": self.core,
            "details": told.model_dump_json(include=_DETAILS, exclude_defaults=True),
            "received_at": self.received_at,
            "changed_at": self.now,
        }

    def instalments(self) -> list[dict[str, Any]]:
        """The rows of `instalment`."""
        return [
            {
                "tenant_id": self.tenant_id,
                "invoice_id": self.invoice_id,
                "sequence": sequence,
                "item_id": self.item_ids[sequence - 1],
                "due_date": day,
                "amount": amount.minor,
            }
            for sequence, (day, amount) in enumerate(self.facts.due, start=1)
        ]

    def credited(self) -> list[dict[str, Any]]:
        """The rows of `credited`."""
        return [
            {
                "tenant_id": self.tenant_id,
                "credit_note_id": self.invoice_id,
                "invoice_id": each.invoice_id,
                "amount": each.amount.minor if each.amount else None,
            }
            for each in self.credits
        ]

    def said(self) -> Event:
        """InvoiceIssued, InvoiceAmended, or CreditNoteIssued."""
        return event(self._credit() if self.facts.credit else self._invoice(), self.now)

    def _invoice(self) -> InvoiceIssued | InvoiceAmended:
        told, facts = self.invoice, self.facts
        of = InvoiceIssued if self.version == 1 else InvoiceAmended
        return of(
            tenant_id=self.tenant_id,
            version=self.version,
            entity_id=self.entity_id,
            invoice_id=self.invoice_id,
            debtor_id=self.account.debtor_id,
            payer_id=self.account.payer_id,
            number=told.number,
            issue_date=told.issue_date,
            payable=facts.owed,
            instalments=[
                Instalment(item_id=self.item_ids[sequence - 1], sequence=sequence, due_date=day, amount=amount)
                for sequence, (day, amount) in enumerate(facts.due, start=1)
            ],
            due_source=facts.due_source,
            payment_means=told.payment_means,
            payment_reference=told.payment_reference,
            order_number=told.references.order_number,
            discount_percent=facts.discount_percent,
            discount_until=facts.discount_until,
            document_id=self.document_id,
            take_over=self.take_over,
            not_chased=list(self.not_chased),
        )

    def _credit(self) -> CreditNoteIssued:
        return CreditNoteIssued(
            tenant_id=self.tenant_id,
            version=self.version,
            entity_id=self.entity_id,
            credit_note_id=self.invoice_id,
            debtor_id=self.account.debtor_id,
            payer_id=self.account.payer_id,
            number=self.invoice.number,
            issue_date=self.invoice.issue_date,
            amount=-self.facts.owed,
            invoices=list(self.credits),
        )


def cancelled(row: Any, account: Account, version: int, now: datetime) -> Event:
    """What is said when the invoice or credit note of this row becomes void at `version`."""
    if row.owed < 0:
        return event(_void_credit(row, account, version), now)
    body = InvoiceCancelled(
        tenant_id=row.tenant_id,
        version=version,
        entity_id=row.entity_id,
        invoice_id=row.invoice_id,
        debtor_id=row.debtor_id,
        payer_id=account.payer_id,
        item_ids=items(row.invoice_id, row.items),
    )
    return event(body, now)


def _void_credit(row: Any, account: Account, version: int) -> CreditNoteIssued:
    """A credit note that credits nothing any more."""
    return CreditNoteIssued(
        tenant_id=row.tenant_id,
        version=version,
        entity_id=row.entity_id,
        credit_note_id=row.invoice_id,
        debtor_id=row.debtor_id,
        payer_id=account.payer_id,
        number=row.number,
        issue_date=row.issue_date,
        amount=Money.zero(row.currency),
    )


def items(invoice_id: UUID, count: int) -> list[UUID]:
    """The ids of an invoice's instalments."""
    return [item_id(invoice_id, sequence) for sequence in range(1, count + 1)]
