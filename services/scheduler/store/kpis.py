"""The sums behind the key figures, by company and currency, as of an instant or over a period.

What was owed at the end of a day is what had been told by then; a figure of a past day does not change afterwards.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.policy import LADDER
from services.scheduler.store.asking import plain
from services.scheduler.store.importing import STEP
from services.scheduler.tables import item, occurrence, promise, residual_fact


def _mine(tenant: UUID, entity: UUID | None) -> ColumnElement[bool]:
    mine = item.c.tenant_id == tenant
    return mine if entity is None else and_(mine, item.c.entity_id == entity)


async def owed(db: AsyncConnection, tenant: UUID, entity: UUID | None, day: date, end: datetime) -> list[Any]:
    """By currency: what was owed at the end of a day and what of it was not due. `end` is the instant after it."""
    told = (
        select(residual_fact.c.residual_minor)
        .where(residual_fact.c.tenant_id == item.c.tenant_id, residual_fact.c.item_id == item.c.item_id)
        .where(residual_fact.c.told_at < end)
        .order_by(residual_fact.c.item_version.desc())
        .limit(1)
        .lateral("told")
    )
    minor = func.coalesce(told.c.residual_minor, item.c.amount_minor)
    not_due = func.coalesce(func.sum(minor).filter(item.c.due_date >= day), 0)
    asked = (
        select(item.c.currency, func.sum(minor).label("outstanding"), not_due.label("not_due"))
        .select_from(item.outerjoin(told, true()))
        .where(_mine(tenant, entity), item.c.told_at < end, item.c.issue_date <= day)
        .where(or_(item.c.cancelled_at.is_(None), item.c.cancelled_at >= end))
        .group_by(item.c.currency)
    )
    return list(await db.execute(asked))


async def sold(  # noqa: PLR0917 - a period of a company, as known at an instant
    db: AsyncConnection, tenant: UUID, entity: UUID | None, after: date, until: date, end: datetime
) -> list[Any]:
    """By currency and day of issue: what was invoiced after a day up to another."""
    asked = (
        select(item.c.currency, item.c.issue_date, func.sum(item.c.amount_minor).label("minor"))
        .where(_mine(tenant, entity), item.c.issue_date > after, item.c.issue_date <= until, item.c.told_at < end)
        .where(or_(item.c.cancelled_at.is_(None), item.c.cancelled_at >= end))
        .group_by(item.c.currency, item.c.issue_date)
    )
    return list(await db.execute(asked))


async def settled(db: AsyncConnection, tenant: UUID, entity: UUID | None, first: date, last: date) -> list[Any]:
    """By currency: items that money settled in a period, their amount, days late, and amount × days late."""
    days = func.greatest(0, item.c.settled_on - item.c.due_date)
    asked = (
        select(
            item.c.currency,
            func.count().label("items"),
            func.sum(item.c.amount_minor).label("minor"),
            func.sum(days).label("days"),
            func.sum(days * item.c.amount_minor).label("minor_days"),
        )
        .where(_mine(tenant, entity), ~item.c.open, item.c.settled_by == "payment")
        .where(item.c.settled_on >= first, item.c.settled_on <= last)
        .group_by(item.c.currency)
    )
    return list(await db.execute(asked))


async def overdue_in(  # noqa: PLR0917 - a page of a period
    db: AsyncConnection, tenant: UUID, entity: UUID | None, first: date, last: date, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Items that were overdue on a day of a period, a page in the order of their ids."""
    asked = (
        select(item)
        .where(_mine(tenant, entity), item.c.due_date < last, item.c.invoice_version > item.c.cancelled_version)
        .where(or_(item.c.open, item.c.settled_on > func.greatest(item.c.due_date, first)))
        .order_by(item.c.item_id)
        .limit(limit)
    )
    found = await db.execute(asked if after is None else asked.where(item.c.item_id > after))
    return [plain(row) for row in found]


async def words(db: AsyncConnection, tenant: UUID, entity: UUID | None, first: datetime, last: datetime) -> list[Any]:
    """By currency and state: promises that ended in a period, what was promised and what came."""
    sums = (func.sum(promise.c.amount_minor).label("promised"), func.sum(promise.c.paid_minor).label("paid"))
    asked = (
        select(promise.c.currency, promise.c.state, func.count().label("count"), *sums)
        .where(promise.c.tenant_id == tenant, promise.c.ended_at >= first, promise.c.ended_at < last)
        .where(promise.c.state.in_(("kept", "partly_kept", "broken")))
        .group_by(promise.c.currency, promise.c.state)
    )
    return list(await db.execute(asked if entity is None else asked.where(promise.c.entity_id == entity)))


def _reminded(columns: Sequence[Any], tenant: UUID, entity: UUID | None, first: date, last: date) -> Select[Any]:
    mine = and_(item.c.tenant_id == occurrence.c.tenant_id, item.c.item_id == occurrence.c.item_id)
    return (
        select(*columns)
        .select_from(occurrence.join(item, mine))
        .where(_mine(tenant, entity), occurrence.c.tenant_id == tenant)
        .where(occurrence.c.state == "completed", occurrence.c.kind.in_(sorted(LADDER)))
        .where(occurrence.c.reason.is_distinct_from(STEP))  # another system's are no figures of ours
        .where(occurrence.c.on_date >= first, occurrence.c.on_date <= last)
    )


async def reminders(db: AsyncConnection, tenant: UUID, entity: UUID | None, first: date, last: date) -> Any:
    """Reminders that reached payers in a period, and those of which an item had been paid in full the day before."""
    wrong = case((and_(~item.c.open, item.c.settled_on < occurrence.c.on_date), occurrence.c.reminder_id))
    sums = (
        func.count(occurrence.c.reminder_id.distinct()).label("reminders"),
        func.count(wrong.distinct()).label("wrong"),
    )
    return (await db.execute(_reminded(sums, tenant, entity, first, last))).one()


async def steps(  # noqa: PLR0917 - a period of a company, and how long to wait
    db: AsyncConnection, tenant: UUID, entity: UUID | None, first: date, last: date, within: int
) -> list[Any]:
    """By step and currency: items it was about, those settled within so many days after it, and their money."""
    paid = and_(
        ~item.c.open,
        item.c.settled_by == "payment",
        item.c.settled_on >= occurrence.c.on_date,
        item.c.settled_on <= occurrence.c.on_date + within,
    )
    sums = (
        occurrence.c.step_key,
        occurrence.c.currency,
        func.count().label("items"),
        func.count().filter(paid).label("settled"),
        func.sum(occurrence.c.printed_minor).label("minor"),
        func.coalesce(func.sum(occurrence.c.printed_minor).filter(paid), 0).label("settled_minor"),
    )
    asked = _reminded(sums, tenant, entity, first, last)
    return list(await db.execute(asked.group_by(occurrence.c.step_key, occurrence.c.currency)))
