"""Today: what a collector has to do now. The count of a tab and the length of its list come from one condition."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, and_, func, literal, select, union_all
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.console.store.ledger import PAGE, Chosen
from services.console.tables import read_model as model

Tab = Literal["send", "formal", "calls", "promises", "replies", "blocked"]
TABS: tuple[Tab, ...] = ("send", "formal", "calls", "promises", "replies", "blocked")


@dataclass(frozen=True, slots=True)
class Count:
    """How many a tab holds, and how much in its first currency."""

    lines: int
    amount: Money | None


def _case_owed(tenant_id: UUID, payers: Any = None) -> Any:
    """What each payer owes, overdue, and since when; the largest currency stands for the line. Of some, or of all."""
    account = model.account
    mine = [account.c.tenant_id == tenant_id]
    if payers is not None:
        mine.append(account.c.payer_id.in_(payers))
    late = func.sum(account.c.total - account.c.b0).label("overdue")
    sums = (late, func.min(account.c.oldest).label("oldest"), func.sum(account.c["items"]).label("item_count"))
    per = select(account.c.payer_id, account.c.currency, *sums, func.sum(account.c.total).label("total"))
    grouped = per.where(*mine).group_by(account.c.payer_id, account.c.currency).subquery("per_currency")
    first = select(grouped).ext(distinct_on(grouped.c.payer_id)).order_by(grouped.c.payer_id, grouped.c.total.desc())
    return first.cte("case_owed")


def _base(tab: Tab, tenant_id: UUID, day: date) -> tuple[Any, list[ColumnElement[bool]], dict[str, Any]]:
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


def _asked(tab: Tab, tenant_id: UUID, day: date, chosen: Chosen, identity: UUID | None = None) -> Select[Any]:
    """The lines of a tab, or one of them."""
    table, conditions, named = _base(tab, tenant_id, day)
    if identity is not None:
        conditions.append(named["id"] == identity)
    debtor = model.debtor
    payers = select(table.c.payer_id).where(*conditions) if identity is not None else None
    owes = _case_owed(tenant_id, payers)
    of_payer = and_(debtor.c.tenant_id == table.c.tenant_id, debtor.c.debtor_id == table.c.payer_id)
    both = table.outerjoin(debtor, of_payer).outerjoin(owes, owes.c.payer_id == table.c.payer_id)
    facts = [table.c.payer_id, table.c.entity_id, *(column.label(name) for name, column in named.items())]
    whom = [debtor.c.name, debtor.c.external_id, debtor.c.profile, debtor.c.collector]
    what = [owes.c.currency, owes.c.overdue, owes.c.total, owes.c.oldest, owes.c.item_count]
    asked = select(*facts, *whom, *what).select_from(both).where(*conditions, *_narrowed(table, chosen))
    return asked.order_by(owes.c.overdue.desc().nulls_last(), "id")


async def counts(db: AsyncConnection, tenant_id: UUID, day: date, chosen: Chosen) -> Mapping[Tab, Count]:
    """What each tab holds. Settle the accounts before."""
    debtor, parts = model.debtor, []
    narrowed = bool(replace(chosen, entity=None).debtors())
    for tab in TABS:
        table, conditions, _ = _base(tab, tenant_id, day)
        of_payer = and_(debtor.c.tenant_id == table.c.tenant_id, debtor.c.debtor_id == table.c.payer_id)
        both = table.outerjoin(debtor, of_payer) if narrowed else table
        of_tab = select(literal(tab, Text).label("tab"), table.c.payer_id).select_from(both)
        parts.append(of_tab.where(*conditions, *_narrowed(table, chosen)))
    lines, owes = union_all(*parts).subquery("lines"), _case_owed(tenant_id)
    late = func.coalesce(func.sum(owes.c.overdue), 0).label("amount")
    summed = select(lines.c.tab, func.count().label("lines"), func.max(owes.c.currency).label("currency"), late)
    asked = summed.select_from(lines.outerjoin(owes, owes.c.payer_id == lines.c.payer_id)).group_by(lines.c.tab)
    found: dict[Tab, Count] = dict.fromkeys(TABS, Count(0, None))
    for row in await db.execute(asked):
        amount = Money(int(row.amount), row.currency) if row.currency else None
        found[row.tab] = Count(row.lines, amount)
    return found


async def listed(
    db: AsyncConnection, tenant_id: UUID, day: date, chosen: Chosen, *, tab: Tab = "send", page: int = 1
) -> list[dict[str, Any]]:
    """The lines of a tab, the largest overdue amounts first. Settle the accounts before."""
    rows = await db.execute(_asked(tab, tenant_id, day, chosen).limit(PAGE).offset((page - 1) * PAGE))
    return [_line(dict(row._mapping)) for row in rows]


async def one(db: AsyncConnection, tenant_id: UUID, day: date, tab: Tab, identity: UUID) -> dict[str, Any] | None:
    """One line of a tab by its id, whatever its page or the filters; None when it is not there."""
    row = (await db.execute(_asked(tab, tenant_id, day, Chosen(), identity))).one_or_none()
    return _line(dict(row._mapping)) if row else None


def _line(told: dict[str, Any]) -> dict[str, Any]:
    currency = told["currency"]
    late = Money(int(told["overdue"]), currency) if currency else None
    total = Money(int(told["total"]), currency) if currency else None
    return told | {"late": late, "owes": total}


async def proposed(db: AsyncConnection, tenant_id: UUID, chosen: Chosen, most: int) -> list[UUID]:
    """The notices of the `send` tab that match, formal ones never among them."""
    table, conditions, _ = _base("send", tenant_id, date.max)
    debtor = model.debtor
    of_payer = and_(debtor.c.tenant_id == table.c.tenant_id, debtor.c.debtor_id == table.c.payer_id)
    asked = select(table.c.notice_id).select_from(table.outerjoin(debtor, of_payer))
    ordered = asked.where(*conditions, *_narrowed(table, chosen)).order_by(table.c.notice_id).limit(most)
    return [identity for (identity,) in await db.execute(ordered)]
