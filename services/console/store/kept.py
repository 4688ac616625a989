"""Working out what is kept: what each invoice owes, what each customer owes by age, what was sold on each day.

One at a time a tenant, under a lock that ends with the transaction: marks are taken away first, then what they name is
counted in a statement that sees everything that was committed with them. Ages change by themselves as days pass, so an
account says until which day its figures stand.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Date, Select, Uuid, and_, case, delete, exists, func, literal, or_, select, union
from sqlalchemy import cast as as_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.console.projections.kept import AGES, NOTHING
from services.console.projections.tables import ReadModel
from services.console.store import coming
from services.console.store.coming import NOBODY
from services.console.store.ledger import EDGES, ends
from services.console.tables import read_model

MOST = 2_000
"""Invoices and accounts that are worked out in one go."""
EVER = date(9999, 12, 31)


def _ids(values: Sequence[UUID]) -> Any:
    return func.any(as_(list(values), ARRAY(Uuid)))


async def behind(db: AsyncConnection, tenant_id: UUID, day: date, *, sales: bool = False) -> bool:
    """Whether something kept is older than what was heard, or than the day."""
    mark, account, sale = read_model.mark, read_model.account, read_model.sale
    parts = [
        select(mark.c.tenant_id).where(mark.c.tenant_id == tenant_id),
        select(account.c.tenant_id).where(account.c.tenant_id == tenant_id, account.c.stands_until < day),
        select(account.c.tenant_id).where(account.c.tenant_id == tenant_id, account.c.counted_on > day),
    ]
    if sales:
        parts.append(select(sale.c.tenant_id).where(sale.c.tenant_id == tenant_id, ~sale.c.fresh))
    return bool(await db.scalar(select(or_(*(exists(part) for part in parts)))))


async def settle(
    db: AsyncConnection, tenant_id: UUID, day: date, model: ReadModel = read_model, *, sales: bool = False
) -> bool:
    """Work out up to MOST invoices and accounts, and the sales if they are wanted; True when more may be left."""
    await lock(db, tenant_id)
    heard = await _taken(db, model, tenant_id)
    if heard:
        whose = await _whose(db, model, tenant_id, heard)
        await _owing(db, model, tenant_id, heard)
        await _sales_of(db, model, tenant_id, heard)
        await _accounts(db, model, tenant_id, whose, day)
    aged = await _aged(db, model, tenant_id, day)
    if aged:
        await _accounts(db, model, tenant_id, aged, day)
    if sales:
        await _sell(db, model, tenant_id)
    return len(heard) >= MOST or len(aged) >= MOST


async def lock(db: AsyncConnection, tenant_id: UUID) -> None:
    """One at a time works out what is kept of a tenant."""
    await db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"kept:{tenant_id}", 0))))


async def _taken(db: AsyncConnection, model: ReadModel, tenant_id: UUID) -> list[UUID]:
    """Take some marks away. They are named by their ids: joined, a table that has grown since its statistics were taken
    would be gone through once for each of them. They are locked as they are read: who only read would be let in by a
    rebuild that waits for every reader to leave, and wait for it in turn."""
    mark = model.mark
    asked = select(mark.c.invoice_id, mark.c.event_id).where(mark.c.tenant_id == tenant_id).limit(MOST)
    asked = asked.with_for_update()
    some = list(await db.execute(asked))
    named = and_(mark.c.invoice_id == _ids([row[0] for row in some]), mark.c.event_id == _ids([row[1] for row in some]))
    taken = await db.scalars(delete(mark).where(mark.c.tenant_id == tenant_id, named).returning(mark.c.invoice_id))
    return sorted(set(taken))


async def _whose(db: AsyncConnection, model: ReadModel, tenant_id: UUID, invoices: Sequence[UUID]) -> list[UUID]:
    """Whose accounts these invoices are in, and were in until now."""
    item, owing = model.item, model.owing
    now = select(item.c.debtor_id).where(
        item.c.tenant_id == tenant_id, item.c.invoice_id == _ids(invoices), item.c.debtor_id.is_not(None)
    )
    until = select(owing.c.debtor_id).where(owing.c.tenant_id == tenant_id, owing.c.invoice_id == _ids(invoices))
    return sorted(await db.scalars(union(now, until)))


def _open(model: ReadModel) -> tuple[Any, Any]:
    """The condition that an item owes, and how much."""
    item = model.item
    owed = func.coalesce(item.c.residual, item.c.amount)
    return and_(~item.c.gone, owed != 0, item.c.due_date.is_not(None)), owed


async def _owing(db: AsyncConnection, model: ReadModel, tenant_id: UUID, invoices: Sequence[UUID]) -> None:
    owing, item = model.owing, model.item
    await coming.count(db, model, tenant_id, invoices, -1)
    await db.execute(delete(owing).where(owing.c.tenant_id == tenant_id, owing.c.invoice_id == _ids(invoices)))
    asked = _per_invoice(model).where(item.c.tenant_id == tenant_id, item.c.invoice_id == _ids(invoices))
    await db.execute(insert(owing).from_select(_OWING, asked))
    await coming.count(db, model, tenant_id, invoices, 1)


_OWING = ["tenant_id", "invoice_id", "entity_id", "debtor_id", "currency", "issue_date", "due_date", "owed", "parts"]


def _per_invoice(model: ReadModel) -> Select[Any]:
    item = model.item
    alive, owed = _open(model)
    same = (item.c.entity_id, item.c.debtor_id, item.c.currency, item.c.issue_date)
    facts = [func.any_value(each) for each in same]  # an invoice's items agree on them
    per = select(item.c.tenant_id, item.c.invoice_id, *facts, func.min(item.c.due_date), func.sum(owed), func.count())
    return per.where(alive).group_by(item.c.tenant_id, item.c.invoice_id)


async def _accounts(db: AsyncConnection, model: ReadModel, tenant_id: UUID, debtors: Sequence[UUID], day: date) -> None:
    account, item = model.account, model.item
    await db.execute(delete(account).where(account.c.tenant_id == tenant_id, account.c.debtor_id == _ids(debtors)))
    asked = _per_account(model, day).where(item.c.tenant_id == tenant_id, item.c.debtor_id == _ids(debtors))
    await db.execute(insert(account).from_select(_ACCOUNT, asked))


_ACCOUNT = ["tenant_id", "debtor_id", "payer_id", "entity_id", "currency", "total", *AGES, "late_whole", "items"]
_ACCOUNT += ["late_items", "invoices", "late_invoices", "oldest", "counted_on", "stands_until"]


def _per_account(model: ReadModel, day: date) -> Select[Any]:
    item, owing = model.item, model.owing
    alive, owed = _open(model)
    payer = func.coalesce(item.c.payer_id, item.c.debtor_id)
    keys = (item.c.tenant_id, item.c.debtor_id, payer, item.c.entity_id, item.c.currency)
    late, first_late = item.c.due_date < day, owing.c.due_date < day
    none = literal(0)
    sums = (
        func.sum(owed),
        *(func.coalesce(func.sum(owed).filter(age), none) for age in ends(item, day)),
        func.coalesce(func.sum(owed).filter(first_late), none),
    )
    counts = (func.count(), func.count().filter(late))
    invoices = func.count(item.c.invoice_id.distinct())
    apart = (invoices, invoices.filter(first_late))
    until = func.coalesce(func.min(_stands(item.c.due_date, day)), as_(EVER, Date))
    of_invoice = and_(owing.c.tenant_id == item.c.tenant_id, owing.c.invoice_id == item.c.invoice_id)
    asked = select(*keys, *sums, *counts, *apart, func.min(item.c.due_date), as_(day, Date), until)
    return asked.select_from(item.join(owing, of_invoice)).where(alive).group_by(*keys)


def _stands(due: Any, day: date) -> Any:
    """The last day on which an item still has the age that it has on `day`; nothing when it ages no more."""
    return case(*((due >= day - timedelta(days=edge), due + literal(edge)) for edge in EDGES), else_=None)


async def _aged(db: AsyncConnection, model: ReadModel, tenant_id: UUID, day: date) -> list[UUID]:
    """Whose accounts stand for this day no more, or not yet."""
    account = model.account
    past = or_(account.c.stands_until < day, account.c.counted_on > day)
    found = await db.scalars(
        select(account.c.debtor_id).where(account.c.tenant_id == tenant_id, past).distinct().limit(MOST)
    )
    return sorted(found)


async def _sales_of(db: AsyncConnection, model: ReadModel, tenant_id: UUID, invoices: Sequence[UUID]) -> None:
    """The days on which these invoices were issued, in any version, are to be added up anew."""
    told = model.telling
    days = select(told.c.issue_date).distinct()
    mine = (told.c.tenant_id == tenant_id, told.c.invoice_id == _ids(invoices), told.c.issue_date.is_not(None))
    await _stale(db, model, days.where(*mine).subquery("days"), tenant_id)


async def _stale(db: AsyncConnection, model: ReadModel, days: Any, tenant_id: Any) -> None:
    sale = model.sale
    whose = days.c.tenant_id if tenant_id is None else literal(tenant_id, Uuid)
    none = [literal(0)] * 3
    row = select(whose, days.c.issue_date, literal(NOBODY, Uuid), literal(NOTHING), *none, literal(False))
    adding = insert(sale).from_select([column.name for column in sale.columns], row)
    keys = [column.name for column in sale.primary_key]
    await db.execute(adding.on_conflict_do_update(index_elements=keys, set_={"fresh": False}))


async def _sell(db: AsyncConnection, model: ReadModel, tenant_id: UUID) -> None:
    sale, invoice = model.sale, model.invoice
    days = list(await db.scalars(select(sale.c.day).where(sale.c.tenant_id == tenant_id, ~sale.c.fresh)))
    if not days:
        return
    these = func.any(as_(days, ARRAY(Date)))
    await db.execute(delete(sale).where(sale.c.tenant_id == tenant_id, sale.c.day == these))
    keys = (invoice.c.tenant_id, invoice.c.issue_date, invoice.c.entity_id, invoice.c.currency)
    void = invoice.c.cancelled
    sums = (func.coalesce(func.sum(invoice.c.payable).filter(~void), 0), func.count(), func.count().filter(void))
    per = select(*keys, *sums, literal(True)).where(
        invoice.c.tenant_id == tenant_id, invoice.c.issue_date == these, invoice.c.currency.is_not(None)
    )
    names = [column.name for column in sale.columns]
    await db.execute(insert(sale).from_select(names, per.group_by(*keys)))
    nothing = {"tenant_id": tenant_id, "entity_id": NOBODY, "currency": NOTHING, "sold": 0, "invoices": 0}
    await db.execute(insert(sale), [nothing | {"day": day, "cancelled": 0, "fresh": True} for day in days])


async def settle_all(db: AsyncConnection, model: ReadModel, day: date) -> None:
    """Work out everything of all tenants, in tables that nobody else reads yet."""
    for table in (model.mark, model.owing, model.account, model.sale, model.habit, model.coming):
        await db.execute(delete(table))
    await db.execute(insert(model.owing).from_select(_OWING, _per_invoice(model)))
    await db.execute(insert(model.account).from_select(_ACCOUNT, _per_account(model, day)))
    told = model.telling
    days = select(told.c.tenant_id, told.c.issue_date).where(told.c.issue_date.is_not(None)).distinct()
    await _stale(db, model, days.subquery("days"), None)


async def marked(db: AsyncConnection, model: ReadModel = read_model) -> list[UUID]:
    """The tenants of whom something is to be worked out, some of them when they are many."""
    return list(await db.scalars(select(model.mark.c.tenant_id).distinct().limit(100)))


async def outlived(db: AsyncConnection, day: date) -> list[UUID]:
    """The tenants who have accounts that stand for this day no more."""
    account = read_model.account
    return list(await db.scalars(select(account.c.tenant_id).where(account.c.stands_until < day).distinct()))
