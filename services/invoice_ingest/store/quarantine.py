"""What waits for a person."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Row, Update, Uuid, and_, func, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import columns, given
from services.invoice_ingest.store.sets import add_rows
from services.invoice_ingest.tables import quarantine


async def add(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Set aside; what was set aside before in the same words stays as it is."""
    await add_rows(db, quarantine, rows)


@cache
def _superseding() -> Update:
    asked = given(quarantine, ("tenant_id", "invoice_id", "source"))
    same = and_(*(quarantine.c[name] == asked.c[name] for name in ("tenant_id", "invoice_id", "source")))
    return update(quarantine).where(same, quarantine.c.state == "open").values(state="superseded")


async def supersede(db: AsyncConnection, taken: Sequence[dict[str, Any]]) -> None:
    """What the same source told well by now need not be looked at any more."""
    if taken:
        await db.execute(_superseding(), columns(taken))


async def lock(db: AsyncConnection, tenant: UUID, quarantine_id: UUID) -> Row[Any] | None:
    """One entry, locked."""
    mine = (quarantine.c.tenant_id == tenant, quarantine.c.quarantine_id == quarantine_id)
    return (await db.execute(select(quarantine).where(*mine).with_for_update())).one_or_none()


async def decide(
    db: AsyncConnection, tenant: UUID, quarantine_id: UUID, *, state: str, by: str, note: str | None, at: datetime
) -> None:
    """End an open entry."""
    mine = (quarantine.c.tenant_id == tenant, quarantine.c.quarantine_id == quarantine_id)
    told = {"state": state, "decided_by": by, "note": note, "decided_at": at}
    await db.execute(update(quarantine).where(*mine).values(told))


async def waiting(db: AsyncConnection) -> int:
    """How many entries wait for a person, over all tenants."""
    return int(await db.scalar(select(func.count()).select_from(quarantine).where(quarantine.c.state == "open")) or 0)


async def page(
    db: AsyncConnection, tenant: UUID, limit: int, after: Sequence[Any] | None, *, state: str, reason: str | None
) -> Sequence[Row[Any]]:
    """`limit` + 1 entries in a state after a (received_at, id), oldest first."""
    asked = select(quarantine).where(quarantine.c.tenant_id == tenant, quarantine.c.state == state)
    if reason is not None:
        asked = asked.where(quarantine.c.reason == reason)
    if after is not None:
        place = tuple_(literal(after[0], DateTime(timezone=True)), literal(after[1], Uuid))
        asked = asked.where(tuple_(quarantine.c.received_at, quarantine.c.quarantine_id) > place)
    return (
        await db.execute(asked.order_by(quarantine.c.received_at, quarantine.c.quarantine_id).limit(limit + 1))
    ).all()
