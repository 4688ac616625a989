"""Who a debtor is: its account at one entity, the party above it, and the event that tells its file.

Pure. The rules it protects: a debtor is found again by the number its entity's ledger gives it; the same SIREN, or
failing that the same VAT number, is the same party at every entity of the tenant; a contact keeps its id for as long
as it keeps its address.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

from libs.common.events import Event, event
from libs.common.events.debtors import Contact, DebtorChanged
from libs.common.ids import debtor_id, named
from services.invoice_ingest.sources.canonical import ContactEntry, DebtorFile, DebtorNamed

UNTOLD = b""
"""The content of a file that was opened by an invoice and that nobody has told as a file yet."""


def external_of(told: DebtorNamed) -> str | None:
    """The number to open a file under, when the document gives none of its own: its VAT number or SIREN."""
    if told.external_id:
        return told.external_id
    return told.vat_number or (f"SIREN {told.siren}" if told.siren else None)


def siren_of(siren: str | None, vat: str | None) -> str | None:
    """The SIREN, also out of a French VAT number (FR, two characters, SIREN)."""
    if siren:
        return siren
    return vat[4:] if vat and vat.startswith("FR") and vat[4:].isdecimal() and len(vat) == 13 else None


def party_of(tenant: UUID, debtor: UUID, siren: str | None, vat: str | None) -> UUID:
    """The legal person: by SIREN, else by VAT number, else the account is a party of its own."""
    known = siren_of(siren, vat)
    if known:
        return named("party", tenant, "siren", known)
    return named("party", tenant, "vat", vat) if vat else named("party", tenant, "debtor", debtor)


def group_of(tenant: UUID, group: str | None) -> UUID | None:
    """The group of companies by the name that the tenant gives it."""
    return named("group", tenant, group) if group else None


def opened(tenant: UUID, entity: UUID, external_id: str, told: DebtorNamed, now: datetime) -> dict[str, Any]:
    """The row of a file that an invoice opens."""
    debtor = debtor_id(tenant, entity, external_id)
    return {
        "tenant_id": tenant,
        "debtor_id": debtor,
        "entity_id": entity,
        "external_id": external_id,
        "party_id": party_of(tenant, debtor, told.siren, told.vat_number),
        "payer_id": debtor,
        "name": told.name or external_id,
        "siren": siren_of(told.siren, told.vat_number),
        "vat_number": told.vat_number,
        "country": told.country or "FR",
        "language": told.language or "fr",
        "profile": "regular",
        "collector": None,
        "sales_owner": None,
        "phone": None,
        "ibans": "",
        "terms": None,
        "consumer": False,
        "intercompany": False,
        "version": 1,
        "source_version": None,
        "content": UNTOLD,
        "erased": False,
        "changed_at": now,
    }


def filed(
    tenant: UUID,
    entity: UUID,
    external_id: str,
    told: DebtorFile,
    *,
    version: int,
    source_version: int | None,
    now: datetime,
) -> dict[str, Any]:
    """The row of a file as it is told."""
    debtor = debtor_id(tenant, entity, external_id)
    payer = debtor_id(tenant, entity, told.payer) if told.payer else debtor
    plain = {name: getattr(told, name) for name in _AS_TOLD}
    return {
        "tenant_id": tenant,
        "debtor_id": debtor,
        "entity_id": entity,
        "external_id": external_id,
        "party_id": party_of(tenant, debtor, told.siren, told.vat_number),
        "payer_id": payer,
        "siren": siren_of(told.siren, told.vat_number),
        "ibans": " ".join(told.ibans),
        "version": version,
        "source_version": source_version,
        "content": content(told),
        "erased": False,
        "changed_at": now,
    } | plain


_AS_TOLD = (
    "name", "vat_number", "country", "language", "profile", "collector", "sales_owner", "phone", "terms", "consumer",
    "intercompany",
)  # fmt: skip


def content(told: DebtorFile) -> bytes:
    """A digest of all that a file says, apart from its version."""
    left_out = {"version", "entity_id", "external_id"}
    return blake2b(told.model_dump_json(exclude=left_out).encode(), digest_size=16).digest()


def contact_rows(tenant: UUID, debtor: UUID, told: Sequence[ContactEntry]) -> list[dict[str, Any]]:
    """The contacts of a file; one address counts once, its first entry holds."""
    rows: dict[UUID, dict[str, Any]] = {}
    for position, entry in enumerate(told):
        identity = named("contact", debtor, (entry.email or entry.phone or entry.name).lower())
        rows.setdefault(
            identity,
            {
                "tenant_id": tenant,
                "debtor_id": debtor,
                "contact_id": identity,
                "position": position,
                "name": entry.name,
                "email": entry.email,
                "phone": entry.phone,
                "roles": " ".join(entry.roles),
                "language": entry.language,
            },
        )
    return list(rows.values())


def changed(row: Any, contacts: Sequence[Any], group: UUID | None, now: datetime) -> Event:
    """DebtorChanged from a row of `debtor` (or a dict of it) and its rows of `contact`."""
    facts = row if isinstance(row, dict) else row._asdict()
    told = [each if isinstance(each, dict) else each._asdict() for each in contacts]
    body = DebtorChanged(
        **{name: facts[name] for name in _IN_EVENT},
        group_id=group,
        ibans=facts["ibans"].split(),
        contacts=[Contact(**_contact(each)) for each in told],
    )
    return event(body, now)


def _contact(row: dict[str, Any]) -> dict[str, Any]:
    names = ("contact_id", "name", "email", "phone", "language")
    return {name: row[name] for name in names} | {"roles": row["roles"].split()}


_IN_EVENT = (
    "tenant_id", "version", "entity_id", "debtor_id", "external_id", "name", "party_id", "payer_id", "siren",
    "vat_number", "country", "language", "profile", "collector", "sales_owner", "phone", "consumer", "intercompany",
)  # fmt: skip
