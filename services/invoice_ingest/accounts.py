"""The debtor's file behind each invoice: found, or opened on the spot, and locked.

The rule it protects: all debtors of a list are locked once, in the order of their ids, before anything is decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import RelanceError
from libs.common.events import Event
from libs.common.ids import debtor_id
from services.invoice_ingest import debtors
from services.invoice_ingest.errors import Doubt
from services.invoice_ingest.rows import Account
from services.invoice_ingest.sources.canonical import CanonicalInvoice
from services.invoice_ingest.store import debtors as store


@dataclass(frozen=True, slots=True)
class Offer:
    """One invoice as it came: whose it is and which system tells it. `today` is the entity's date; `released`: a
    person takes it as the truth."""

    tenant_id: UUID
    entity_id: UUID
    source: str
    invoice: CanonicalInvoice
    today: date
    released: bool = False
    document_id: UUID | None = None
    take_over: bool = False

    @property
    def external_id(self) -> str:
        """What the source calls it."""
        return self.invoice.external_id or self.invoice.number


Found = Account | RelanceError


async def accounts(db: AsyncConnection, offers: Sequence[Offer], now: datetime) -> tuple[list[Found], list[Event]]:
    """The account of each offer, or why it has none; and DebtorChanged for the files that were opened."""
    numbers = [offer.invoice.debtor.external_id or await _identified(db, offer) for offer in offers]
    ids = [_debtor(offer, number) for offer, number in zip(offers, numbers, strict=True)]
    wanted = {(offer.tenant_id, one) for offer, one in zip(offers, ids, strict=True) if one is not None}
    files = await store.lock(db, wanted)
    new: dict[UUID, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    for offer, number, one in zip(offers, numbers, ids, strict=True):
        if one is not None and number is not None and one not in files and one not in new and offer.invoice.debtor.name:
            new[one] = _opened(offer, number, now)
    said = await _open(db, new, now) if new else []
    if new:
        files |= await store.lock(db, wanted)
    return [_account(files.get(one) if one else None) for one in ids], said


async def _identified(db: AsyncConnection, offer: Offer) -> str | None:
    """The number of the one file of the entity with this SIREN or VAT number; else a number made of them."""
    told = offer.invoice.debtor
    siren = debtors.siren_of(told.siren, told.vat_number)
    found = await store.by_identifier(db, offer.tenant_id, offer.entity_id, siren, told.vat_number)
    return str(found[0].external_id) if len(found) == 1 else debtors.external_of(told) if not found else None


def _debtor(offer: Offer, number: str | None) -> UUID | None:
    return debtor_id(offer.tenant_id, offer.entity_id, number) if number else None


def _opened(offer: Offer, number: str, now: datetime) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    told = offer.invoice.debtor
    row = debtors.opened(offer.tenant_id, offer.entity_id, number, told, now)
    return row, debtors.contact_rows(offer.tenant_id, row["debtor_id"], told.contacts)


async def _open(
    db: AsyncConnection, new: dict[UUID, tuple[dict[str, Any], list[dict[str, Any]]]], now: datetime
) -> list[Event]:
    rows = [row for row, _ in new.values()]
    parties = {row["party_id"]: _party(row) for row in rows}
    await store.add_parties(db, list(parties.values()))
    mine = await store.open_files(db, rows)
    contacts = [contact for one, (_, told) in new.items() if one in mine for contact in told]
    await store.write_contacts(db, (), contacts)
    opened = [(row, told) for one, (row, told) in new.items() if one in mine]
    grouped = await _groups(db, [row for row, _ in opened])
    return [debtors.changed(row, told, grouped.get(row["party_id"]), now) for row, told in opened]


def _party(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("tenant_id", "party_id", "siren", "vat_number")} | {"group_id": None}


async def _groups(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> dict[UUID, UUID | None]:
    found: dict[UUID, UUID | None] = {}
    for tenant in {row["tenant_id"] for row in rows}:
        found |= await store.groups(db, tenant, [row["party_id"] for row in rows if row["tenant_id"] == tenant])
    return found


def _account(row: Any) -> Found:
    if row is None:
        return Doubt(
            "debtor_unknown",
            "The debtor has no file here, and the invoice does not say enough to open one.",
            field="debtor",
            remedy="PUT the debtor first, or send debtor.external_id with debtor.name, then release it.",
        )
    if row.erased:
        return Doubt(
            "debtor_erased",
            "The debtor's personal data were erased.",
            field="debtor",
            remedy="PUT the debtor's file again, then release it.",
        )
    return Account(row.debtor_id, row.payer_id, row.terms, row.consumer, row.intercompany, row.erased)
