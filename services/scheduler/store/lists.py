"""Lists for people: holds, promises, plans, disputes, occurrences, a page at a time."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, and_, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.store.asking import plain
from services.scheduler.tables import dispute, hold, item, occurrence, plan, promise

Row = Mapping[str, Any]


async def holds(
    db: AsyncConnection,
    tenant: UUID,
    limit: int,
    after: Sequence[Any] | None,
    *,
    state: str,
    scope_id: UUID | None,
    today: date,
) -> list[Row]:
    """Holds by review date: active, lifted, or active with a review date that has come."""
    asked = select(hold).where(hold.c.tenant_id == tenant)
    asked = asked.where(hold.c.state == ("lifted" if state == "lifted" else "active"))
    if state == "review_due":
        asked = asked.where(hold.c.review_on <= today)
    if scope_id is not None:
        asked = asked.where(hold.c.scope_id == scope_id)
    return await _page(db, asked, (hold.c.review_on, hold.c.hold_id), after, limit)


async def promises(
    db: AsyncConnection,
    tenant: UUID,
    limit: int,
    after: Sequence[Any] | None,
    *,
    state: str | None,
    case_id: UUID | None,
) -> list[Row]:
    """Promises by date."""
    asked = _of(promise, tenant, state)
    if case_id is not None:
        asked = asked.where(promise.c.case_id == case_id)
    return await _page(db, asked, (promise.c.promised_for, promise.c.promise_id), after, limit)


async def plans(
    db: AsyncConnection,
    tenant: UUID,
    limit: int,
    after: Sequence[Any] | None,
    *,
    state: str | None,
    case_id: UUID | None,
) -> list[Row]:
    """Plans in the order of their ids, which is that of their making."""
    asked = _of(plan, tenant, state)
    if case_id is not None:
        asked = asked.where(plan.c.case_id == case_id)
    return await _page(db, asked, (plan.c.plan_id,), after, limit)


async def disputes(
    db: AsyncConnection,
    tenant: UUID,
    limit: int,
    after: Sequence[Any] | None,
    *,
    state: str | None,
    item_id: UUID | None,
    owner: str | None,
    late_on: date | None,
) -> list[Row]:
    """Disputes in the order of their ids; with `late_on` those whose answer or credit note is overdue on that day."""
    asked = _of(dispute, tenant, state)
    if item_id is not None:
        asked = asked.where(dispute.c.item_id == item_id)
    if owner is not None:
        asked = asked.where(dispute.c.owner == owner)
    if late_on is not None:
        answer = and_(dispute.c.state.in_(("opened", "investigating")), dispute.c.respond_by < late_on)
        credit = and_(dispute.c.state == "upheld", dispute.c.credit_due_on < late_on)
        asked = asked.where(dispute.c.closed_at.is_(None), or_(answer, credit))
    return await _page(db, asked, (dispute.c.dispute_id,), after, limit)


async def occurrences(
    db: AsyncConnection,
    tenant: UUID,
    limit: int,
    after: Sequence[Any] | None,
    *,
    state: str | None,
    item_id: UUID | None,
    unanswered_since: datetime | None,
) -> list[Row]:
    """Occurrences with their invoice's number; with `unanswered_since` the releases before it that have no end."""
    mine = (item.c.tenant_id == occurrence.c.tenant_id) & (item.c.item_id == occurrence.c.item_id)
    asked = select(occurrence, item.c.number).join(item, mine).where(occurrence.c.tenant_id == tenant)
    if state is not None:
        asked = asked.where(occurrence.c.state == state)
    if item_id is not None:
        asked = asked.where(occurrence.c.item_id == item_id)
    if unanswered_since is not None:
        open_ = occurrence.c.state.in_(("released", "proposed"))
        asked = asked.where(open_, occurrence.c.released_at < unanswered_since)
    return await _page(db, asked, (occurrence.c.occurrence_id,), after, limit)


def _of(table: Table, tenant: UUID, state: str | None) -> Select[Any]:
    asked = select(table).where(table.c.tenant_id == tenant)
    return asked if state is None else asked.where(table.c.state == state)


async def _page(
    db: AsyncConnection,
    asked: Select[Any],
    by: Sequence[ColumnElement[Any]],
    after: Sequence[Any] | None,
    limit: int,
) -> list[Row]:
    if after is not None:
        asked = asked.where(tuple_(*by) > tuple_(*after))
    return [plain(row) for row in await db.execute(asked.order_by(*by).limit(limit))]
