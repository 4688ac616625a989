"""Files on their way in: uploaded, looked at, tried, taken. The bytes are kept for a day at most."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from services.console.tables import import_draft as draft

KEPT = timedelta(days=1)
_SHOWN = [column for column in draft.columns if column.name != "data"]


async def add(db: AsyncConnection, row: Mapping[str, Any]) -> None:
    """Keep an uploaded file; drop the bytes of those that nobody took within a day."""
    old = (draft.c.tenant_id == row["tenant_id"], draft.c.at < row["at"] - KEPT)
    await db.execute(update(draft).where(*old, draft.c.data.is_not(None)).values(data=None))
    await db.execute(insert(draft).values(**row))


async def one(db: AsyncConnection, tenant_id: UUID, draft_id: UUID) -> dict[str, Any]:
    """A file without its bytes; `there` says whether they are still kept. Raises NotFound."""
    asked = select(*_SHOWN, draft.c.data.is_not(None).label("there"))
    found = (await db.execute(asked.where(draft.c.tenant_id == tenant_id, draft.c.draft_id == draft_id))).one_or_none()
    if found is None:
        raise NotFound("There is no such file.")
    return dict(found._mapping)


async def data(db: AsyncConnection, tenant_id: UUID, draft_id: UUID) -> bytes | None:
    """The bytes of a file, as long as they are kept."""
    asked = select(draft.c.data).where(draft.c.tenant_id == tenant_id, draft.c.draft_id == draft_id)
    found: bytes | None = await db.scalar(asked)
    return found


async def change(
    db: AsyncConnection, tenant_id: UUID, draft_id: UUID, *, only_in: Sequence[str] = (), **facts: Any
) -> bool:
    """Write some facts, if it is in one of these states; says whether it was."""
    mine = [draft.c.tenant_id == tenant_id, draft.c.draft_id == draft_id]
    if only_in:
        mine.append(draft.c.state.in_(only_in))
    done = await db.execute(update(draft).where(*mine).values(**facts).returning(draft.c.draft_id))
    return done.first() is not None


async def latest(db: AsyncConnection, tenant_id: UUID, most: int = 30) -> list[dict[str, Any]]:
    """The newest files, without their bytes."""
    asked = select(*_SHOWN).where(draft.c.tenant_id == tenant_id).order_by(draft.c.at.desc(), draft.c.draft_id)
    return [dict(row._mapping) for row in await db.execute(asked.limit(most))]


async def mapping_of(db: AsyncConnection, tenant_id: UUID, headings: Sequence[str]) -> dict[str, Any] | None:
    """How the last file with the same headings was read when it was taken."""
    same = draft.c.looked["headings"] == list(headings)
    mine = (draft.c.tenant_id == tenant_id, draft.c.state == "taken", draft.c.mapping.is_not(None), same)
    asked = select(draft.c.mapping).where(*mine).order_by(draft.c.at.desc()).limit(1)
    found: dict[str, Any] | None = await db.scalar(asked)
    return found


async def drop(db: AsyncConnection, tenant_id: UUID, draft_id: UUID, *, kind: str) -> None:
    """Forget a file of this kind that was not taken."""
    mine = (draft.c.tenant_id == tenant_id, draft.c.draft_id == draft_id, draft.c.kind == kind)
    await db.execute(delete(draft).where(*mine, draft.c.state.in_(("read", "tried"))))
