"""What goes into a recovery file, asked of the services that have it: documents of ingest, notices of the notifier.

The rule it protects: a file is made of what its owners say now, or not at all; no answer is no file.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from libs.common.calls import Peers
from libs.common.errors import Refused
from libs.common.money import Money
from services.scheduler import charging
from services.scheduler.charges import proof
from services.scheduler.charging import Charged, Tariffs
from services.scheduler.commands import Asker, Row, owed
from services.scheduler.recovery import dossier as contents
from services.scheduler.recovery.dossier import Document, Dossier, Item
from services.scheduler.recovery.worth import Claim
from services.scheduler.sealing import Seal
from services.scheduler.store import facts
from services.scheduler.store import recovery as store

MOST_BYTES = 40_000_000


@dataclass(frozen=True)
class Drawn:
    """What the scheduler itself knows of a file, read in one transaction."""

    file: Row
    items: Sequence[Row]
    accounts: Mapping[UUID, Charged]
    history: Mapping[str, Sequence[Row]]
    creditor: str
    until: date

    @property
    def claim(self) -> Claim:
        """What may be claimed now: what is still owed of it, and interest and lump sums up to today."""
        open_ = [row for row in self.items if row["open"]]
        accounts = [self.accounts[row["item_id"]].account for row in self.items if row["item_id"] in self.accounts]
        interest = sum(account.sheet(self.until).interest for account in accounts)
        lump_sums: dict[UUID, int] = {}
        for row in self.items:
            if row["item_id"] in self.accounts:
                of = self.accounts[row["item_id"]].account.lump_sum(self.until)
                lump_sums[row["invoice_id"]] = max(of, lump_sums.get(row["invoice_id"], 0))
        return Claim(sum(owed(row) for row in open_), interest, sum(lump_sums.values()))


async def drawn(asker: Asker, file: Row, tariffs: Tariffs) -> Drawn:
    """A file's items with their accounts and the history of their case."""
    rows = await store.items(asker.db, asker.tenant, file["file_id"])
    accounts = await charging.accounts(asker.db, asker.tenant, [row["item_id"] for row in rows], tariffs)
    until = (await asker.calendar(file["entity_id"])).today(asker.now)
    history = await store.history(asker.db, asker.tenant, file["case_id"])
    entity = (await facts.entities(asker.db, {asker.tenant})).get((asker.tenant, file["entity_id"]))
    creditor = entity.name if entity is not None else str(file["entity_id"])
    return Drawn(file, rows, accounts, history, creditor, until)


async def dossier(peers: Peers, told: Drawn, by: str, at: datetime) -> Dossier:
    """Everything of a file. Raises Unavailable when a service does not answer, Refused when it is too large."""
    tenant, file = told.file["tenant_id"], told.file
    items = [str(row["item_id"]) for row in told.items]
    invoices = sorted({str(row["invoice_id"]) for row in told.items})
    proofs = await peers.post("invoice_ingest", "/internal/v1/proofs", tenant=tenant, json={"invoices": invoices})
    said = await peers.post("notifier", "/internal/v1/evidence", tenant=tenant, json={"items": items})
    payer = str(file["payer_id"])
    names = await peers.post("invoice_ingest", "/internal/v1/lookups", tenant=tenant, json={"debtors": [payer]})
    who = names["debtors"].get(payer, {})
    documents = await _documents(peers, tenant, proofs["proofs"])
    claim = told.claim
    return Dossier(
        language="fr" if who.get("language", "fr") == "fr" else "en",
        facts={
            "file_id": file["file_id"], "tenant_id": tenant, "entity_id": file["entity_id"], "payer_id": payer,
            "prepared_by": file["author"], "prepared_at": file["prepared_at"], "sealed_by": by, "sealed_at": at,
        },
        creditor=told.creditor,
        debtor=" · ".join(filter(None, (who.get("name"), who.get("siren"), who.get("external_id")))) or payer,
        currency=file["currency"],
        total=shown(claim.total, file["currency"]),
        items=[_item(row, told, documents[str(row["invoice_id"])]) for row in told.items],
        notices=said["notices"],
        calls=said["calls"],
        history=told.history,
    )  # fmt: skip


async def sealed(peers: Peers, told: Drawn, by: str, at: datetime, seal: Seal) -> tuple[bytes, str, str]:
    """(the zip, its SHA-256, the seal over its manifest). Raises what `dossier` raises."""
    held = await dossier(peers, told, by, at)
    content, _, signature = contents.sealed(held, seal.sign, seal.public)
    return content, hashlib.sha256(content).hexdigest(), signature


def left(row: Row) -> int:
    """Minor units that an item of a file still owes."""
    return owed(row) if row["open"] else 0


def shown(minor: int, currency: str) -> str:
    """Minor units as digits with a point."""
    return str(Money(minor, currency).decimal())


def in_currency(amount: Money, currency: str) -> int:
    """Minor units of an amount in a file's own currency. Raises Refused."""
    if amount.currency != currency:
        raise Refused(f"The file is in {currency}.", field="cost", remedy="Send the costs in the file's currency.")
    return amount.minor


def _item(row: Row, told: Drawn, documents: Sequence[Document]) -> Item:
    currency = row["currency"]
    charged = told.accounts.get(row["item_id"])
    sheet = charged.account.sheet(told.until) if charged else None
    return Item(
        number=row["number"],
        issue_date=row["issue_date"].isoformat(),
        due_date=row["due_date"].isoformat(),
        amount=shown(row["amount_minor"], currency),
        owed=shown(left(row), currency),
        interest=shown(sheet.interest if sheet else 0, currency),
        lump_sum=shown(charged.account.lump_sum(told.until) if charged else 0, currency),
        sheet=proof.kept(sheet)["rows"] if sheet else (),
        documents=documents,
    )


async def _documents(peers: Peers, tenant: UUID, proofs: Sequence[Mapping[str, Any]]) -> dict[str, list[Document]]:
    """Invoice → its documents, byte for byte."""
    if sum(proof["size"] for proof in proofs) > MOST_BYTES:
        raise Refused(
            "The documents of this file are more than 40 MB.", field="item_ids", remedy="Prepare it in several files."
        )
    found: dict[str, list[Document]] = defaultdict(list)
    for told in proofs:
        content, media_type = await peers.content(
            "invoice_ingest", f"/internal/v1/documents/{told['document_id']}", tenant=tenant
        )
        found[told["invoice_id"]].append(Document(told["kind"], media_type.partition(";")[0], content))
    return found
