"""What invoice_ingest says: invoices and their instalments, cancellations, credit notes, debtors.

The rule it protects: an item belongs to the case of who pays for its debtor now, whichever of the two was told first.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.events import Event
from libs.common.events.debtors import DebtorChanged
from libs.common.events.invoices import CreditNoteIssued, InvoiceAmended, InvoiceBody
from services.scheduler.store import cases, debtors, holds, items, money, past


async def invoiced(db: AsyncConnection, events: Sequence[Event]) -> None:
    """InvoiceIssued and InvoiceAmended: their instalments are items of the payer's case."""
    bodies: list[InvoiceBody] = [event.body for event in events]
    files = await cases.payers_now(db, _debtors(bodies))
    files |= await cases.payers_now(db, {(body.tenant_id, _payer(body, files)) for body in bodies} - files.keys())
    await cases.open_cases(db, [_case_row(body, files) for body in bodies])
    rows = [row for each in events for row in _item_rows(each.body, files, each.time)]
    if isinstance(bodies[0], InvoiceAmended):
        await past.overridden(db, rows)
    left = await items.invoiced(db, rows)
    latest = max(event.time for event in events)
    if isinstance(bodies[0], InvoiceAmended):
        await holds.judge_disputes(db, {(row["tenant_id"], row["item_id"]) for row in rows}, latest)
        await cases.look_at(db, left | {(row["tenant_id"], row["case_id"]) for row in rows}, latest)
    else:
        await items.look_for_new(db, _earliest(rows), latest)


async def cancelled(db: AsyncConnection, events: Sequence[Event]) -> None:
    """InvoiceCancelled: nothing of these invoices is owed."""
    rows: list[dict[str, Any]] = [
        {
            "tenant_id": body.tenant_id,
            "item_id": each,
            "invoice_id": body.invoice_id,
            "cancelled_version": body.version,
            "cancelled_at": event.time,
        }
        for event in events
        for body in [event.body]
        for each in body.item_ids
    ]
    await items.cancelled(db, rows)
    latest = max(event.time for event in events)
    await holds.judge_disputes(db, {(row["tenant_id"], row["item_id"]) for row in rows}, latest)
    await cases.look_at_items(db, {(r["tenant_id"], r["item_id"]) for r in rows}, latest)


async def credit_noted(db: AsyncConnection, event: Event) -> None:
    """CreditNoteIssued: what it may reduce waits until matching has applied it."""
    body: CreditNoteIssued = event.body
    row = {
        "tenant_id": body.tenant_id,
        "credit_note_id": body.credit_note_id,
        "entity_id": body.entity_id,
        "payer_id": body.payer_id,
        "debtor_id": body.debtor_id,
        "currency": body.amount.currency,
        "invoice_ids": [named.invoice_id for named in body.invoices],
        "issued_version": body.version,
        "seen_on": event.time.date(),
    }
    await money.credit_issued(db, row, event.time)
    await cases.look_at(db, {(body.tenant_id, await _case_of(db, body.tenant_id, body.debtor_id))}, event.time)


async def debtors_changed(db: AsyncConnection, events: Sequence[Event]) -> None:
    """DebtorChanged: who pays, for which party, in which language; items follow their payer."""
    bodies: list[DebtorChanged] = [event.body for event in events]
    await debtors.keep(db, [_debtor_row(event) for event in events])
    files = await cases.payers_now(db, {(body.tenant_id, body.debtor_id) for body in bodies})
    moving = [
        {
            "tenant_id": tenant,
            "debtor_id": debtor,
            "case_id": cases.case_id(tenant, file["payer_id"]),
        }
        for (tenant, debtor), file in files.items()
    ]
    have = await debtors.with_items(db, {(row["tenant_id"], row["debtor_id"]) for row in moving})
    payers = await cases.payers_now(db, {(tenant, files[tenant, debtor]["payer_id"]) for tenant, debtor in have})
    await cases.open_cases(db, [_case_of_file(files[pair], payers) for pair in have])
    touched = await items.move_to_payer(db, [row for row in moving if (row["tenant_id"], row["debtor_id"]) in have])
    await debtors.name_parties(db, list(files.values()))
    mine = {(tenant, cases.case_id(tenant, debtor)) for tenant, debtor in files}
    await cases.look_at(db, touched | mine, max(event.time for event in events))


def _debtors(bodies: Sequence[InvoiceBody]) -> set[cases.Pair]:
    return {(body.tenant_id, each) for body in bodies for each in (body.debtor_id, body.payer_id)}


def _payer(body: InvoiceBody, files: Mapping[cases.Pair, Mapping[str, Any]]) -> UUID:
    file = files.get((body.tenant_id, body.debtor_id))
    payer: UUID = file["payer_id"] if file else body.payer_id
    return payer


def _case_row(body: InvoiceBody, files: Mapping[cases.Pair, Mapping[str, Any]]) -> dict[str, Any]:
    payer = _payer(body, files)
    file = files.get((body.tenant_id, payer))
    return {
        "tenant_id": body.tenant_id,
        "case_id": cases.case_id(body.tenant_id, payer),
        "entity_id": body.entity_id,
        "payer_id": payer,
        "party_id": file["party_id"] if file else payer,
        "group_id": file["group_id"] if file else None,
    }


def _case_of_file(file: Mapping[str, Any], payers: Mapping[cases.Pair, Mapping[str, Any]]) -> dict[str, Any]:
    tenant, payer = file["tenant_id"], file["payer_id"]
    known = payers.get((tenant, payer))
    return {
        "tenant_id": tenant,
        "case_id": cases.case_id(tenant, payer),
        "entity_id": file["entity_id"],
        "payer_id": payer,
        "party_id": known["party_id"] if known else payer,
        "group_id": known["group_id"] if known else None,
    }


async def _case_of(db: AsyncConnection, tenant: UUID, debtor: UUID) -> UUID:
    files = await cases.payers_now(db, {(tenant, debtor)})
    file = files.get((tenant, debtor))
    return cases.case_id(tenant, file["payer_id"] if file else debtor)


def _item_rows(body: InvoiceBody, files: Mapping[cases.Pair, Mapping[str, Any]], at: datetime) -> list[dict[str, Any]]:
    payer = _payer(body, files)
    return [
        {
            "tenant_id": body.tenant_id,
            "item_id": part.item_id,
            "invoice_id": body.invoice_id,
            "case_id": cases.case_id(body.tenant_id, payer),
            "entity_id": body.entity_id,
            "debtor_id": body.debtor_id,
            "payer_id": body.payer_id,
            "number": body.number,
            "issue_date": body.issue_date,
            "due_date": part.due_date,
            "amount_minor": part.amount.minor,
            "currency": part.amount.currency,
            "invoice_version": body.version,
            "not_chased": ",".join(body.not_chased),
            "take_over": body.take_over,
            "told_at": at,
        }
        for part in body.instalments
    ]


def _earliest(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    first: dict[cases.Pair, dict[str, Any]] = {}
    for row in rows:
        key = (row["tenant_id"], row["case_id"])
        if key not in first or row["due_date"] < first[key]["due_date"]:
            first[key] = {"tenant_id": key[0], "case_id": key[1], "due_date": row["due_date"]}
    return [first[key] for key in sorted(first)]


def _debtor_row(event: Event) -> dict[str, Any]:
    body: DebtorChanged = event.body
    return {
        "tenant_id": body.tenant_id,
        "debtor_id": body.debtor_id,
        "entity_id": body.entity_id,
        "version": body.version,
        "external_id": body.external_id,
        "payer_id": body.payer_id,
        "party_id": body.party_id,
        "group_id": body.group_id,
        "language": body.language,
        "country": body.country,
        "profile": body.profile,
        "consumer": body.consumer,
        "intercompany": body.intercompany,
        "changed_at": event.time,
    }
