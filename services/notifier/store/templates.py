"""Tenants' own texts, each version kept for ever."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.render import Source
from services.notifier.tables import template_version


def _source(row: Any) -> Source:
    return Source(row.key, row.language, row.subject, row.body, row.version)


async def current(db: AsyncConnection, tenants: Collection[UUID]) -> dict[tuple[UUID, str, str], Source]:
    """(tenant, key, language) → the newest text that the tenant saved."""
    table = template_version
    query = (
        select(table)
        .where(table.c.tenant_id == func.any(list(tenants)))
        .ext(distinct_on(table.c.tenant_id, table.c.key, table.c.language))
        .order_by(table.c.tenant_id, table.c.key, table.c.language, table.c.version.desc())
    )
    return {(row.tenant_id, row.key, row.language): _source(row) for row in await db.execute(query)}


async def versions(db: AsyncConnection, tenant: UUID, key: str, language: str) -> Sequence[Any]:
    """All versions of one text, the newest first."""
    table = template_version
    mine = (table.c.tenant_id == tenant, table.c.key == key, table.c.language == language)
    return list(await db.execute(select(table).where(*mine).order_by(table.c.version.desc())))


async def add(db: AsyncConnection, row: Mapping[str, Any]) -> int:
    """Save the next version of a text; answers its number."""
    table = template_version
    name = f"{row['tenant_id']}/{row['key']}/{row['language']}"
    await db.execute(text("select pg_advisory_xact_lock(hashtext(:name))"), {"name": name})
    mine = (table.c.tenant_id == row["tenant_id"], table.c.key == row["key"], table.c.language == row["language"])
    last = await db.scalar(select(func.coalesce(func.max(table.c.version), 0)).where(*mine))
    await db.execute(insert(table).values(**row, version=(last or 0) + 1))
    return int(last or 0) + 1
