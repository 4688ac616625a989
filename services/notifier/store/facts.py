"""What other services told and a notice is made of. The highest version wins, in whatever order it is told."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.directory.tables import directory_bank_details, directory_entity
from libs.common.money import Money
from libs.common.sets import columns, keeping
from services.notifier.recipients import Person
from services.notifier.revision import KnownInvoice, KnownItem
from services.notifier.store.pairs import Pair, of_pairs, pairs, parameters, rows_of
from services.notifier.tables import contact, debtor, invoice, item

Row = Mapping[str, Any]


async def keep_debtors(db: AsyncConnection, debtors: Sequence[Row], contacts: Sequence[Row]) -> set[Pair]:
    """Keep these files and their contacts, whole; answers the (tenant, debtor) that were news."""
    put = keeping(debtor, tuple(debtors[0]), "version").returning(debtor.c.tenant_id, debtor.c.debtor_id)
    news = {(found.tenant_id, found.debtor_id) for found in await db.execute(put, columns(debtors))}
    if news:
        await db.execute(delete(contact).where(of_pairs(contact.c.debtor_id)), parameters(news))
    fresh = [row for row in contacts if (row["tenant_id"], row["debtor_id"]) in news]
    if fresh:
        # One by one in one round trip: UNNEST cannot carry the list of roles.
        await db.execute(insert(contact).on_conflict_do_nothing(), fresh)
    return news


async def forget_debtors(db: AsyncConnection, erased: Collection[Pair]) -> None:
    """Names and addresses go; nothing else hangs on these rows."""
    await db.execute(delete(contact).where(of_pairs(contact.c.debtor_id)), parameters(erased))
    await db.execute(delete(debtor).where(of_pairs(debtor.c.debtor_id)), parameters(erased))


async def entity_of(db: AsyncConnection, tenant: UUID, debtor_id: UUID) -> UUID | None:
    """The entity at which this debtor has its account; None when nobody knows it."""
    asked = select(debtor.c.entity_id).where(debtor.c.tenant_id == tenant, debtor.c.debtor_id == debtor_id)
    found: UUID | None = await db.scalar(asked)
    return found


async def keep_invoices(db: AsyncConnection, rows: Sequence[Row]) -> None:
    """Keep the versions and documents of invoices."""
    await db.execute(keeping(invoice, tuple(rows[0]), "version"), columns(rows))


async def cancel_invoices(db: AsyncConnection, rows: Sequence[Row]) -> None:
    """Keep that these are void; what else is known of them stays."""
    void = [{**row, "cancelled": True} for row in rows]
    await db.execute(keeping(invoice, tuple(void[0]), "version"), columns(void))


async def keep_items(db: AsyncConnection, rows: Sequence[Row]) -> None:
    """Keep what items owe. One row an item: the caller takes the highest version of a list."""
    await db.execute(keeping(item, tuple(rows[0]), "item_version"), columns(rows))


async def known_items(db: AsyncConnection, asked: Collection[Pair]) -> dict[UUID, KnownItem]:
    """What these items owe, as last told; those nobody told of are absent."""
    found = await rows_of(db, item.c.item_id, asked)
    return {row.item_id: KnownItem(Money(row.residual, row.currency), row.item_version) for row in found}


async def invoices(db: AsyncConnection, asked: Collection[Pair]) -> dict[UUID, Any]:
    """The rows of these invoices: version, cancelled, document, payment reference."""
    return {row.invoice_id: row for row in await rows_of(db, invoice.c.invoice_id, asked)}


def known(rows: Mapping[UUID, Any]) -> dict[UUID, KnownInvoice]:
    return {invoice_id: KnownInvoice(row.version, row.cancelled) for invoice_id, row in rows.items()}


async def debtors(db: AsyncConnection, asked: Collection[Pair]) -> dict[Pair, Any]:
    """The files of these debtors; those nobody told of are absent."""
    return {(row.tenant_id, row.debtor_id): row for row in await rows_of(db, debtor.c.debtor_id, asked)}


async def contacts(db: AsyncConnection, asked: Collection[Pair]) -> dict[Pair, list[Person]]:
    """The contacts of these debtors, in the order of their ids."""
    found: dict[Pair, list[Person]] = defaultdict(list)
    for row in sorted(await rows_of(db, contact.c.debtor_id, asked), key=lambda each: each.contact_id):
        person = Person(row.contact_id, row.name, row.email, tuple(row.roles))
        found[row.tenant_id, row.debtor_id].append(person)
    return found


async def entities(db: AsyncConnection, asked: Collection[Pair]) -> dict[Pair, Any]:
    """The creditors, as the directory told them."""
    return {(row.tenant_id, row.entity_id): row for row in await rows_of(db, directory_entity.c.entity_id, asked)}


async def accounts(db: AsyncConnection, asked: Collection[Pair]) -> dict[Pair, list[Any]]:
    """The approved accounts of these entities, whether in effect already or later."""
    table = directory_bank_details
    query = select(table).join(pairs(), of_pairs(table.c.entity_id)).order_by(table.c.effective_at, table.c.iban)
    found: dict[Pair, list[Any]] = defaultdict(list)
    for row in await db.execute(query, parameters(asked)):
        found[row.tenant_id, row.entity_id].append(row)
    return found
