"""The state of the work in figures, from the read model: what was taken, said, held back and matched."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.console.tables import read_model as model

RECENT = timedelta(days=30)
"""The payments that are counted as having come in."""


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


async def figures(db: AsyncConnection, tenant_id: UUID, since: datetime) -> Work:
    """The work as it stands; `since` is the day's first instant. Settle the accounts and the sales before."""
    outstanding, overdue = await _open(db, tenant_id)
    payments, left = await _payments(db, tenant_id, since.date() - RECENT)
    reminders, stopped = await _notices(db, tenant_id)
    invoices, invoices_today = await _invoices(db, tenant_id, since)
    return Work(
        outstanding=outstanding,
        overdue=overdue,
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


async def _open(db: AsyncConnection, tenant_id: UUID) -> tuple[list[Sum], list[Sum]]:
    """What is owed, and what of it is overdue."""
    account = model.account
    late = func.sum(account.c.total - account.c.b0)
    asked = select(
        account.c.currency,
        func.sum(account.c["items"]),
        func.sum(account.c.total),
        func.sum(account.c.late_items),
        late,
    )
    mine = asked.where(account.c.tenant_id == tenant_id).group_by(account.c.currency)
    rows = list(await db.execute(mine.order_by(func.sum(account.c.total).desc())))
    owed = [Sum(row[0], int(row[1]), Money(int(row[2]), row[0])) for row in rows]
    return owed, [Sum(row[0], int(row[3]), Money(int(row[4]), row[0])) for row in rows if row[3]]


async def _invoices(db: AsyncConnection, tenant_id: UUID, since: datetime) -> tuple[int, int]:
    """All, and those that were issued or changed today."""
    sale, activity = model.sale, model.activity
    told = activity.c.type.in_(["InvoiceIssued", "InvoiceAmended"])
    mine = (activity.c.tenant_id == tenant_id, activity.c.at >= since, told)
    today = select(func.count(activity.c.subject_id.distinct())).where(*mine).scalar_subquery()
    total = select(func.coalesce(func.sum(sale.c.invoices), 0)).where(sale.c.tenant_id == tenant_id).scalar_subquery()
    found = (await db.execute(select(total, today))).one()
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


async def _payments(db: AsyncConnection, tenant_id: UUID, since: date) -> tuple[list[Sum], list[Sum]]:
    """What came in since a day, and what of all that ever came in is left."""
    payment = model.payment
    alive = (payment.c.tenant_id == tenant_id, payment.c.state != "reversed")
    came = await _sums(db, payment.c.amount, *alive, payment.c.value_date >= since)
    return came, await _sums(db, payment.c.unapplied, *alive, payment.c.unapplied != 0)


async def _sums(db: AsyncConnection, amount: ColumnElement[int], *mine: ColumnElement[bool]) -> list[Sum]:
    currency = model.payment.c.currency
    asked = select(currency, func.count(), func.sum(amount)).where(*mine).group_by(currency)
    found = await db.execute(asked.order_by(func.count().desc()))
    return [Sum(code, count, Money(int(minor), code)) for code, count, minor in found]


async def _tasks(db: AsyncConnection, tenant_id: UUID) -> int:
    task = model.task
    asked = select(func.count()).where(task.c.tenant_id == tenant_id, task.c.outcome.is_(None))
    return int(await db.scalar(asked) or 0)


async def latest(db: AsyncConnection, tenant_id: UUID, count: int = 20) -> list[dict[str, Any]]:
    """The newest lines of the timeline, with the names of whom they are about."""
    activity, debtor = model.activity, model.debtor
    newest = select(activity).where(activity.c.tenant_id == tenant_id).order_by(activity.c.at.desc())
    line = newest.order_by(activity.c.event_id).limit(count).subquery("line")
    about = func.coalesce(line.c.debtor_id, line.c.payer_id)
    named = and_(debtor.c.tenant_id == line.c.tenant_id, debtor.c.debtor_id == about)
    asked = select(line, debtor.c.name).select_from(line.outerjoin(debtor, named))
    return [dict(row._mapping) for row in await db.execute(asked.order_by(line.c.at.desc(), line.c.event_id))]


async def as_of(db: AsyncConnection, tenant_id: UUID) -> datetime | None:
    """The business instant of the last thing heard."""
    told: datetime | None = await db.scalar(
        select(func.max(model.activity.c.at)).where(model.activity.c.tenant_id == tenant_id)
    )
    return told
