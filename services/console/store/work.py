"""The state of the work in figures, from the read model: what was taken, said, held back and matched."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.console.tables import read_model as model


@dataclass(frozen=True, slots=True)
class Sum:
    """How many and how much, of one currency; `what` says of what."""

    what: str
    count: int
    amount: Money | None


@dataclass(frozen=True)
class Work:
    """The figures of one tenant."""

    outstanding: Sequence[Sum]
    overdue: Sequence[Sum]
    invoices: int
    invoices_today: int
    reminders: dict[str, int]
    stopped: Sequence[Sum]
    held: Sequence[Sum]
    payments: Sequence[Sum]
    left: Sequence[Sum]
    payments_count: int
    tasks_open: int


async def figures(db: AsyncConnection, tenant_id: UUID, day: date, since: datetime) -> Work:
    """The work as it stands on `day`; `since` is that day's first instant."""
    payments, left = await _payments(db, tenant_id)
    reminders, stopped = await _notices(db, tenant_id)
    invoices, invoices_today = await _invoices(db, tenant_id, since)
    return Work(
        outstanding=await _open(db, tenant_id, None),
        overdue=await _open(db, tenant_id, day),
        invoices=invoices,
        invoices_today=invoices_today,
        reminders=reminders,
        stopped=stopped,
        held=await _held(db, tenant_id),
        payments=payments,
        left=left,
        payments_count=sum(each.count for each in payments),
        tasks_open=await _tasks(db, tenant_id),
    )


async def _open(db: AsyncConnection, tenant_id: UUID, overdue_on: date | None) -> list[Sum]:
    item = model.item
    owed = func.coalesce(item.c.residual, item.c.amount)
    chosen = [item.c.tenant_id == tenant_id, ~item.c.gone, owed != 0, item.c.due_date.is_not(None)]
    if overdue_on is not None:
        chosen.append(item.c.due_date < overdue_on)
    asked = select(item.c.currency, func.count(), func.sum(owed)).where(*chosen).group_by(item.c.currency)
    found = await db.execute(asked.order_by(func.sum(owed).desc()))
    return [Sum(currency, count, Money(int(owing), currency)) for currency, count, owing in found]


async def _invoices(db: AsyncConnection, tenant_id: UUID, since: datetime) -> tuple[int, int]:
    invoice = model.invoice
    taken = (invoice.c.tenant_id == tenant_id, invoice.c.told_at.is_not(None))
    today = func.count().filter(invoice.c.told_at >= since)
    found = (await db.execute(select(func.count(), today).where(*taken))).one()
    return int(found[0]), int(found[1])


async def _notices(db: AsyncConnection, tenant_id: UUID) -> tuple[dict[str, int], list[Sum]]:
    notice = model.notice
    asked = select(notice.c.state, notice.c.reason, func.count()).where(notice.c.tenant_id == tenant_id)
    rows = list(await db.execute(asked.group_by(notice.c.state, notice.c.reason)))
    states: dict[str, int] = {}
    for state, _, count in rows:
        states[state] = states.get(state, 0) + count
    stopped = [Sum(reason or "", count, None) for state, reason, count in rows if state == "stopped"]
    return states, sorted(stopped, key=lambda each: -each.count)


async def _held(db: AsyncConnection, tenant_id: UUID) -> list[Sum]:
    hold = model.hold
    alive = and_(hold.c.tenant_id == tenant_id, hold.c.placed_at.is_not(None), hold.c.lifted_at.is_(None))
    asked = select(hold.c.kind, func.count()).where(alive).group_by(hold.c.kind).order_by(func.count().desc())
    return [Sum(kind, count, None) for kind, count in await db.execute(asked)]


async def _payments(db: AsyncConnection, tenant_id: UUID) -> tuple[list[Sum], list[Sum]]:
    payment = model.payment
    here = (payment.c.tenant_id == tenant_id, payment.c.state != "reversed")
    rest = case((payment.c.unapplied != 0, 1), else_=0)
    asked = select(
        payment.c.currency, func.count(), func.sum(payment.c.amount), func.sum(rest), func.sum(payment.c.unapplied)
    )
    rows = list(await db.execute(asked.where(*here).group_by(payment.c.currency).order_by(func.count().desc())))
    taken = [Sum(row[0], row[1], Money(int(row[2]), row[0])) for row in rows]
    return taken, [Sum(row[0], int(row[3]), Money(int(row[4]), row[0])) for row in rows if row[3]]


async def _tasks(db: AsyncConnection, tenant_id: UUID) -> int:
    task = model.task
    asked = select(func.count()).where(task.c.tenant_id == tenant_id, task.c.outcome.is_(None))
    return int(await db.scalar(asked) or 0)


async def latest(db: AsyncConnection, tenant_id: UUID, count: int = 20) -> list[dict[str, Any]]:
    """The newest lines of the timeline, with the names of whom they are about."""
    activity, debtor = model.activity, model.debtor
    about = func.coalesce(activity.c.debtor_id, activity.c.payer_id)
    named = and_(debtor.c.tenant_id == activity.c.tenant_id, debtor.c.debtor_id == about)
    asked = select(activity, debtor.c.name).select_from(activity.outerjoin(debtor, named))
    newest = asked.where(activity.c.tenant_id == tenant_id).order_by(activity.c.at.desc(), activity.c.event_id)
    return [dict(row._mapping) for row in await db.execute(newest.limit(count))]


async def as_of(db: AsyncConnection, tenant_id: UUID) -> datetime | None:
    """The business instant of the last thing heard."""
    told: datetime | None = await db.scalar(
        select(func.max(model.activity.c.at)).where(model.activity.c.tenant_id == tenant_id)
    )
    return told
