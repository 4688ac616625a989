"""Documents as they came, byte for byte."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.invoice_ingest.tables import document


async def add(db: AsyncConnection, row: dict[str, Any]) -> None:
    """Keep a document; the same bytes are the same document."""
    await db.execute(insert(document).values(row).on_conflict_do_nothing())


async def one(db: AsyncConnection, tenant: UUID, document_id: UUID) -> Row[Any] | None:
    """A document with its bytes."""
    asked = select(document).where(document.c.tenant_id == tenant, document.c.document_id == document_id)
    return (await db.execute(asked)).one_or_none()
