"""Today: what a collector has to do now. The count of a tab and the length of its list come from one condition."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, and_, func, literal, null, select, text, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.console.store.ledger import PAGE, Chosen
from services.console.tables import read_model as model

Tab = Literal["send", "formal", "calls", "promises", "replies", "blocked"]
TABS: tuple[Tab, ...] = ("send", "formal", "calls", "promises", "replies", "blocked")


@dataclass(frozen=True, slots=True)
class Count:
    """How many a tab holds, and how much of it is overdue, one sum a currency, that of most lines first."""

    lines: int
    amounts: tuple[Money, ...]


def _with_owed(lines: Any) -> Any:
    """Lines (`id`, `payer_id`) with what their payer owes, overdue, and since when, once a currency: `place` 1 is the
    currency of most items, which stands for the line, and `currencies` says how many there are."""
    account = model.account
    of_payer = and_(account.c.tenant_id == lines.c.tenant_id, account.c.payer_id == lines.c.payer_id)
    keys = [column for column in lines.c if column.name != "tenant_id"]
    late = func.sum(account.c.total - account.c.b0).label("overdue")
    counts = func.sum(account.c["items"]).label("item_count"), func.sum(account.c.late_items).label("late_count")
    sums = late, func.sum(account.c.total).label("total"), func.min(account.c.oldest).label("oldest")
    per = select(*keys, account.c.currency, *sums, *counts)
    grouped = per.select_from(lines.outerjoin(account, of_payer)).group_by(*keys, account.c.currency).subquery("per")
    order = (grouped.c.item_count.desc().nulls_last(), grouped.c.total.desc().nulls_last(), grouped.c.currency)
    place = func.row_number().over(partition_by=grouped.c.id, order_by=order).label("place")
    many = func.count(grouped.c.currency).over(partition_by=grouped.c.id).label("currencies")
    return select(grouped, place, many).subquery("owes")


def base(tab: Tab, tenant_id: UUID, day: date) -> tuple[Any, list[ColumnElement[bool]], dict[str, Any]]:
    """The table a tab is made of, its conditions, and what its lines are called."""
    notice, task, promise, hold = model.notice, model.task, model.promise, model.hold
    if tab in ("send", "formal"):
        formal = notice.c.kind == "formal_notice"
        chosen = [notice.c.tenant_id == tenant_id, notice.c.state == "proposed", formal if tab == "formal" else ~formal]
        return notice, chosen, {"id": notice.c.notice_id, "kind": notice.c.kind, "at": notice.c.told_at}
    if tab in ("calls", "replies"):
        reply = task.c.kind == "reply"
        chosen = [task.c.tenant_id == tenant_id, task.c.outcome.is_(None), task.c.opened_version >= 0]
        chosen.append(reply if tab == "replies" else ~reply)
        return task, chosen, {"id": task.c.task_id, "kind": task.c.kind, "at": task.c.opened_at}
    if tab == "promises":
        chosen = [promise.c.tenant_id == tenant_id, promise.c.ended.is_(None), promise.c.promised_for <= day]
        return promise, chosen, {"id": promise.c.promise_id, "kind": promise.c.ended, "at": promise.c.made_at}
    chosen = [hold.c.tenant_id == tenant_id, hold.c.placed_version >= 0, hold.c.lifted_version < 0]
    return hold, chosen, {"id": hold.c.hold_id, "kind": hold.c.kind, "at": hold.c.placed_at}


def _narrowed(table: Any, chosen: Chosen) -> list[ColumnElement[bool]]:
    found = replace(chosen, entity=None).debtors()
    if chosen.entity is not None:
        found.append(table.c.entity_id == chosen.entity)
    return found


def _ids(tab: Tab, tenant_id: UUID, day: date, chosen: Chosen, identity: UUID | None = None) -> Select[Any]:
    """The lines of a tab, or one of them: tenant_id, id, payer_id."""
    table, conditions, named = base(tab, tenant_id, day)
    debtor = model.debtor
    of_payer = and_(debtor.c.tenant_id == table.c.tenant_id, debtor.c.debtor_id == table.c.payer_id)
    narrowed = replace(chosen, entity=None).debtors()
    both = table.outerjoin(debtor, of_payer) if narrowed else table
    if identity is not None:
        conditions.append(named["id"] == identity)
    asked = select(table.c.tenant_id, named["id"].label("id"), table.c.payer_id).select_from(both)
    return asked.where(*conditions, *_narrowed(table, chosen))


@asynccontextmanager
async def hashed(db: AsyncConnection) -> AsyncIterator[None]:
    """Lines and accounts meet in a hash. Where a table has grown since its statistics were taken, as on the day of a
    first import, the database would go through all accounts for each line."""
    await db.execute(text("set local enable_nestloop = off"))
    yield
    await db.execute(text("set local enable_nestloop = on"))


async def _read(
    db: AsyncConnection, tab: Tab, tenant_id: UUID, day: date, ids: Select[Any], *, page: int = 1
) -> list[dict[str, Any]]:
    """All about the lines of one page, the largest overdue amounts first."""
    owes = _with_owed(ids.subquery("lines"))
    ranked = select(owes).where(owes.c.place == 1).order_by(owes.c.overdue.desc().nulls_last(), owes.c.id)
    async with hashed(db):
        asked = await db.execute(ranked.limit(PAGE).offset((page - 1) * PAGE))
        owed = {row.id: dict(row._mapping) for row in asked}
    table, _, named = base(tab, tenant_id, day)
    debtor = model.debtor
    of_payer = and_(debtor.c.tenant_id == table.c.tenant_id, debtor.c.debtor_id == table.c.payer_id)
    facts = [table.c.payer_id, table.c.entity_id, *(column.label(name) for name, column in named.items())]
    whom = [debtor.c.name, debtor.c.external_id, debtor.c.profile, debtor.c.collector]
    source, step = table.outerjoin(debtor, of_payer), null().label("step")
    if table is model.notice:
        source, step = source.outerjoin(model.reminder, _of_reminder()), model.reminder.c.step_key.label("step")
    about = select(*facts, step, *whom).select_from(source)
    rows = await db.execute(about.where(table.c.tenant_id == tenant_id, named["id"].in_(list(owed))))
    known = {row.id: dict(row._mapping) for row in rows}
    return [_line(owes | known[identity]) for identity, owes in owed.items()]


def _of_reminder() -> ColumnElement[bool]:
    notice, reminder = model.notice, model.reminder
    return and_(reminder.c.tenant_id == notice.c.tenant_id, reminder.c.reminder_id == notice.c.reminder_id)


async def counts(db: AsyncConnection, tenant_id: UUID, day: date, chosen: Chosen) -> Mapping[Tab, Count]:
    """What each tab holds. Settle the accounts before."""
    parts = [_ids(tab, tenant_id, day, chosen).add_columns(literal(tab, Text).label("tab")) for tab in TABS]
    owes = _with_owed(union_all(*parts).subquery("lines"))
    late = func.coalesce(func.sum(owes.c.overdue), 0).label("amount")
    lines = func.count().filter(owes.c.place == 1).label("lines")
    asked = select(owes.c.tab, owes.c.currency, lines, late).group_by(owes.c.tab, owes.c.currency)
    found: dict[Tab, Count] = dict.fromkeys(TABS, Count(0, ()))
    async with hashed(db):
        rows = list(await db.execute(asked.order_by(lines.desc(), owes.c.currency)))
    for row in rows:
        amounts = (Money(int(row.amount), row.currency),) if row.currency and row.amount else ()
        found[row.tab] = Count(found[row.tab].lines + row.lines, found[row.tab].amounts + amounts)
    return found


async def listed(
    db: AsyncConnection, tenant_id: UUID, day: date, chosen: Chosen, *, tab: Tab = "send", page: int = 1
) -> list[dict[str, Any]]:
    """The lines of a tab, the largest overdue amounts first. Settle the accounts before."""
    return await _read(db, tab, tenant_id, day, _ids(tab, tenant_id, day, chosen), page=page)


async def one(db: AsyncConnection, tenant_id: UUID, day: date, tab: Tab, identity: UUID) -> dict[str, Any] | None:
    """One line of a tab by its id, whatever its page or the filters; None when it is not there."""
    ids = _ids(tab, tenant_id, day, Chosen(), identity)
    return next(iter(await _read(db, tab, tenant_id, day, ids)), None)


def _line(told: dict[str, Any]) -> dict[str, Any]:
    currency = told["currency"]
    late = Money(int(told["overdue"]), currency) if currency else None
    total = Money(int(told["total"]), currency) if currency else None
    return told | {"late": late, "owes": total}


async def proposed(db: AsyncConnection, tenant_id: UUID, chosen: Chosen, most: int) -> list[UUID]:
    """The notices of the `send` tab that match, formal ones never among them."""
    table, conditions, _ = base("send", tenant_id, date.max)
    debtor = model.debtor
    of_payer = and_(debtor.c.tenant_id == table.c.tenant_id, debtor.c.debtor_id == table.c.payer_id)
    asked = select(table.c.notice_id).select_from(table.outerjoin(debtor, of_payer))
    ordered = asked.where(*conditions, *_narrowed(table, chosen)).order_by(table.c.notice_id).limit(most)
    return [identity for (identity,) in await db.execute(ordered)]
