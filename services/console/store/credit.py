"""Who pays and what they owe, a line a payer and currency: what credit control looks at.

Limits and blocks are the scheduler's; here is whom a page is about, what they would cost if they paid nothing more,
and in which order they stand. A line is ordered and summed by the very amount that it shows.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, Select, and_, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.console.store.crediting import by_payer
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
    owes, has = per.subquery("owes"), by_payer(question.tenant_id)
    theirs = and_(has.c.payer_id == owes.c.payer_id, has.c.currency == owes.c.currency)
    exposed = func.greatest(owes.c.owed - func.coalesce(has.c.left, 0), 0).label("exposed")
    facts = (owes.c.payer_id, owes.c.currency, *(debtor.c[name] for name in WHO), exposed, owes.c.late)
    both = owes.join(debtor, of_payer(owes)).outerjoin(has, theirs)
    return select(*facts).select_from(both).where(*question.chosen.debtors())


async def listed(db: AsyncConnection, question: Question, payers: Collection[UUID] | None = None) -> Found:
    """The lines of a page, of these payers only if they are named; sums are the exposure of all of them. What is owed
    is added up once for both. Settle the accounts before."""
    lines = _lines(question, payers).cte("lines")
    ways = {"customer": func.lower(lines.c.name), "exposure": lines.c.exposed, "overdue": lines.c.late}
    sums = _sums(lines)
    asked = question.cut(select(lines, sums.label("sums")), ways, lines.c.payer_id, lines.c.currency)
    rows = list(await db.execute(asked))
    totals = rows[0].sums if rows else await db.scalar(select(sums)) or {}
    owing = sorted((Money(whole, currency) for currency, (_, whole) in totals.items()), key=lambda each: -each.minor)
    return Found([_line(row) for row in rows], sum(count for count, _ in totals.values()), owing)


def _sums(lines: CTE) -> Any:
    """Currency → how many lines, and their exposure."""
    sums = (func.count().label("lines"), func.sum(lines.c.exposed).label("whole"))
    per = select(lines.c.currency, *sums).group_by(lines.c.currency).subquery("per")
    both = func.jsonb_build_array(per.c.lines, per.c.whole)
    return select(func.jsonb_object_agg(per.c.currency, both, type_=JSONB)).scalar_subquery()


def _line(row: Any) -> dict[str, Any]:
    money = {"exposure": Money(int(row.exposed), row.currency), "overdue": Money(int(row.late), row.currency)}
    return {name: value for name, value in row._mapping.items() if name != "sums"} | money
