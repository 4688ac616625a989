"""Taking debtor files in: a list of one tenant, one transaction, one answer each.

The rules it protects: an older file never overwrites a newer one; a payer is an account of the same entity that pays
for itself; a party's group is the same at every entity. Every changed file is one DebtorChanged, whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from stdnum import iban

from libs.common import outbox
from libs.common.errors import Refused, RelanceError, VersionConflict
from libs.common.ids import debtor_id
from libs.common.permits import Scope
from services.invoice_ingest import debtors, terms
from services.invoice_ingest.intake import Incoming, Known, decide
from services.invoice_ingest.sources.canonical import DebtorFile
from services.invoice_ingest.store import debtors as store
from services.invoice_ingest.taking import Outcome

_FILE = "file"
"""Files have one source: the ledger of their entity."""


@dataclass(frozen=True, slots=True)
class Filing:
    """One file as it came."""

    tenant_id: UUID
    entity_id: UUID
    external_id: str
    told: DebtorFile

    @property
    def debtor_id(self) -> UUID:
        return debtor_id(self.tenant_id, self.entity_id, self.external_id)

    @property
    def payer_id(self) -> UUID:
        """The account that pays: its own unless another is named."""
        return debtor_id(self.tenant_id, self.entity_id, self.told.payer) if self.told.payer else self.debtor_id


class Files:
    """One list under way: the files as they stand, what is to be written."""

    def __init__(self, standing: dict[UUID, dict[str, Any]], paid_for: dict[UUID, set[UUID]], now: datetime) -> None:
        self.standing = standing
        self.paid_for = paid_for
        self.now = now
        self.written: dict[UUID, Filing] = {}
        self.moved: dict[UUID, Filing] = {}
        self.before = dict(standing)

    def payer_of(self, debtor: UUID) -> UUID | None:
        """Who pays for a debtor, as the list stands; None for an unknown one."""
        row = self.standing.get(debtor)
        return row["payer_id"] if row else None

    def write(self, filing: Filing, row: dict[str, Any]) -> None:
        """A file changes."""
        for others in self.paid_for.values():
            others.discard(filing.debtor_id)
        if row["payer_id"] != filing.debtor_id:
            self.paid_for.setdefault(row["payer_id"], set()).add(filing.debtor_id)
        self.standing[filing.debtor_id] = row
        self.written[filing.debtor_id] = filing


async def file(db: AsyncConnection, tenant: UUID, filings: Sequence[Filing], now: datetime) -> list[Outcome]:
    """Take a list of files of one tenant. Raises Raced when another transaction was quicker: try again."""
    touched = {each for filing in filings for each in (filing.debtor_id, filing.payer_id)}
    rows = await store.lock(db, [(tenant, each) for each in touched])
    paid_for: dict[UUID, set[UUID]] = {}
    for debtor, payer in await store.with_payer(db, tenant, touched):
        paid_for.setdefault(payer, set()).add(debtor)
    files = Files({one: row._asdict() for one, row in rows.items()}, paid_for, now)
    outcomes = [_settle(files, filing) for filing in filings]
    await _write(db, tenant, files)
    return outcomes


def _settle(files: Files, filing: Filing) -> Outcome:
    try:
        return _decided(files, filing)
    except RelanceError as why:
        return Outcome("refused", filing.external_id, problem=why)


def _decided(files: Files, filing: Filing) -> Outcome:
    standing = files.standing.get(filing.debtor_id)
    told, one = debtors.content(filing.told), filing.debtor_id
    known = Known(_FILE, standing["source_version"], standing["content"], b"", False, False) if standing else None
    decision = decide(known, Incoming(_FILE, filing.told.version, told, b"", False, False))
    version = standing["version"] if standing else 0
    if decision.result == "conflict":
        return Outcome("conflict", filing.external_id, one, problem=VersionConflict(field="version"))
    if decision.moves_on and standing:
        standing["source_version"] = filing.told.version
        files.moved[one] = filing
    if decision.result not in ("created", "amended"):
        return Outcome(decision.result, filing.external_id, one, version)
    _check(files, filing)
    row = _row(filing, standing, files.now)
    files.write(filing, row)
    return Outcome(decision.result, filing.external_id, one, row["version"], stops=_stops(filing, standing))


def _row(filing: Filing, standing: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    kept = standing["source_version"] if standing else None
    return debtors.filed(
        filing.tenant_id,
        filing.entity_id,
        filing.external_id,
        filing.told,
        version=standing["version"] + 1 if standing else 1,
        source_version=kept if filing.told.version is None else filing.told.version,
        now=now,
    )


def _stops(filing: Filing, standing: dict[str, Any] | None) -> list[Scope]:
    """A changed contact or payer: nothing leaves any more on the strength of the old file."""
    if standing is None:
        return []
    touched = tuple({filing.debtor_id, filing.payer_id, standing["payer_id"]})
    return [Scope(filing.tenant_id, debtor_ids=touched)]


def _check(files: Files, filing: Filing) -> None:
    if filing.told.terms is not None:
        terms.parse(filing.told.terms)
    for number in filing.told.ibans:
        if not iban.is_valid(number):
            raise Refused(f"The IBAN {number[:4]}…{number[-4:]} is not valid.", field="ibans", remedy="Correct it.")
    if filing.payer_id == filing.debtor_id:
        return
    payer = files.payer_of(filing.payer_id)
    if payer is None:
        raise Refused(f"There is no debtor {filing.told.payer!r}.", field="payer", remedy="File the payer first.")
    if payer != filing.payer_id or files.paid_for.get(filing.debtor_id):
        raise Refused(
            "A payer pays for itself: chains are not taken.", field="payer", remedy="Name the account that really pays."
        )


async def _write(db: AsyncConnection, tenant: UUID, files: Files) -> None:
    for one, filing in files.moved.items():
        if one not in files.written:
            await store.move_on(db, tenant, one, filing.told.version)
    if not files.written:
        return
    rows = {one: files.standing[one] for one in files.written}
    await store.add_parties(db, list({row["party_id"]: _party(row) for row in rows.values()}.values()))
    await store.write_files(db, list(rows.values()))
    contacts = {one: debtors.contact_rows(tenant, one, filing.told.contacts) for one, filing in files.written.items()}
    known = [(tenant, one) for one in rows if one in files.before]
    await store.write_contacts(db, known, [each for told in contacts.values() for each in told])
    groups, moved = await _grouped(db, tenant, files)
    said = [debtors.changed(row, contacts[one], groups.get(row["party_id"]), files.now) for one, row in rows.items()]
    await outbox.record(db, *said, *await _followers(db, tenant, moved, files, groups))


def _party(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("tenant_id", "party_id", "siren", "vat_number")} | {"group_id": None}


async def _grouped(db: AsyncConnection, tenant: UUID, files: Files) -> tuple[dict[UUID, UUID | None], set[UUID]]:
    """The group of each party after this list, and the parties that moved to another. No group told leaves it."""
    parties = {files.standing[one]["party_id"] for one in files.written}
    groups = await store.groups(db, tenant, parties)
    moved = set()
    for one, filing in files.written.items():
        party, wanted = files.standing[one]["party_id"], debtors.group_of(tenant, filing.told.group)
        if wanted is not None and groups.get(party) != wanted:
            await store.regroup(db, tenant, party, wanted)
            groups[party] = wanted
            moved.add(party)
    return groups, moved


async def _followers(
    db: AsyncConnection, tenant: UUID, moved: set[UUID], files: Files, groups: dict[UUID, UUID | None]
) -> list[Any]:
    """DebtorChanged of the other accounts of parties that moved."""
    if not moved:
        return []
    others = [
        row.debtor_id for row in await store.lock_of_parties(db, tenant, moved) if row.debtor_id not in files.written
    ]
    if not others:
        return []
    rows = await store.bump(db, tenant, others)
    contacts = await store.contacts(db, tenant, others)
    return [debtors.changed(row, contacts.get(row.debtor_id, ()), groups[row.party_id], files.now) for row in rows]
