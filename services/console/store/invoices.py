"""Invoices: their list, and one invoice with its items and what was done about it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from libs.common.money import Money
from services.console.store.ledger import Chosen, owed, within
from services.console.store.slices import Found, Question
from services.console.tables import read_model as model


async def listed(db: AsyncConnection, question: Question) -> Found:
    """Invoices by state; sums are what those that match owe."""
    tenant_id, state = question.tenant_id, question.picks["state"]
    invoice, debtor = model.invoice, model.debtor
    due = _dues(tenant_id)
    of_item = and_(due.c.invoice_id == invoice.c.invoice_id)
    of_debtor = and_(debtor.c.tenant_id == invoice.c.tenant_id, debtor.c.debtor_id == invoice.c.debtor_id)
    inside = state in ("open", "overdue")
    both = invoice.join(due, of_item, isouter=not inside).outerjoin(debtor, of_debtor)
    mine = [invoice.c.tenant_id == tenant_id, *_state(due, question.day, state), *_narrowed(question.chosen)]
    names = ("invoice_id", "number", "issue_date", "currency", "payable", "debtor_id", "document_id", "cancelled")
    facts = [invoice.c[name] for name in (*names, "take_over", "not_chased", "order_number")]
    shown = select(*facts, due.c.due_date, due.c.owed, debtor.c.name, debtor.c.external_id).select_from(both)
    ways = {
        "number": func.lower(invoice.c.number),
        "customer": func.lower(debtor.c.name),
        "issued": invoice.c.issue_date,
        "due": due.c.due_date,
        "amount": invoice.c.payable,
        "left": due.c.owed,
    }
    rows = await db.execute(question.cut(shown.where(*mine), ways, invoice.c.invoice_id))
    sums = select(invoice.c.currency, func.count(), func.coalesce(func.sum(due.c.owed), 0)).select_from(both)
    totals = list(await db.execute(sums.where(*mine).group_by(invoice.c.currency)))
    left = [Money(int(row[2]), row[0]) for row in totals if row[0] is not None]
    lines = [_line(row, question.day) for row in rows]
    return Found(lines, sum(row[1] for row in totals), sorted(left, key=lambda m: -m.minor))


def _dues(tenant_id: UUID) -> Any:
    """Of each invoice that owes: its earliest open due date and what it owes."""
    item = model.item
    alive = and_(item.c.tenant_id == tenant_id, ~item.c.gone, owed() != 0, item.c.due_date.is_not(None))
    summed = select(item.c.invoice_id, func.min(item.c.due_date).label("due_date"), func.sum(owed()).label("owed"))
    return summed.where(alive).group_by(item.c.invoice_id).subquery("due")


def _state(due: Any, day: date, state: str) -> list[ColumnElement[bool]]:
    invoice = model.invoice
    if state == "overdue":
        return [due.c.due_date < day]
    if state == "paid":
        return [due.c.owed.is_(None), ~invoice.c.cancelled]
    if state == "cancelled":
        return [invoice.c.cancelled]
    return []


def _narrowed(chosen: Chosen) -> list[ColumnElement[bool]]:
    invoice = model.invoice
    narrowed = replace(chosen, entity=None, words="").debtors()
    if chosen.entity is not None:
        narrowed.append(invoice.c.entity_id == chosen.entity)
    if chosen.words:
        plain = chosen.words.strip().lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        by_debtor = Chosen(words=chosen.words).debtors()
        narrowed.append(or_(func.lower(invoice.c.number).like(plain + "%"), *by_debtor))
    return narrowed


def _line(row: Any, day: date) -> dict[str, Any]:
    told = dict(row._mapping)
    currency, due = told["currency"], told["due_date"]
    told["late"] = (day - due).days if due else None
    told["state"] = _told_state(told)
    if currency is None:
        return told | {"amount": None, "left": None}
    left = Money(int(told["owed"]), currency) if told["owed"] is not None else Money.zero(currency)
    return told | {"amount": Money(told["payable"], currency), "left": left}


def _told_state(told: dict[str, Any]) -> str:
    if told["cancelled"]:
        return "cancelled"
    if told["owed"] is None:
        return "paid"
    return "overdue" if told["late"] > 0 else "open"


async def one(
    db: AsyncConnection, tenant_id: UUID, invoice_id: UUID, only: Sequence[str] | None = None
) -> dict[str, Any]:
    """One invoice with its debtor's name. Raises NotFound, also for one outside what somebody may see."""
    invoice, debtor = model.invoice, model.debtor
    of_debtor = and_(debtor.c.tenant_id == invoice.c.tenant_id, debtor.c.debtor_id == invoice.c.debtor_id)
    asked = select(invoice, debtor.c.name, debtor.c.external_id).select_from(invoice.outerjoin(debtor, of_debtor))
    mine = (invoice.c.tenant_id == tenant_id, invoice.c.invoice_id == invoice_id, within(only))
    found = (await db.execute(asked.where(*mine))).one_or_none()
    if found is None:
        raise NotFound("There is no such invoice.")
    return dict(found._mapping)


async def items(db: AsyncConnection, tenant_id: UUID, invoice_id: UUID) -> list[dict[str, Any]]:
    """The instalments of an invoice, with what each owes."""
    item = model.item
    mine = (item.c.tenant_id == tenant_id, item.c.invoice_id == invoice_id, item.c.due_date.is_not(None))
    left = case((item.c.gone, 0), else_=owed()).label("owed")
    asked = select(item, left).where(*mine).order_by(item.c.sequence)
    return [dict(row._mapping) for row in await db.execute(asked)]


async def of_item(db: AsyncConnection, tenant_id: UUID, item_id: UUID) -> UUID | None:
    """The invoice that an item is an instalment of."""
    item = model.item
    asked = select(item.c.invoice_id).where(item.c.tenant_id == tenant_id, item.c.item_id == item_id)
    found: UUID | None = await db.scalar(asked)
    return found


async def of_notice(db: AsyncConnection, tenant_id: UUID, notice_id: UUID) -> dict[str, Any] | None:
    """The first item that a notice covers, and when it was told of last."""
    notice = model.notice
    asked = select(notice.c.covers, notice.c.told_at).where(notice.c.tenant_id == tenant_id)
    row = (await db.execute(asked.where(notice.c.notice_id == notice_id))).one_or_none()
    return {"item_id": row.covers[0]["item_id"], "told_at": row.told_at} if row and row.covers else None


async def timeline(db: AsyncConnection, tenant_id: UUID, invoice_id: UUID) -> list[dict[str, Any]]:
    """What was told of this invoice and its payments, the newest first."""
    activity = model.activity
    about = or_(activity.c.subject_id == invoice_id, activity.c.facts["invoice_id"].astext == str(invoice_id))
    asked = select(activity).where(activity.c.tenant_id == tenant_id, about)
    newest = asked.order_by(activity.c.at.desc(), activity.c.event_id).limit(60)
    return [dict(row._mapping) | {"name": None} for row in await db.execute(newest)]
