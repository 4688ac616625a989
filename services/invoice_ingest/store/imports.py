"""Imports: what a file held, and the lines that were not taken."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.invoice_ingest.store.sets import add_rows
from services.invoice_ingest.tables import import_error, import_run


async def add(db: AsyncConnection, run: dict[str, Any], errors: Sequence[dict[str, Any]]) -> None:
    """Keep the report of an import."""
    await db.execute(insert(import_run).values(run))
    await add_rows(db, import_error, errors)


async def one(db: AsyncConnection, tenant: UUID, import_id: UUID) -> Row[Any] | None:
    """One import."""
    asked = select(import_run).where(import_run.c.tenant_id == tenant, import_run.c.import_id == import_id)
    return (await db.execute(asked)).one_or_none()


async def errors(db: AsyncConnection, tenant: UUID, import_id: UUID) -> Sequence[Row[Any]]:
    """The lines of an import that were not taken, in order."""
    mine = (import_error.c.tenant_id == tenant, import_error.c.import_id == import_id)
    return (await db.execute(select(import_error).where(*mine).order_by(import_error.c.line))).all()
