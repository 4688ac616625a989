"""Putting a ledger of files into the matching schema, by the same functions that events use."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import text

from libs.common.db import Database
from libs.common.ids import named, uuid7
from libs.common.money import Money
from services.payment_matching.evaluation.files import Files, ItemLine, PaymentLine
from services.payment_matching.receiving import NewPayment, Telling
from services.payment_matching.store import credit_notes, debtors, items
from services.payment_matching.store.debtors import Account, Identity
from services.payment_matching.writing_off import discount

CHUNK = 2_000
One = TypeVar("One")
_TRIED = text("delete from untried where tenant_id = :tenant")


@dataclass
class Stage:
    """The tenant of the measurement, and the files' names of what is in its ledger."""

    tenant: UUID = field(default_factory=uuid7)
    entity: UUID = field(default_factory=uuid7)
    name_of: dict[UUID, str] = field(default_factory=dict)
    """Our id of an item or credit note → its id in the file."""
    ids: dict[str, UUID] = field(default_factory=dict)

    def debtor(self, name: str) -> UUID:
        return named("evaluated debtor", name)

    def item(self, name: str) -> UUID:
        return named("evaluated item", name)

    def payment(self, line: PaymentLine) -> NewPayment:
        """A payment as a door would tell it."""
        return NewPayment(
            tenant_id=self.tenant,
            entity_id=self.entity,
            source="api",
            tellings=(Telling("api", line.id),),
            currency=line.currency,
            amount=line.minor,
            value_on=line.value_date,
            payer_name=line.payer_name or None,
            payer_iban=(line.payer_iban or "").replace(" ", "").upper() or None,
            remittance=line.remittance or "",
            structured=(line.structured_reference,) if line.structured_reference else (),
            end_to_end_id=line.end_to_end_id or None,
            instructed=Money(line.instructed.minor, line.instructed.currency) if line.instructed else None,
            exchange_rate=line.exchange_rate,
        )


async def fill(database: Database, files: Files) -> Stage:
    """Open every item and credit note, and make its debtors known by name and account."""
    stage = Stage()
    stage.ids = {line.id: stage.item(line.id) for line in files.items}
    stage.name_of = {identity: name for name, identity in stage.ids.items()}
    await _people(database, stage, files)
    for chunk in _chunks([line for line in files.items if line.kind == "invoice"]):
        async with database.transaction() as db:
            await items.add(db, [_item(stage, line) for line in chunk])
    for chunk in _chunks([line for line in files.items if line.kind == "credit_note"]):
        async with database.transaction() as db:
            await credit_notes.add(db, [_note(stage, line) for line in chunk])
    async with database.transaction() as db:
        await db.execute(_TRIED, {"tenant": stage.tenant})
    return stage


async def _people(database: Database, stage: Stage, files: Files) -> None:
    names = {line.debtor: line.debtor_name for line in files.items}
    accounts: dict[str, list[str]] = {}
    for line in files.identities:
        names.setdefault(line.debtor, "")
        accounts.setdefault(line.debtor, []).append(line.iban.replace(" ", "").upper())
    for chunk in _chunks(sorted(names.items())):
        known = []
        for debtor, name in chunk:
            who = stage.debtor(debtor)
            known += [Identity(stage.tenant, "iban", iban, who, "file") for iban in accounts.get(debtor, [])]
            known += debtors.named_so(stage.tenant, who, name)
        async with database.transaction() as db:
            await debtors.change(db, [_account(stage, debtor) for debtor, _ in chunk])
            await debtors.know(db, known)


def _account(stage: Stage, debtor: str) -> Account:
    who = stage.debtor(debtor)
    return Account(stage.tenant, who, stage.entity, who, None, debtor, 1)


def _item(stage: Stage, line: ItemLine) -> items.Row:
    percent = str(line.discount.percent) if line.discount else None
    until = line.issue_date + timedelta(days=line.discount.days) if line.discount else None
    return _common(stage, line) | {
        "item_id": stage.ids[line.id],
        "invoice_id": named("evaluated invoice", line.debtor, line.number),
        "sequence": 1,
        "due_on": line.due_date,
        "amount_minor": line.minor,
        "residual_minor": line.minor,
        "invoice_version": 1,
        "payment_reference": line.reference,
        "order_number": line.order_number,
        "discount_minor": discount(line.minor, percent),
        "discount_until": until,
    }


def _note(stage: Stage, line: ItemLine) -> items.Row:
    named_by_it = credit_notes.named_json([])
    return _common(stage, line) | {
        "credit_note_id": stage.ids[line.id],
        "amount": line.minor,
        "named": named_by_it,
        "told_version": 1,
    }


def _common(stage: Stage, line: ItemLine) -> dict[str, Any]:
    who = stage.debtor(line.debtor)
    return {
        "tenant_id": stage.tenant,
        "entity_id": stage.entity,
        "debtor_id": who,
        "payer_id": who,
        "number": line.number,
        "issued_on": line.issue_date,
        "currency": line.currency,
    }


def _chunks(rows: Sequence[One]) -> Iterator[Sequence[One]]:
    return (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))
