"""What was decided in shadow: kept once a step, read by company and days."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import adding, columns
from services.scheduler.policy import LADDER
from services.scheduler.store.asking import plain
from services.scheduler.tables import item, shadow_step


async def keep(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep these steps; the day on which one would have been said first stays."""
    if rows:
        await db.execute(adding(shadow_step, tuple(rows[0])), columns(rows))


async def decided(  # noqa: PLR0917 - a period of a company
    db: AsyncConnection, tenant: UUID, entity: UUID, first: date, last: date, limit: int
) -> list[dict[str, Any]]:
    """Reminders that would have been sent in a period: item_id, number, on_date, tone, step_key."""
    mine = and_(item.c.tenant_id == shadow_step.c.tenant_id, item.c.item_id == shadow_step.c.item_id)
    asked = (
        select(*(shadow_step.c[name] for name in ("item_id", "on_date", "tone", "step_key")), item.c.number)
        .join(item, mine)
        .where(shadow_step.c.tenant_id == tenant, shadow_step.c.entity_id == entity)
        .where(shadow_step.c.kind.in_(sorted(LADDER)))
        .where(shadow_step.c.on_date >= first, shadow_step.c.on_date <= last)
        .limit(limit)
    )
    return [plain(row) for row in await db.execute(asked)]
