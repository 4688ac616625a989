"""What a replay is compared with: the notices that really left, and the days on which items were really paid."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Double, and_, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.store.asking import among
from services.scheduler.store.cases import Pair
from services.scheduler.tables import item, notice, payer_case

Row = dict[str, Any]


async def notices(db: AsyncConnection, cases: Collection[Pair]) -> dict[UUID, Any]:
    """Reminder id → the notice of these cases that left, or may have: kind, step_key, said_on, bounced, case_id."""
    chosen = (
        notice.c.reminder_id,
        notice.c.case_id,
        notice.c.kind,
        notice.c.step_key,
        notice.c.said_on,
        notice.c.bounced,
    )
    theirs = and_(
        among(notice.c.tenant_id, {tenant for tenant, _ in cases}), among(notice.c.case_id, {case for _, case in cases})
    )
    left = or_(notice.c.sent, and_(notice.c.uncertain, ~notice.c.unsent))
    return {row.reminder_id: row for row in await db.execute(select(*chosen).where(theirs, left))}


async def settled(db: AsyncConnection, cases: Collection[Pair]) -> dict[UUID, date]:
    """Item id → the value date of the money that settled it, of those items of these cases that are settled."""
    theirs = and_(
        among(item.c.tenant_id, {tenant for tenant, _ in cases}), among(item.c.case_id, {case for _, case in cases})
    )
    asked = select(item.c.item_id, item.c.settled_on).where(theirs, ~item.c.open, item.c.settled_by == "payment")
    return {row.item_id: row.settled_on for row in await db.execute(asked) if row.settled_on is not None}


async def parties(
    db: AsyncConnection,
    tenant: UUID,
    after: UUID | None,
    entity: UUID | None,
    limit: int,
    *,
    until: UUID | None = None,
) -> tuple[Sequence[Row], UUID | None]:
    """All cases of the next parties, about `limit` of them, and the last of these parties if there are more; none
    beyond `until`."""
    mine = _of(tenant, entity)
    whose = select(payer_case.c.party_id).where(mine).distinct().order_by(payer_case.c.party_id).limit(limit + 1)
    if after is not None:
        whose = whose.where(payer_case.c.party_id > after)
    if until is not None:
        whose = whose.where(payer_case.c.party_id <= until)
    found = list((await db.scalars(whose)).all())
    chosen = found[:limit]
    rows = await db.execute(select(payer_case).where(mine, among(payer_case.c.party_id, chosen)))
    return [dict(row._mapping) for row in rows], chosen[-1] if len(found) > limit else None


def _of(tenant: UUID, entity: UUID | None) -> ColumnElement[bool]:
    mine = payer_case.c.tenant_id == tenant
    return mine if entity is None else and_(mine, payer_case.c.entity_id == entity)


async def shares(db: AsyncConnection, tenant: UUID, entity: UUID | None, count: int) -> list[tuple[UUID | None, UUID]]:
    """The parties in so many parts of about as many cases, as (after which party, up to which)."""
    fractions = [place / count for place in range(1, count + 1)]
    asked = func.percentile_disc(literal(fractions, ARRAY(Double))).within_group(payer_case.c.party_id)
    found = await db.scalar(select(asked).where(_of(tenant, entity)))
    ends = list(dict.fromkeys(found or ()))
    return list(zip([None, *ends], ends, strict=False))
