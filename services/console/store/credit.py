"""Who pays and what they owe, a line a payer and currency: what credit control looks at.

Limits, blocks and what is to a payer's credit are the scheduler's; here is only whom a page is about, in which order.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.console.store.ledger import of_payer
from services.console.store.slices import Found, Question
from services.console.tables import read_model as model

WHO = ("name", "external_id", "collector")


def _lines(question: Question, payers: Collection[UUID] | None) -> Select[Any]:
    """Payers by currency with their sums, which are added up before anybody is named."""
    account, debtor = model.account, model.debtor
    keys = (account.c.tenant_id, account.c.payer_id, account.c.currency)
    sums = (func.sum(account.c.total).label("owed"), func.sum(account.c.total - account.c.b0).label("late"))
    per = select(*keys, *sums).where(account.c.tenant_id == question.tenant_id).group_by(*keys)
    per = per if payers is None else per.where(account.c.payer_id.in_(list(payers)))
    owes = per.subquery("owes")
    facts = (owes.c.payer_id, owes.c.currency, *(debtor.c[name] for name in WHO), owes.c.owed, owes.c.late)
    return select(*facts).select_from(owes.join(debtor, of_payer(owes))).where(*question.chosen.debtors())


async def listed(db: AsyncConnection, question: Question, payers: Collection[UUID] | None = None) -> Found:
    """The lines of a page, of these payers only if they are named; sums are what all of them owe. Settle the accounts
    before."""
    lines = _lines(question, payers).subquery("lines")
    ways = {"customer": func.lower(lines.c.name), "exposure": lines.c.owed, "overdue": lines.c.late}
    rows = await db.execute(question.cut(select(lines), ways, lines.c.payer_id, lines.c.currency))
    summed = select(lines.c.currency, func.count(), func.sum(lines.c.owed)).group_by(lines.c.currency)
    totals = list(await db.execute(summed))
    owing = sorted((Money(int(row[2]), row[0]) for row in totals), key=lambda each: -each.minor)
    return Found([_line(row) for row in rows], sum(row[1] for row in totals), owing)


def _line(row: Any) -> dict[str, Any]:
    money = {"exposure": Money(int(row.owed), row.currency), "overdue": Money(int(row.late), row.currency)}
    return dict(row._mapping) | money
