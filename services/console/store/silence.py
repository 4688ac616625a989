"""What keeps silent: promises, disputes, holds and exclusions, each as a list with its ages, and those of one payer."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.console.store.ledger import of_payer
from services.console.store.slices import Found, Question
from services.console.tables import read_model as model

PROMISES = ("open", "due", "broken", "kept", "cancelled", "all")
DISPUTES = ("open", "upheld", "rejected", "withdrawn", "all")
HOLDS = ("active", "review_due", "lifted")
HOLD_KINDS = ("any", "manual", "exclusion", "promise", "plan", "dispute", "reply", "recovery", "insolvency")
WHO = ("debtor_id", "name", "external_id", "collector")


def _promises(tenant_id: UUID) -> tuple[Any, Select[Any], list[ColumnElement[bool]]]:
    promise, debtor = model.promise, model.debtor
    both = promise.outerjoin(debtor, of_payer(promise))
    shown = select(promise, *(debtor.c[name] for name in WHO)).select_from(both)
    return both, shown, [promise.c.tenant_id == tenant_id, promise.c.made_version >= 0]


async def promises(db: AsyncConnection, question: Question) -> Found:
    """Promises to pay; `due` are open ones whose day has come."""
    promise, day = model.promise, question.day
    both, shown, mine = _promises(question.tenant_id)
    mine += [*question.chosen.debtors(), *_promise_state(question.picks["state"], day)]
    ways = {
        "customer": func.lower(model.debtor.c.name),
        "amount": promise.c.amount,
        "for": promise.c.promised_for,
        "made": promise.c.made_at,
    }
    rows = await db.execute(question.cut(shown.where(*mine), ways, promise.c.promise_id))
    lines = [_promise(dict(row._mapping), day) for row in rows]
    return await _summed(db, both, mine, lines, promise)


def _promise_state(state: str, day: date) -> list[ColumnElement[bool]]:
    ended = model.promise.c.ended
    if state == "open":
        return [ended.is_(None)]
    if state == "due":
        return [ended.is_(None), model.promise.c.promised_for <= day]
    return [] if state == "all" else [ended == state]


def _promise(told: dict[str, Any], day: date) -> dict[str, Any]:
    late = (day - told["promised_for"]).days
    state = told["ended"] or ("due" if late >= 0 else "open")
    items = len(told["items"] or [])
    return told | {"money": _money(told), "state": state, "late": late if not told["ended"] else None, "about": items}


async def one_promise(db: AsyncConnection, tenant_id: UUID, identity: UUID, day: date) -> dict[str, Any] | None:
    """One promise, as a line of the list."""
    _, shown, mine = _promises(tenant_id)
    row = (await db.execute(shown.where(*mine, model.promise.c.promise_id == identity))).one_or_none()
    return _promise(dict(row._mapping), day) if row else None


async def promises_of(db: AsyncConnection, tenant_id: UUID, payer_id: UUID, day: date) -> list[dict[str, Any]]:
    """The open promises of one payer, the next first."""
    promise = model.promise
    _, shown, mine = _promises(tenant_id)
    asked = shown.where(*mine, promise.c.payer_id == payer_id, promise.c.ended.is_(None))
    rows = await db.execute(asked.order_by(promise.c.promised_for, promise.c.promise_id))
    return [_promise(dict(row._mapping), day) for row in rows]


def _disputes(tenant_id: UUID) -> tuple[Any, Select[Any], list[ColumnElement[bool]]]:
    dispute, debtor, item, invoice, hold = model.dispute, model.debtor, model.item, model.invoice, model.hold
    of_item = and_(item.c.tenant_id == dispute.c.tenant_id, item.c.item_id == dispute.c.item_id)
    of_invoice = and_(invoice.c.tenant_id == item.c.tenant_id, invoice.c.invoice_id == item.c.invoice_id)
    review = (
        select(func.max(hold.c.review_on))
        .where(
            hold.c.tenant_id == dispute.c.tenant_id,
            hold.c.payer_id == dispute.c.payer_id,
            hold.c.scope_id == dispute.c.item_id,
            hold.c.kind == "dispute",
            hold.c.lifted_version < 0,
        )
        .scalar_subquery()
    )
    both = dispute.outerjoin(debtor, of_payer(dispute)).outerjoin(item, of_item).outerjoin(invoice, of_invoice)
    facts = (invoice.c.number, invoice.c.invoice_id, item.c.due_date, review.label("review_on"))
    shown = select(dispute, *(debtor.c[name] for name in WHO), *facts).select_from(both)
    return both, shown, [dispute.c.tenant_id == tenant_id, dispute.c.opened_version >= 0]


async def disputes(db: AsyncConnection, question: Question) -> Found:
    """Disputes, with the invoice they are about and when somebody looks again."""
    dispute = model.dispute
    both, shown, mine = _disputes(question.tenant_id)
    state, why = question.picks["state"], question.picks["reason"]
    mine += question.chosen.debtors()
    if state != "all":
        mine.append(dispute.c.ended.is_(None) if state == "open" else dispute.c.ended == state)
    if why != "any":
        mine.append(dispute.c.reason == why)
    ways = {
        "customer": func.lower(model.debtor.c.name),
        "amount": dispute.c.amount,
        "opened": dispute.c.opened_at,
    }
    rows = await db.execute(question.cut(shown.where(*mine), ways, dispute.c.dispute_id))
    lines = [_dispute(dict(row._mapping), question.day) for row in rows]
    return await _summed(db, both, mine, lines, dispute)


def _dispute(told: dict[str, Any], day: date) -> dict[str, Any]:
    end = told["ended_at"].date() if told["ended_at"] else day
    return told | {
        "money": _money(told),
        "state": told["ended"] or "open",
        "age": max(0, (end - told["opened_at"].date()).days) if told["opened_at"] else None,
    }


async def disputes_of(db: AsyncConnection, tenant_id: UUID, payer_id: UUID, day: date) -> list[dict[str, Any]]:
    """The open disputes of one payer, the oldest first."""
    dispute = model.dispute
    _, shown, mine = _disputes(tenant_id)
    asked = shown.where(*mine, dispute.c.payer_id == payer_id, dispute.c.ended.is_(None))
    rows = await db.execute(asked.order_by(dispute.c.opened_at, dispute.c.dispute_id))
    return [_dispute(dict(row._mapping), day) for row in rows]


def _holds(tenant_id: UUID) -> tuple[Any, Select[Any], list[ColumnElement[bool]]]:
    hold, debtor, item, invoice = model.hold, model.debtor, model.item, model.invoice
    about = func.coalesce(hold.c.payer_id, hold.c.scope_id)
    of_debtor = and_(debtor.c.tenant_id == hold.c.tenant_id, debtor.c.debtor_id == about)
    of_item = and_(item.c.tenant_id == hold.c.tenant_id, item.c.item_id == hold.c.scope_id, hold.c.scope == "item")
    of_invoice = and_(invoice.c.tenant_id == item.c.tenant_id, invoice.c.invoice_id == item.c.invoice_id)
    both = hold.outerjoin(debtor, of_debtor).outerjoin(item, of_item).outerjoin(invoice, of_invoice)
    facts = (invoice.c.number, invoice.c.invoice_id, *(debtor.c[name] for name in WHO))
    return both, select(hold, *facts).select_from(both), [hold.c.tenant_id == tenant_id, hold.c.placed_version >= 0]


async def one_hold(db: AsyncConnection, tenant_id: UUID, identity: UUID, day: date) -> dict[str, Any] | None:
    """One hold, as a line of the list."""
    _, shown, mine = _holds(tenant_id)
    row = (await db.execute(shown.where(*mine, model.hold.c.hold_id == identity))).one_or_none()
    return _hold(dict(row._mapping), day) if row else None


async def holds(db: AsyncConnection, question: Question) -> Found:
    """Holds and exclusions: over a customer, one of their invoices, or more than one customer."""
    hold, debtor = model.hold, model.debtor
    both, shown, mine = _holds(question.tenant_id)
    mine += question.chosen.debtors()
    mine += _hold_state(question.picks["state"], question.day)
    if question.picks["kind"] != "any":
        mine.append(hold.c.kind == question.picks["kind"])
    ways = {
        "customer": func.lower(debtor.c.name),
        "kind": hold.c.kind,
        "placed": hold.c.placed_at,
        "review": hold.c.review_on,
    }
    rows = await db.execute(question.cut(shown.where(*mine), ways, hold.c.hold_id))
    lines = [_hold(dict(row._mapping), question.day) for row in rows]
    count = await db.scalar(select(func.count()).select_from(both).where(*mine))
    return Found(lines, int(count or 0))


def _hold_state(state: str, day: date) -> list[ColumnElement[bool]]:
    hold = model.hold
    if state == "lifted":
        return [hold.c.lifted_version >= 0]
    active = [hold.c.lifted_version < 0]
    return [*active, hold.c.review_on <= day] if state == "review_due" else active


def _hold(told: dict[str, Any], day: date) -> dict[str, Any]:
    lifted = told["lifted_version"] >= 0
    late = (day - told["review_on"]).days if told["review_on"] and not lifted else None
    return told | {
        "money": _money(told) if told["amount"] is not None else None,
        "state": "lifted" if lifted else "review_due" if late is not None and late >= 0 else "active",
        "age": max(0, (day - told["placed_at"].date()).days) if told["placed_at"] else None,
        "late": late,
    }


async def holds_of(db: AsyncConnection, tenant_id: UUID, payer_id: UUID, debtor_id: UUID) -> list[dict[str, Any]]:
    """The holds in force over a customer as a whole, the first review first; those of single invoices are theirs."""
    hold = model.hold
    alive = (hold.c.tenant_id == tenant_id, hold.c.placed_version >= 0, hold.c.lifted_version < 0)
    over = or_(hold.c.payer_id == payer_id, hold.c.scope_id.in_([payer_id, debtor_id]))
    asked = select(hold).where(*alive, over, hold.c.scope != "item").order_by(hold.c.review_on)
    return [dict(row._mapping) for row in await db.execute(asked)]


async def held_items(db: AsyncConnection, tenant_id: UUID, items: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Item → the hold that a person placed over it alone."""
    hold = model.hold
    alive = (hold.c.tenant_id == tenant_id, hold.c.placed_version >= 0, hold.c.lifted_version < 0)
    asked = select(hold).where(*alive, hold.c.scope == "item", hold.c.scope_id.in_(list(items)))
    by_hand = asked.where(hold.c.kind.in_(["manual", "exclusion"]))
    return {row.scope_id: dict(row._mapping) for row in await db.execute(by_hand)}


def _money(told: dict[str, Any]) -> Money | None:
    return Money(told["amount"], told["currency"]) if told["currency"] else None


async def _summed(
    db: AsyncConnection, both: Any, mine: Sequence[ColumnElement[bool]], lines: Sequence[Any], table: Any
) -> Found:
    """The lines with how many match and their sums, one a currency."""
    known = case((table.c.currency.is_(None), 0), else_=table.c.amount)
    asked = select(table.c.currency, func.count(), func.sum(known)).select_from(both).where(*mine)
    rows = list(await db.execute(asked.group_by(table.c.currency)))
    sums = [Money(int(row[2]), row[0]) for row in rows if row[0]]
    return Found(lines, sum(row[1] for row in rows), sorted(sums, key=lambda each: -each.minor))
