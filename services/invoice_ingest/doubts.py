"""Doubts by name, and the row that waits for a person."""

from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from libs.common.ids import named
from services.invoice_ingest.accounts import Offer
from services.invoice_ingest.errors import Doubt

_DOUBTS = {
    "second_source": (
        "Another system told this invoice with other money, dates or debtor.",
        "source",
        "Release it to take this version, or reject it to keep the other.",
    ),
    "sign_changed": (
        "What was a debt would become a credit, or the other way round.",
        "totals.payable",
        "Cancel the first and send the second under its own number.",
    ),
    "was_cancelled": (
        "It was cancelled and is told again.",
        "status",
        "Release it to revive the invoice, or reject it.",
    ),
    "identity_changed": (
        "The source tells the same object under another number, kind or year of issue.",
        "number",
        "Cancel the first one, and send this one with an external_id of its own.",
    ),
    "other_seller": (
        "The document's seller is not this entity.",
        "seller",
        "Send it for the entity that issued it.",
    ),
}


def doubt(reason: str) -> Doubt:
    """One of the doubts that need no particulars."""
    detail, field, remedy = _DOUBTS[reason]
    return Doubt(reason, detail, field=field, remedy=remedy)


def set_aside(offer: Offer, invoice: UUID, why: Doubt, now: datetime) -> dict[str, Any]:
    """The row of `quarantine`. The same words from the same source are the same entry."""
    told = offer.invoice.model_dump_json(exclude_none=True)
    digest = sha256(told.encode()).hexdigest()
    return {
        "tenant_id": offer.tenant_id,
        "quarantine_id": named("quarantine", offer.tenant_id, offer.entity_id, offer.source, why.reason, digest),
        "entity_id": offer.entity_id,
        "invoice_id": invoice,
        "source": offer.source,
        "external_id": offer.external_id,
        "number": offer.invoice.number,
        "reason": why.reason,
        "field": why.field,
        "detail": why.detail,
        "remedy": why.remedy_text,
        "told": told,
        "document_id": offer.document_id,
        "state": "open",
        "received_at": now,
    }
