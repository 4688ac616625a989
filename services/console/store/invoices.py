"""Invoices: their list, and one invoice with its items and what was done about it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, exists, false, func, literal, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from libs.common.money import Money
from services.console.projections.kept import NOTHING
from services.console.store.ledger import Chosen, named, numbered, owed, within
from services.console.store.slices import Found, Question
from services.console.tables import read_model as model


async def listed(db: AsyncConnection, question: Question) -> Found:
    """Invoices by state; sums are what those that match owe. Settle the accounts, and for other states the sales."""
    inside = question.picks["state"] in ("open", "overdue")
    chosen, count = (_open_ones(question), _owing(question)) if inside else (_others(question), _counted(question))
    cut = chosen.subquery("cut")
    invoice, debtor, owing = model.invoice, model.debtor, model.owing
    of_line = and_(invoice.c.tenant_id == question.tenant_id, invoice.c.invoice_id == cut.c.invoice_id)
    of_debtor = and_(debtor.c.tenant_id == invoice.c.tenant_id, debtor.c.debtor_id == invoice.c.debtor_id)
    of_owing = and_(owing.c.tenant_id == invoice.c.tenant_id, owing.c.invoice_id == invoice.c.invoice_id)
    names = ("invoice_id", "number", "issue_date", "currency", "payable", "debtor_id", "document_id", "cancelled")
    facts = [invoice.c[name] for name in (*names, "take_over", "not_chased", "order_number")]
    both = cut.join(invoice, of_line).outerjoin(debtor, of_debtor).outerjoin(owing, of_owing)
    shown = select(*facts, owing.c.due_date, owing.c.owed, debtor.c.name, debtor.c.external_id).select_from(both)
    lines = [_line(row, question.day) for row in await db.execute(shown.order_by(cut.c.place))]
    totals = list(await db.execute(count))
    left = [Money(int(row[2] or 0), row[0]) for row in totals if row[0] is not None]
    return Found(lines, sum(int(row[1] or 0) for row in totals), sorted(left, key=lambda m: -m.minor))


def _open_ones(question: Question) -> Select[Any]:
    """The ids of those that owe, in order; cut before anything is looked up about them."""
    invoice, debtor, owing = model.invoice, model.debtor, _sought(model.owing, question)
    both = _joined(owing, question)
    ways: dict[str, ColumnElement[Any]] = {"due": owing.c.due_date, "left": owing.c.owed, "issued": owing.c.issue_date}
    if question.order in ("number", "amount"):
        both = both.join(invoice, _of_invoice(owing))
        ways |= {"number": invoice.c.number_key, "amount": invoice.c.payable}
    elif question.order == "customer" and both is owing:
        both = owing.join(debtor, _of(owing))
    ways["customer"] = func.lower(debtor.c.name)
    asked = select(owing.c.invoice_id).select_from(both).where(*_mine(owing, question))
    return _placed(question, asked, ways, owing.c.invoice_id)


def _of(table: Any) -> ColumnElement[bool]:
    debtor = model.debtor
    return and_(debtor.c.tenant_id == table.c.tenant_id, debtor.c.debtor_id == table.c.debtor_id)


def _joined(table: Any, question: Question) -> Any:
    """With its debtors where they narrow."""
    narrowed = replace(question.chosen, entity=None, words="").debtors()
    return table.join(model.debtor, _of(table)) if narrowed else table


def _mine(table: Any, question: Question) -> list[ColumnElement[bool]]:
    chosen, day = question.chosen, question.day
    found = [table.c.tenant_id == question.tenant_id, *replace(chosen, entity=None, words="").debtors()]
    if chosen.entity is not None:
        found.append(table.c.entity_id == chosen.entity)
    if question.picks["state"] == "overdue":
        found.append(table.c.due_date < day)
    return found


def _sought(table: Any, question: Question) -> Any:
    """The table; where words are looked for, its rows of customers whose name holds them, and the other ones with a
    number that begins with them: each found by an index of its own."""
    words, tenant_id = question.chosen.words, question.tenant_id
    if not words:
        return table
    invoice, debtor = model.invoice, model.debtor
    mine = table.c.tenant_id == tenant_id
    whose = select(debtor.c.debtor_id).where(debtor.c.tenant_id == tenant_id, named(words))
    theirs = select(table).where(mine, table.c.debtor_id.in_(whose))
    both = table if table is invoice else table.join(invoice, _of_invoice(table))
    others = select(table).select_from(both.outerjoin(debtor, _of(table)))
    others = others.where(mine, invoice.c.tenant_id == tenant_id, numbered(words))
    return union_all(theirs, others.where(~func.coalesce(named(words), false()))).subquery(f"sought_{table.name}")


def _of_invoice(table: Any) -> ColumnElement[bool]:
    invoice = model.invoice
    return and_(invoice.c.tenant_id == table.c.tenant_id, invoice.c.invoice_id == table.c.invoice_id)


def _placed(question: Question, asked: Select[Any], ways: Mapping[str, Any], last: Any) -> Select[Any]:
    cut = question.cut(asked, ways, last, told=question.order != "customer").subquery("ordered")
    return select(cut.c.invoice_id, func.row_number().over().label("place"))


def _owing(question: Question) -> Select[Any]:
    """How many owe and how much, by currency: from the accounts, except where numbers are looked for."""
    account, owing = model.account, _sought(model.owing, question)
    late = question.picks["state"] == "overdue"
    if question.chosen.words:
        asked = select(owing.c.currency, func.count(), func.sum(owing.c.owed)).select_from(_joined(owing, question))
        return asked.where(*_mine(owing, question)).group_by(owing.c.currency)
    count, sum_ = (account.c.late_invoices, account.c.late_whole) if late else (account.c.invoices, account.c.total)
    plain = replace(question, picks={"state": "open"})
    asked = select(account.c.currency, func.sum(count), func.sum(sum_)).select_from(_joined(account, question))
    return asked.where(*_mine(account, plain), count > 0).group_by(account.c.currency)


def _others(question: Question) -> Select[Any]:
    """The ids of those that are paid or cancelled, or of all; by their date of issue where they owe nothing."""
    invoice, debtor = _sought(model.invoice, question), model.debtor
    both = _joined(invoice, question)
    if question.order == "customer" and both is invoice:
        both = invoice.join(debtor, _of(invoice))
    ways = {
        "number": invoice.c.number_key,
        "customer": func.lower(debtor.c.name),
        "amount": invoice.c.payable,
        **dict.fromkeys(("issued", "due", "left"), invoice.c.issue_date),
    }
    asked = select(invoice.c.invoice_id).select_from(both).where(*_mine(invoice, question), *_state(invoice, question))
    return _placed(question, asked, ways, invoice.c.invoice_id)


def _state(invoice: Any, question: Question) -> list[ColumnElement[bool]]:
    owing, state = model.owing, question.picks["state"]
    told = invoice.c.issue_date.is_not(None)
    if state == "cancelled":
        return [told, invoice.c.cancelled]
    if state == "all":
        return [told]
    mine = (owing.c.tenant_id == invoice.c.tenant_id, owing.c.invoice_id == invoice.c.invoice_id)
    return [told, ~invoice.c.cancelled, ~exists().where(*mine)]


def _counted(question: Question) -> Select[Any]:
    """How many there are, by currency, and what they owe."""
    sale, account, state = model.sale, model.account, question.picks["state"]
    chosen, tenant_id = question.chosen, question.tenant_id
    if replace(chosen, entity=None) != Chosen():
        invoice = _sought(model.invoice, question)
        asked = select(invoice.c.currency, func.count(), literal(0)).select_from(_joined(invoice, question))
        return asked.where(*_mine(invoice, question), *_state(invoice, question)).group_by(invoice.c.currency)
    mine = [sale.c.tenant_id == tenant_id, sale.c.currency != NOTHING]
    owes = [account.c.tenant_id == tenant_id, account.c.currency == sale.c.currency]
    if chosen.entity is not None:
        mine.append(sale.c.entity_id == chosen.entity)
        owes.append(account.c.entity_id == chosen.entity)
    still = func.coalesce(select(func.sum(account.c.invoices)).where(*owes).scalar_subquery(), 0)
    left = func.coalesce(select(func.sum(account.c.total)).where(*owes).scalar_subquery(), 0)
    all_, void = func.sum(sale.c.invoices), func.sum(sale.c.cancelled)
    count = {"all": all_, "cancelled": void, "paid": all_ - void - still}[state]
    owed = left if state == "all" else literal(0)
    return select(sale.c.currency, count, owed).where(*mine).group_by(sale.c.currency)


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
    named = and_(activity.c.facts.has_key("invoice_id"), activity.c.facts["invoice_id"].astext == str(invoice_id))
    about = or_(activity.c.subject_id == invoice_id, named)
    asked = select(activity).where(activity.c.tenant_id == tenant_id, about)
    newest = asked.order_by(activity.c.at.desc(), activity.c.event_id).limit(60)
    return [dict(row._mapping) | {"name": None} for row in await db.execute(newest)]
