"""Invoices and credit notes, their instalments, and the invoices that credits name."""

from collections.abc import Collection, Sequence
from datetime import date
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CompoundSelect,
    Date,
    Delete,
    Row,
    Select,
    Update,
    Uuid,
    and_,
    any_,
    bindparam,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import columns, given
from services.invoice_ingest.store.sets import Raced, add_rows, each, raise_rows
from services.invoice_ingest.tables import credited, instalment, invoice, invoice_document

_KEYS = ("tenant_id", "invoice_id")
_TOLD = ("tenant_id", "invoice_id", "entity_id", "source", "external_id")
_STANDING = (
    "tenant_id", "invoice_id", "entity_id", "debtor_id", "source", "external_id", "source_version", "version",
    "cancelled", "owed", "items", "content", "core", "take_over", "document_id", "currency", "received_at",
    "number", "issue_date",
)  # fmt: skip


@cache
def _knowing() -> CompoundSelect[Any]:
    by_id = each(invoice, given(invoice, _TOLD), _KEYS[1:], _STANDING)
    as_told = each(invoice, given(invoice, _TOLD), _TOLD[2:], _STANDING)
    return by_id.union_all(as_told)


async def known(db: AsyncConnection, told: Sequence[dict[str, Any]]) -> Sequence[Row[Any]]:
    """What stands of these invoices, by their id or by what their source calls them."""
    return (await db.execute(_knowing(), columns(told))).all() if told else []


async def write(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Add or overwrite invoices at their new versions. Raises Raced."""
    await raise_rows(db, invoice, rows)


@cache
def _cancelling() -> Update:
    names = ("tenant_id", "invoice_id", "version", "source_version", "changed_at")
    asked = given(invoice, names)
    mine = and_(invoice.c.tenant_id == asked.c.tenant_id, invoice.c.invoice_id == asked.c.invoice_id)
    told = {name: asked.c[name] for name in names[2:]}
    return (
        update(invoice)
        .where(mine, invoice.c.version < asked.c.version)
        .values(told | {"cancelled": True, "credit_applied": False})
        .returning(invoice.c.version)
    )


async def cancel(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Void invoices at their new versions. Raises Raced."""
    if rows and len((await db.execute(_cancelling(), columns(rows))).all()) != len(rows):
        raise Raced


@cache
def _moving() -> Update:
    names = ("tenant_id", "invoice_id", "source_version")
    asked = given(invoice, names)
    mine = and_(invoice.c.tenant_id == asked.c.tenant_id, invoice.c.invoice_id == asked.c.invoice_id)
    return update(invoice).where(mine).values(source_version=asked.c.source_version)


async def move_on(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep the newer version that a source gave to what it had told before."""
    if rows:
        await db.execute(_moving(), columns(rows))


@cache
def _clearing(table: Any, key: str) -> Delete:
    asked = given(table, ("tenant_id", key))
    return delete(table).where(and_(table.c.tenant_id == asked.c.tenant_id, table.c[key] == asked.c[key]))


async def replace_parts(
    db: AsyncConnection, amended: Sequence[tuple[UUID, UUID]], items: Sequence[dict[str, Any]], credits_: Sequence[Any]
) -> None:
    """The instalments and credited invoices of what was written; those of the amended ones go first."""
    if amended:
        for table, key in ((instalment, "invoice_id"), (credited, "credit_note_id")):
            rows = [{"tenant_id": tenant, key: identity} for tenant, identity in amended]
            await db.execute(_clearing(table, key), columns(rows))
    await add_rows(db, instalment, items)
    await add_rows(db, credited, credits_)


async def link(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Link documents to invoices."""
    await add_rows(db, invoice_document, rows)


@cache
def _numbered() -> Select[Any]:
    names = ("tenant_id", "entity_id", "number")
    asked = given(invoice, names)
    same = and_(*(invoice.c[name] == asked.c[name] for name in names))
    facts = (invoice.c.invoice_id, invoice.c.entity_id, invoice.c.number, invoice.c.issue_date)
    return select(*facts).join(asked, same).where(invoice.c.owed >= 0)


async def numbered(db: AsyncConnection, named: Collection[tuple[UUID, UUID, str]]) -> Sequence[Row[Any]]:
    """The invoices with these (tenant, entity, number); a number may come back in another year."""
    rows = [dict(zip(("tenant_id", "entity_id", "number"), each, strict=True)) for each in set(named)]
    return (await db.execute(_numbered(), columns(rows))).all() if rows else []


async def one(db: AsyncConnection, tenant: UUID, invoice_id: UUID, *, lock: bool = False) -> Row[Any] | None:
    """One invoice, whole."""
    asked = select(invoice).where(invoice.c.tenant_id == tenant, invoice.c.invoice_id == invoice_id)
    return (await db.execute(asked.with_for_update() if lock else asked)).one_or_none()


async def some(db: AsyncConnection, tenant: UUID, ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """These invoices, whole."""
    mine = (invoice.c.tenant_id == tenant, invoice.c.invoice_id == _any(ids))
    return (await db.execute(select(invoice).where(*mine))).all()


def _any(ids: Collection[UUID]) -> Any:
    return any_(literal(list(ids), ARRAY(Uuid)))


async def instalments(db: AsyncConnection, tenant: UUID, ids: Collection[UUID]) -> dict[UUID, list[Row[Any]]]:
    """The instalments of these invoices, in their order."""
    asked = (
        select(instalment)
        .where(instalment.c.tenant_id == tenant, instalment.c.invoice_id == _any(ids))
        .order_by(instalment.c.invoice_id, instalment.c.sequence)
    )
    found: dict[UUID, list[Row[Any]]] = {}
    for row in await db.execute(asked):
        found.setdefault(row.invoice_id, []).append(row)
    return found


async def named_by_credit(db: AsyncConnection, tenant: UUID, credit_note: UUID) -> Sequence[Row[Any]]:
    """The invoices that a credit note names."""
    mine = (credited.c.tenant_id == tenant, credited.c.credit_note_id == credit_note)
    return (await db.execute(select(credited).where(*mine).order_by(credited.c.invoice_id))).all()


async def documents_of(db: AsyncConnection, tenant: UUID, invoice_id: UUID) -> Sequence[Row[Any]]:
    """The documents linked to an invoice."""
    mine = (invoice_document.c.tenant_id == tenant, invoice_document.c.invoice_id == invoice_id)
    return (await db.execute(select(invoice_document).where(*mine).order_by(invoice_document.c.document_id))).all()


async def page(
    db: AsyncConnection, tenant: UUID, limit: int, after: Sequence[Any] | None, wanted: dict[str, Any]
) -> Sequence[Row[Any]]:
    """`limit` + 1 invoices after an (issue_date, invoice_id), oldest first. `wanted`: column → value; besides
    `issued_from`, `issued_to`, `due_before` (dates) and `credit` (bool)."""
    asked = select(invoice).where(invoice.c.tenant_id == tenant, *_filters(tenant, wanted))
    if after is not None:
        place = tuple_(literal(after[0], Date), literal(after[1], Uuid))
        asked = asked.where(tuple_(invoice.c.issue_date, invoice.c.invoice_id) > place)
    return (await db.execute(asked.order_by(invoice.c.issue_date, invoice.c.invoice_id).limit(limit + 1))).all()


def _filters(tenant: UUID, wanted: dict[str, Any]) -> list[Any]:
    told = {name: value for name, value in wanted.items() if value is not None}
    found: list[Any] = [invoice.c[name] == value for name, value in told.items() if name in invoice.c]
    if "issued_from" in told:
        found.append(invoice.c.issue_date >= told["issued_from"])
    if "issued_to" in told:
        found.append(invoice.c.issue_date <= told["issued_to"])
    if "credit" in told:
        found.append(invoice.c.owed < 0 if told["credit"] else invoice.c.owed >= 0)
    if "due_before" in told:
        found.append(_due_before(tenant, told["due_before"]))
    return found


def _due_before(tenant: UUID, day: date) -> Any:
    return (
        select(1)
        .where(
            instalment.c.tenant_id == tenant,
            instalment.c.invoice_id == invoice.c.invoice_id,
            instalment.c.due_date < day,
        )
        .exists()
    )


@cache
def _crediting() -> Update:
    asked = given(invoice, ("tenant_id", "invoice_id"))
    mine = and_(invoice.c.tenant_id == asked.c.tenant_id, invoice.c.invoice_id == asked.c.invoice_id)
    return update(invoice).where(mine).values(credit_applied=True)


async def mark_applied(db: AsyncConnection, credits_: Sequence[tuple[UUID, UUID]]) -> None:
    """payment_matching has dealt with these (tenant, credit note)."""
    rows = [{"tenant_id": tenant, "invoice_id": note} for tenant, note in credits_]
    if rows:
        await db.execute(_crediting(), columns(rows))


@cache
def _versions() -> Select[Any]:
    return each(invoice, given(invoice, _KEYS), _KEYS[1:], ("invoice_id", "version", "cancelled"))


async def versions(db: AsyncConnection, tenant: UUID, ids: Collection[UUID]) -> dict[UUID, Row[Any]]:
    """invoice → (version, cancelled)."""
    if not ids:
        return {}
    asked = {"given_tenant_id": [tenant] * len(ids), "given_invoice_id": list(ids)}
    return {row.invoice_id: row for row in await db.execute(_versions(), asked)}


@cache
def _waiting_credits() -> Select[Any]:
    touched = func.any(bindparam("asked", type_=ARRAY(Uuid)))
    debtors = func.any(bindparam("debtors", type_=ARRAY(Uuid)))
    joined = invoice.outerjoin(
        credited,
        and_(credited.c.tenant_id == invoice.c.tenant_id, credited.c.credit_note_id == invoice.c.invoice_id),
    )
    return (
        select(invoice.c.debtor_id, credited.c.invoice_id)
        .select_from(joined)
        .where(
            invoice.c.tenant_id == bindparam("asked_tenant", type_=Uuid),
            invoice.c.owed < 0,
            ~invoice.c.credit_applied,
            ~invoice.c.cancelled,
            or_(invoice.c.debtor_id == debtors, credited.c.invoice_id == touched),
        )
    )


async def waiting_credits(
    db: AsyncConnection, tenant: UUID, invoices: Collection[UUID], debtors: Collection[UUID]
) -> Sequence[Row[Any]]:
    """(debtor, named invoice or null) of credits that payment_matching has not dealt with yet."""
    asked = {"asked_tenant": tenant, "asked": list(invoices), "debtors": list(debtors)}
    found: Sequence[Row[Any]] = (await db.execute(_waiting_credits(), asked)).all()
    return found
