"""Files as received: each content once, so that a file sent twice is answered alike and taken once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_OPEN = text("""
    insert into statement_file as f (tenant_id, file_id, sha256, actor, size, state)
    values (:tenant, :file, :sha256, :actor, :size, 'reading')
    on conflict (tenant_id, sha256) do update
       set state = case when f.state = 'taken' then f.state else 'reading' end,
           received_at = case when f.state = 'taken' then f.received_at else clock_timestamp() end
     where f.state <> 'reading' or f.received_at < clock_timestamp() - interval '3 minutes'
    returning f.file_id, f.state, f.result
""")
_CLOSE = text("""
    update statement_file set state = :state, result = cast(:result as jsonb)
     where tenant_id = :tenant and file_id = :file
""")
_PAGE = text("""
    select f.file_id, f.received_at, f.actor, f.size, f.state, f.result from statement_file f
     where f.tenant_id = :tenant
       and (cast(:before as timestamptz) is null or (f.received_at, f.file_id) < (:before, cast(:last as uuid)))
     order by f.received_at desc, f.file_id desc limit :most
""")


@dataclass(frozen=True, slots=True)
class Opened:
    """A file on record: `taken` with its result, or `reading` by whoever opened it."""

    file_id: UUID
    state: Literal["taken", "reading"]
    result: dict[str, Any] | None


async def open_file(db: AsyncConnection, tenant: UUID, file: UUID, facts: Mapping[str, Any]) -> Opened | None:
    """Put a file on record (`sha256`, `actor`, `size`); None while somebody else reads the same content."""
    row = (await db.execute(_OPEN, {"tenant": tenant, "file": file, **facts})).one_or_none()
    return None if row is None else Opened(row.file_id, row.state, row.result)


async def close_file(
    db: AsyncConnection, tenant: UUID, file: UUID, state: Literal["taken", "refused"], result: Mapping[str, Any]
) -> None:
    """Say what became of a file."""
    told = orjson.dumps(result, default=str).decode()
    await db.execute(_CLOSE, {"tenant": tenant, "file": file, "state": state, "result": told})


async def page(db: AsyncConnection, tenant: UUID, before: datetime | None, last: UUID | None, most: int) -> list[Any]:
    """The newest files, or those before one."""
    return list(await db.execute(_PAGE, {"tenant": tenant, "before": before, "last": last, "most": most}))
