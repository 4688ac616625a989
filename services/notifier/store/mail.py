"""Inbound messages and the addresses that nobody writes to any more."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.store.pairs import Pair, of_pairs, pairs, parameters
from services.notifier.tables import inbound_message, suppression


async def add(db: AsyncConnection, row: Mapping[str, Any]) -> bool:
    """Keep a message; False when the same bytes came before."""
    put = insert(inbound_message).values(**row).on_conflict_do_nothing().returning(inbound_message.c.message_id)
    return (await db.scalar(put)) is not None


async def same(db: AsyncConnection, tenant: UUID, digest: bytes) -> Any | None:
    """The message with these bytes, or None."""
    query = select(inbound_message).where(inbound_message.c.tenant_id == tenant, inbound_message.c.raw_sha256 == digest)
    return (await db.execute(query)).one_or_none()


async def messages(db: AsyncConnection, tenant: UUID, message_ids: Collection[UUID]) -> list[Any]:
    """These messages of a tenant."""
    query = select(inbound_message).join(pairs(), of_pairs(inbound_message.c.message_id))
    return list(await db.execute(query, parameters([(tenant, each) for each in message_ids]))) if message_ids else []


async def mark_read(db: AsyncConnection, tenant: UUID, message_id: UUID, at: datetime) -> None:
    changing = update(inbound_message).where(
        inbound_message.c.tenant_id == tenant, inbound_message.c.message_id == message_id
    )
    await db.execute(changing.values(read_at=at))


async def page(
    db: AsyncConnection, tenant: UUID, *, where: Sequence[ColumnElement[bool]], after: UUID | None, most: int
) -> list[Any]:
    """Inbound messages of a tenant in the order of their ids."""
    query = select(inbound_message).where(inbound_message.c.tenant_id == tenant, *where)
    query = query.order_by(inbound_message.c.message_id).limit(most)
    return list(await db.execute(query.where(inbound_message.c.message_id > after) if after else query))


async def forget_payers(db: AsyncConnection, erased: Collection[Pair]) -> None:
    """What these payers wrote is emptied; that they wrote stays."""
    empty = {"sender": "", "subject": "", "words": ""}
    change = update(inbound_message).where(of_pairs(inbound_message.c.payer_id)).values(**empty)
    await db.execute(change, parameters(erased))


async def suppress(db: AsyncConnection, row: Mapping[str, Any]) -> None:
    """Write to this address no more."""
    await db.execute(insert(suppression).values(**row).on_conflict_do_nothing())


async def unsuppress(db: AsyncConnection, tenant: UUID, address: str) -> bool:
    """Write to this address again; False when it was not suppressed."""
    gone = delete(suppression).where(suppression.c.tenant_id == tenant, suppression.c.address == address)
    return (await db.scalar(gone.returning(suppression.c.address))) is not None


async def suppressed(db: AsyncConnection, tenant: UUID, addresses: Collection[str]) -> set[str]:
    """Those of these addresses that nobody writes to."""
    query = select(suppression.c.address).where(
        suppression.c.tenant_id == tenant, suppression.c.address == func.any(list(addresses))
    )
    return set((await db.scalars(query)).all())


async def suppressed_of(db: AsyncConnection, asked: Collection[tuple[UUID, str]]) -> set[tuple[UUID, str]]:
    """Those of these (tenant, address) that nobody writes to."""
    query = select(suppression.c.tenant_id, suppression.c.address).where(
        suppression.c.tenant_id == func.any(sorted({tenant for tenant, _ in asked})),
        suppression.c.address == func.any(sorted({address for _, address in asked})),
    )
    return {(row.tenant_id, row.address) for row in await db.execute(query)} if asked else set()


async def suppressions(db: AsyncConnection, tenant: UUID, after: str | None, most: int) -> list[Any]:
    """The tenant's suppressed addresses, in their order."""
    query = select(suppression).where(suppression.c.tenant_id == tenant).order_by(suppression.c.address).limit(most)
    return list(await db.execute(query.where(suppression.c.address > after) if after else query))
