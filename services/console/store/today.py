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
from services.console.store.ledger import PAGE, Chosen, owed
from services.console.tables import read_model as model

Tab = Literal["send", "formal", "calls", "promises", "replies", "blocked"]
TABS: tuple[Tab, ...] = ("send", "formal", "calls", "promises", "replies", "blocked")


@dataclass(frozen=True, slots=True)
class Count:
    """How many a tab holds, and how much in its first currency."""

    lines: int
    amount: Money | None


def _case_owed(tenant_id: UUID, day: date) -> Any:
    """What each payer owes, overdue, and since when, by currency; the largest currency stands for the line."""
    item = model.item
    late = func.coalesce(func.sum(owed()).filter(item.c.due_date < day), 0).label("overdue")
    alive = and_(item.c.tenant_id == tenant_id, ~item.c.gone, owed() != 0, item.c.due_date.is_not(None))
    per = select(item.c.payer_id, item.c.currency, late, func.min(item.c.due_date).label("oldest"))
    summed = per.add_columns(func.count().label("item_count"), func.sum(owed()).label("total"))
    grouped = summed.where(alive).group_by(item.c.payer_id, item.c.currency).subquery("per_currency")
    first = select(grouped).ext(distinct_on(grouped.c.payer_id)).order_by(grouped.c.payer_id, grouped.c.total.desc())
    return first.subquery("case_owed")


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


def _asked(tab: Tab, tenant_id: UUID, day: date, chosen: Chosen) -> tuple[Select[Any], Any]:
    """The lines of a tab without their order, and the subquery of what their payers owe."""
    table, conditions, named = _base(tab, tenant_id, day)
    debtor, owes = model.debtor, _case_owed(tenant_id, day)
    of_payer = and_(debtor.c.tenant_id == table.c.tenant_id, debtor.c.debtor_id == table.c.payer_id)
    both = table.outerjoin(debtor, of_payer).outerjoin(owes, owes.c.payer_id == table.c.payer_id)
    facts = [table.c.payer_id, table.c.entity_id, *(column.label(name) for name, column in named.items())]
    whom = [debtor.c.name, debtor.c.external_id, debtor.c.profile, debtor.c.collector]
    what = [owes.c.currency, owes.c.overdue, owes.c.total, owes.c.oldest, owes.c.item_count]
    return select(*facts, *whom, *what).select_from(both).where(*conditions, *_narrowed(table, chosen)), owes


async def counts(db: AsyncConnection, tenant_id: UUID, day: date, chosen: Chosen) -> Mapping[Tab, Count]:
    """What each tab holds."""
    parts = []
    for tab in TABS:
        lines = _asked(tab, tenant_id, day, chosen)[0].subquery()
        parts.append(
            select(
                literal(tab, Text).label("tab"),
                func.count().label("lines"),
                func.max(lines.c.currency).label("currency"),
                func.coalesce(func.sum(lines.c.overdue), 0).label("amount"),
            )
        )
    found: dict[Tab, Count] = {}
    for row in await db.execute(union_all(*parts)):
        amount = Money(int(row.amount), row.currency) if row.currency else None
        found[row.tab] = Count(row.lines, amount)
    return found


async def listed(
    db: AsyncConnection, tenant_id: UUID, day: date, chosen: Chosen, *, tab: Tab = "send", page: int = 1
) -> list[dict[str, Any]]:
    """The lines of a tab, the largest overdue amounts first."""
    asked, owes = _asked(tab, tenant_id, day, chosen)
    ordered = asked.order_by(owes.c.overdue.desc().nulls_last(), "id").limit(PAGE).offset((page - 1) * PAGE)
    return [_line(dict(row._mapping)) for row in await db.execute(ordered)]


async def one(db: AsyncConnection, tenant_id: UUID, day: date, tab: Tab, identity: UUID) -> dict[str, Any] | None:
    """One line of a tab by its id, whatever its page or the filters; None when it is not there."""
    asked, _ = _asked(tab, tenant_id, day, Chosen())
    lines = asked.subquery()
    row = (await db.execute(select(lines).where(lines.c.id == identity))).one_or_none()
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
