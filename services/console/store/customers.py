"""Customers: their list with what they owe, and one customer's file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from libs.common.money import Money
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
    """Customers with what they owe, a line a currency; sums are what all of them owe."""
    tenant_id, day = question.tenant_id, question.day
    items, debtor = open_items(tenant_id).subquery("owing"), model.debtor
    mine = [debtor.c.tenant_id == tenant_id, ~debtor.c.erased, *question.chosen.debtors()]
    total = func.sum(items.c.owed)
    ways = {
        "overdue": overdue(items, day).element,
        "owed": total,
        "oldest": func.min(items.c.due_date),
        "name": func.lower(debtor.c.name),
        "collector": func.lower(debtor.c.collector),
    }
    asked = question.cut(_lines(items, day).where(*mine), ways, debtor.c.debtor_id, items.c.currency)
    count = select(func.count()).select_from(debtor).where(*mine)
    sums = select(items.c.currency, total).select_from(debtor.join(items, of_debtor(items))).where(*mine)
    owed = [Money(int(row[1]), row[0]) for row in await db.execute(sums.group_by(items.c.currency))]
    lines = [_customer(row, day) for row in await db.execute(asked)]
    return Found(lines, int(await db.scalar(count) or 0), sorted(owed, key=lambda sum_: -sum_.minor))


def _lines(items: Any, day: date) -> Select[Any]:
    debtor = model.debtor
    names = ("debtor_id", "name", "external_id", "profile", "collector", "entity_id")
    facts = [debtor.c[name] for name in names]
    sums = (
        func.sum(items.c.owed).label("total"),
        overdue(items, day),
        *buckets(items, day),
        func.count(items.c.item_id).label("items"),
        func.min(items.c.due_date).label("oldest"),
    )
    both = debtor.outerjoin(items, of_debtor(items))
    return select(*facts, items.c.currency, *sums).select_from(both).group_by(*facts, items.c.currency)


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
        row.items,
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


async def collectors(db: AsyncConnection, tenant_id: UUID) -> list[str]:
    """The collectors that debtors name, by name."""
    table = model.debtor
    asked = select(table.c.collector).where(table.c.tenant_id == tenant_id, table.c.collector.is_not(None)).distinct()
    return [name for (name,) in await db.execute(asked.order_by(table.c.collector))]
