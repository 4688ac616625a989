"""The doors of invoice_ingest, one module a noun: HTTP in, HTTP out, no rules."""

from collections.abc import Sequence

from fastapi import APIRouter

from services.invoice_ingest.api import (
    credit_notes,
    debtors,
    documents,
    imports,
    invoices,
    lookups,
    proofs,
    quarantine,
    webhooks,
)


def routers() -> Sequence[APIRouter]:
    """All of them; routes are tried in order, so the one that is called most stands first."""
    rooms = (webhooks, invoices, credit_notes, debtors, documents, imports, quarantine, lookups, proofs)
    return [room.routes for room in rooms]
