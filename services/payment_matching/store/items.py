"""What invoices say is owed: items opened, changed, and the keys they are found by."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import adding, columns
from services.payment_matching.allocation import Owing
from services.payment_matching.evidence import item_keys
from services.payment_matching.store.tries import MEET
from services.payment_matching.tables import item_key, open_item
from services.payment_matching.writing_off import discount

Row = dict[str, Any]
Key = tuple[UUID, UUID]

_KEYS = ("tenant_id", "key", "kind", "item_id", "credit")
_ITEM = (
    "tenant_id", "item_id", "invoice_id", "entity_id", "debtor_id", "payer_id", "number", "sequence", "issued_on",
    "due_on", "currency", "amount_minor", "residual_minor", "invoice_version", "payment_reference", "order_number",
    "discount_minor", "discount_until",
)  # fmt: skip
_REDATED = (
    "tenant_id", "item_id", "number", "issued_on", "due_on", "invoice_version", "payment_reference", "order_number",
    "payer_id", "discount_minor", "discount_until",
)  # fmt: skip

_ADVANCE = text("""
    insert into invoice_seen as s (tenant_id, invoice_id, version, cancelled)
    select * from unnest(cast(:tenants as uuid[]), cast(:invoices as uuid[]), cast(:versions as bigint[]),
                         cast(:cancelled as boolean[]))
    on conflict (tenant_id, invoice_id) do update
       set version = greatest(s.version, excluded.version), cancelled = s.cancelled or excluded.cancelled
     where not s.cancelled and (excluded.cancelled or s.version < excluded.version)
    returning invoice_id, old.invoice_id is null as unheard
""")
_OF_INVOICES = text("""
    select i.tenant_id, i.item_id, i.invoice_id, i.sequence, i.amount_minor, i.currency, i.cancelled
      from open_item i
      join unnest(cast(:tenants as uuid[]), cast(:invoices as uuid[])) as g(tenant_id, invoice_id)
        on i.tenant_id = g.tenant_id and i.invoice_id = g.invoice_id
""")
_REDATE = text(f"""
    with changed as (
        update open_item i
           set number = g.number, issued_on = g.issued_on, due_on = g.due_on, invoice_version = g.invoice_version,
               payment_reference = g.payment_reference, order_number = g.order_number, payer_id = g.payer_id,
               discount_minor = g.discount_minor, discount_until = g.discount_until, cancelled = false
          from unnest(cast(:tenant_id as uuid[]), cast(:item_id as uuid[]), cast(:number as text[]),
                      cast(:issued_on as date[]), cast(:due_on as date[]), cast(:invoice_version as bigint[]),
                      cast(:payment_reference as text[]), cast(:order_number as text[]), cast(:payer_id as uuid[]),
                      cast(:discount_minor as bigint[]), cast(:discount_until as date[]))
               as g(tenant_id, item_id, number, issued_on, due_on, invoice_version, payment_reference, order_number,
                    payer_id, discount_minor, discount_until)
         where i.tenant_id = g.tenant_id and i.item_id = g.item_id
        returning i.tenant_id, i.item_id)
    {MEET}
""")  # noqa: S608 - the piece is our own constant
_OPENED = text(f"""
    with changed as (
        select * from unnest(cast(:given_tenant_id as uuid[]), cast(:given_item_id as uuid[])) as g(tenant_id, item_id))
    {MEET}
""")  # noqa: S608 - the piece is our own constant
_CANCEL = text("""
    update open_item i set cancelled = true
      from unnest(cast(:tenants as uuid[]), cast(:items as uuid[])) as g(tenant_id, item_id)
     where i.tenant_id = g.tenant_id and i.item_id = g.item_id
""")
_FORGET_KEYS = text("""
    delete from item_key k using unnest(cast(:tenants as uuid[]), cast(:items as uuid[])) as g(tenant_id, item_id)
     where k.tenant_id = g.tenant_id and k.item_id = g.item_id
""")
_OWING_OF_DEBTORS = text("""
    select i.tenant_id, i.debtor_id, i.entity_id, i.item_id, i.invoice_id, i.due_on, i.residual_minor, i.currency
      from open_item i
      join unnest(cast(:tenants as uuid[]), cast(:debtors as uuid[])) as g(tenant_id, debtor_id)
        on i.tenant_id = g.tenant_id and i.debtor_id = g.debtor_id
     where i.residual_minor > 0
""")


@dataclass(frozen=True, slots=True)
class Told:
    """An item that is on record."""

    tenant_id: UUID
    item_id: UUID
    invoice_id: UUID
    sequence: int
    amount: int
    currency: str
    cancelled: bool


async def advance(db: AsyncConnection, rows: Sequence[tuple[UUID, UUID, int, bool]]) -> dict[UUID, bool]:
    """Of (tenant, invoice, version, cancelled): the invoices for which this is news. Cancelled stays cancelled.

    The value says whether the invoice was never heard of before: then none of its items is on record.
    """
    names = ("tenants", "invoices", "versions", "cancelled")
    told = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return {row.invoice_id: row.unheard for row in await db.execute(_ADVANCE, told)}


async def of_invoices(db: AsyncConnection, invoices: Collection[Key]) -> dict[UUID, Told]:
    """The items on record of these invoices, by id."""
    found = await db.execute(_OF_INVOICES, key_columns(invoices, "invoices"))
    return {row.item_id: Told(*row) for row in found}


async def add(db: AsyncConnection, rows: Sequence[Row]) -> None:
    """Open these items; those on record stay as they are."""
    if rows:
        told = [{name: row[name] for name in _ITEM} for row in rows]
        await db.execute(adding(open_item, _ITEM), columns(told))
        await db.execute(_OPENED, columns([{name: row[name] for name in ("tenant_id", "item_id")} for row in rows]))
        await add_keys(db, rows, "item_id", credit=False)


async def redate(db: AsyncConnection, rows: Sequence[Row]) -> None:
    """Give items on record the number, dates and references that their invoice has now."""
    if not rows:
        return
    await db.execute(_REDATE, {name: [row[name] for row in rows] for name in _REDATED})
    await db.execute(_FORGET_KEYS, key_columns([(row["tenant_id"], row["item_id"]) for row in rows], "items"))
    await add_keys(db, rows, "item_id", credit=False)


async def cancel(db: AsyncConnection, items: Collection[Key]) -> None:
    """Mark items void; the book has already brought them to nothing."""
    if items:
        await db.execute(_CANCEL, key_columns(items, "items"))


async def add_keys(db: AsyncConnection, rows: Sequence[Row], identity: str, *, credit: bool) -> None:
    """What these items or credit notes are found by; `identity` names the column of their id."""
    keys = [
        {"tenant_id": row["tenant_id"], "key": key, "kind": kind, "item_id": row[identity], "credit": credit}
        for row in rows
        for key, kind in sorted(item_keys(row["number"], row.get("payment_reference"), row.get("order_number")))
    ]
    if keys:
        await db.execute(adding(item_key, _KEYS), columns(keys))


async def owing(db: AsyncConnection, debtors: Collection[Key]) -> dict[Key, dict[str, list[Owing]]]:
    """What these debtors owe: (tenant, debtor) → currency → items."""
    found: dict[Key, dict[str, list[Owing]]] = {}
    for row in await db.execute(_OWING_OF_DEBTORS, key_columns(debtors, "debtors")):
        items = found.setdefault((row.tenant_id, row.debtor_id), {}).setdefault(row.currency, [])
        items.append(Owing(row.item_id, row.invoice_id, row.due_on, row.residual_minor))
    return found


def key_columns(keys: Collection[Key], name: str) -> dict[str, list[UUID]]:
    """Pairs as the two arrays that a statement asks with: `tenants` and `name`."""
    wanted = sorted(set(keys))
    return {"tenants": [tenant for tenant, _ in wanted], name: [one for _, one in wanted]}


def row_of(body: Any, instalment: Any, payer: UUID) -> Row:
    """The row of one instalment of an InvoiceIssued or InvoiceAmended."""
    amount: int = instalment.amount.minor
    due: date = instalment.due_date
    return {
        "tenant_id": body.tenant_id,
        "item_id": instalment.item_id,
        "invoice_id": body.invoice_id,
        "entity_id": body.entity_id,
        "debtor_id": body.debtor_id,
        "payer_id": payer,
        "number": body.number,
        "sequence": instalment.sequence,
        "issued_on": body.issue_date,
        "due_on": due,
        "currency": instalment.amount.currency,
        "amount_minor": amount,
        "residual_minor": amount,
        "invoice_version": body.version,
        "payment_reference": body.payment_reference,
        "order_number": body.order_number,
        "discount_minor": discount(amount, body.discount_percent) if body.discount_until else 0,
        "discount_until": body.discount_until,
    }
