"""Customers: their list with what they owe, and one customer's file."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from libs.common.money import Money
from services.console.projections.kept import AGES
from services.console.store.ledger import BUCKETS, buckets, of_debtor, open_items, overdue, owed, within
from services.console.store.slices import Found, Question
from services.console.tables import read_model as model


@dataclass(frozen=True, slots=True)
class Customer:
    """One line of the list: what the customer owes in one currency, none when nothing is owed."""

    debtor_id: UUID
    name: str | None
    number: str | None
    profile: str | None
    collector: str | None
    entity_id: UUID
    total: Money | None
    overdue: Money | None
    ages: list[Money]
    items: int
    oldest: date | None
    late: int | None
    """Days by which the oldest is overdue; negative while it is not."""


async def listed(db: AsyncConnection, question: Question) -> Found:
    """Customers with what they owe, a line a currency; sums are what all of them owe. Settle the accounts before."""
    debtor, account = model.debtor, model.account
    mine = [debtor.c.tenant_id == question.tenant_id, ~debtor.c.erased, *question.chosen.debtors()]
    rows = list(await db.execute(_one_page(question, mine)))
    count = select(func.count()).select_from(debtor).where(*mine)
    both = debtor.join(account, of_debtor(account))
    sums = select(account.c.currency, func.sum(account.c.total)).select_from(both).where(*mine)
    owed = [Money(int(row[1]), row[0]) for row in await db.execute(sums.group_by(account.c.currency))]
    lines = [_customer(row, question.day) for row in rows]
    return Found(lines, int(await db.scalar(count) or 0), sorted(owed, key=lambda sum_: -sum_.minor))


def _one_page(question: Question, mine: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """The lines of a page: first which, in their order, from as little as that needs; then all about these."""
    debtor, account = model.debtor, model.account
    keys = (account.c.debtor_id, account.c.currency)
    ways = {
        "overdue": func.sum(account.c.total - account.c.b0),
        "owed": func.sum(account.c.total),
        "oldest": func.min(account.c.oldest),
    }
    way = ways.get(question.order, func.min(account.c.oldest)).label("way")
    per = select(*keys, way).where(account.c.tenant_id == question.tenant_id).group_by(*keys).subquery("per")
    by = {
        **dict.fromkeys(ways, per.c.way),
        "name": func.lower(debtor.c.name),
        "collector": func.lower(debtor.c.collector),
    }
    which = select(debtor.c.debtor_id, per.c.currency).where(*mine)
    which = which.select_from(debtor.outerjoin(per, per.c.debtor_id == debtor.c.debtor_id))
    cut = question.cut(which, by, debtor.c.debtor_id, per.c.currency).subquery("ordered")
    place = select(cut, func.row_number().over().label("place")).subquery("cut")
    of_line = (account.c.tenant_id == question.tenant_id, account.c.debtor_id == place.c.debtor_id)
    owes = _whole().where(*of_line, account.c.currency == place.c.currency).lateral("owes")
    facts = [debtor.c[name] for name in ("name", "external_id", "profile", "collector", "entity_id")]
    of_whom = and_(debtor.c.tenant_id == question.tenant_id, debtor.c.debtor_id == place.c.debtor_id)
    both = place.join(debtor, of_whom).outerjoin(owes, true())
    return select(place.c.debtor_id, place.c.currency, *facts, *owes.c).select_from(both).order_by(place.c.place)


def _whole() -> Select[Any]:
    """All that accounts tell, added up."""
    account = model.account
    sums = [func.sum(account.c[name]).label(name) for name in ("total", *AGES, "items")]
    late = func.sum(account.c.total - account.c.b0).label("overdue")
    return select(*sums, late, func.min(account.c.oldest).label("oldest"))


def _customer(row: Any, day: date) -> Customer:
    owes = row.currency is not None
    return Customer(
        row.debtor_id,
        row.name,
        row.external_id,
        row.profile,
        row.collector,
        row.entity_id,
        Money(int(row.total), row.currency) if owes else None,
        Money(int(row.overdue), row.currency) if owes else None,
        [Money(int(getattr(row, f"b{index}")), row.currency) for index in range(BUCKETS)] if owes else [],
        int(row.items or 0),
        row.oldest,
        (day - row.oldest).days if row.oldest else None,
    )


async def one(
    db: AsyncConnection, tenant_id: UUID, debtor_id: UUID, only: Sequence[str] | None = None
) -> dict[str, Any]:
    """A customer's identity and contacts. Raises NotFound, also for one outside what somebody may see."""
    table = model.debtor
    asked = select(table).where(table.c.tenant_id == tenant_id, table.c.debtor_id == debtor_id, within(only))
    found = (await db.execute(asked)).one_or_none()
    if found is None:
        raise NotFound("There is no such customer.")
    return dict(found._mapping)


async def contacts(db: AsyncConnection, tenant_id: UUID, debtor_id: UUID) -> list[dict[str, Any]]:
    """Whom to write to or call at a customer; nobody when the file is not known."""
    table = model.debtor
    asked = select(table.c.contacts).where(table.c.tenant_id == tenant_id, table.c.debtor_id == debtor_id)
    return list(await db.scalar(asked) or [])


async def sums(db: AsyncConnection, tenant_id: UUID, debtor_id: UUID, day: date) -> list[dict[str, Any]]:
    """What one customer owes, by currency: total, overdue and the ages."""
    items = open_items(tenant_id).where(model.item.c.debtor_id == debtor_id).subquery("owing")
    asked = select(
        items.c.currency,
        func.sum(items.c.owed).label("total"),
        overdue(items, day),
        *buckets(items, day),
        func.count().label("items"),
        func.min(items.c.due_date).label("oldest"),
    ).group_by(items.c.currency)
    found = []
    for row in await db.execute(asked.order_by(func.sum(items.c.owed).desc())):
        ages = [Money(int(getattr(row, f"b{index}")), row.currency) for index in range(BUCKETS)]
        total, late = Money(int(row.total), row.currency), Money(int(row.overdue), row.currency)
        found.append({"total": total, "overdue": late, "ages": ages, "items": row.items, "oldest": row.oldest})
    return found


async def paid_for(
    db: AsyncConnection, tenant_id: UUID, payer_id: UUID, day: date, only: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """The other accounts that a customer pays for and what they owe, by currency, most overdue first."""
    debtor, items = model.debtor, open_items(tenant_id).subquery("owing")
    both = debtor.join(items, of_debtor(items))
    total = func.sum(items.c.owed).label("total")
    facts = (debtor.c.debtor_id, debtor.c.name, debtor.c.external_id, items.c.currency)
    asked = select(*facts, total, overdue(items, day), func.count().label("items")).select_from(both).group_by(*facts)
    mine = (
        debtor.c.tenant_id == tenant_id,
        debtor.c.payer_id == payer_id,
        debtor.c.debtor_id != payer_id,
        within(only),
    )
    rows = await db.execute(asked.where(*mine).order_by(overdue(items, day).desc(), debtor.c.debtor_id))
    return [
        dict(row._mapping)
        | {"total": Money(int(row.total), row.currency), "overdue": Money(int(row.overdue), row.currency)}
        for row in rows
    ]


async def open_lines(db: AsyncConnection, tenant_id: UUID, debtor_id: UUID, most: int = 200) -> list[dict[str, Any]]:
    """The items that a customer owes, the oldest first, with their invoice, their last notice and any open dispute."""
    item, invoice, dispute = model.item, model.invoice, model.dispute
    of_invoice = and_(invoice.c.tenant_id == item.c.tenant_id, invoice.c.invoice_id == item.c.invoice_id)
    disputed = (
        select(func.count())
        .where(
            dispute.c.tenant_id == item.c.tenant_id,
            dispute.c.item_id == item.c.item_id,
            dispute.c.opened_version >= 0,
            dispute.c.ended.is_(None),
        )
        .scalar_subquery()
    )
    shown = (item.c.item_id, item.c.invoice_id, item.c.sequence, item.c.issue_date, item.c.due_date, item.c.currency)
    more = (invoice.c.number, invoice.c.order_number, invoice.c.document_id, invoice.c.not_chased, invoice.c.take_over)
    asked = (
        select(*shown, item.c.amount, owed().label("owed"), *more, disputed.label("disputes"))
        .select_from(item.join(invoice, of_invoice))
        .where(item.c.tenant_id == tenant_id, item.c.debtor_id == debtor_id, ~item.c.gone, owed() != 0)
        .order_by(item.c.due_date, invoice.c.number, item.c.sequence)
        .limit(most)
    )
    return [dict(row._mapping) for row in await db.execute(asked)]


async def tones(db: AsyncConnection, tenant_id: UUID, payer_id: UUID) -> dict[str, dict[str, Any]]:
    """Item → its last notice that left: tone, channel and instant."""
    notice = model.notice
    asked = (
        select(notice.c.covers, notice.c.channel, notice.c.sent_at, notice.c.state, notice.c.kind)
        .where(notice.c.tenant_id == tenant_id, notice.c.payer_id == payer_id, notice.c.sent_at.is_not(None))
        .order_by(notice.c.sent_at)
    )
    found: dict[str, dict[str, Any]] = {}
    for row in await db.execute(asked):
        for part in row.covers or []:
            facts = {"tone": part["tone"], "channel": row.channel, "sent_at": row.sent_at, "state": row.state}
            found[part["item_id"]] = facts | {"kind": row.kind}
    return found


async def timeline(
    db: AsyncConnection, tenant_id: UUID, debtor_id: UUID, payer_id: UUID | None, most: int = 60
) -> list[dict[str, Any]]:
    """Everything that happened with a customer, the newest first."""
    activity = model.activity
    about = or_(activity.c.debtor_id == debtor_id, activity.c.payer_id.in_([debtor_id, payer_id or debtor_id]))
    asked = select(activity).where(activity.c.tenant_id == tenant_id, about)
    newest = asked.order_by(activity.c.at.desc(), activity.c.event_id).limit(most)
    return [dict(row._mapping) | {"name": None} for row in await db.execute(newest)]


async def waiting(db: AsyncConnection, tenant_id: UUID, payer_id: UUID) -> dict[str, Any] | None:
    """The notice to this payer that waits for approval now, if any."""
    notice, reminder = model.notice, model.reminder
    both = and_(reminder.c.tenant_id == notice.c.tenant_id, reminder.c.reminder_id == notice.c.reminder_id)
    asked = (
        select(notice.c.notice_id, notice.c.kind, reminder.c.tone, reminder.c.due_at, reminder.c.line_count)
        .select_from(notice.outerjoin(reminder, both))
        .where(notice.c.tenant_id == tenant_id, notice.c.payer_id == payer_id, notice.c.state == "proposed")
        .limit(1)
    )
    found = (await db.execute(asked)).one_or_none()
    return dict(found._mapping) if found else None


async def names(db: AsyncConnection, tenant_id: UUID, debtors: Collection[UUID]) -> dict[UUID, str | None]:
    """Customers' names; None for one that was erased."""
    table = model.debtor
    asked = select(table.c.debtor_id, table.c.name).where(table.c.tenant_id == tenant_id)
    rows = await db.execute(asked.where(table.c.debtor_id.in_(list(debtors))))
    return {row.debtor_id: row.name for row in rows}


async def collectors(db: AsyncConnection, tenant_id: UUID) -> list[str]:
    """The collectors that debtors name, by name; each is the next one of the index, whatever the number of debtors."""
    table = model.debtor
    first = select(func.min(table.c.collector).label("name")).where(table.c.tenant_id == tenant_id)
    known = first.cte("known", recursive=True)
    after = first.where(table.c.collector > known.c.name).correlate(known).scalar_subquery()
    names = known.union_all(select(after).where(known.c.name.is_not(None)))
    found = select(names.c.name).where(names.c.name.is_not(None)).order_by(names.c.name)
    return list(await db.scalars(found))
