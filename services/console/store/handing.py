"""What is to be handed on: customers who got a formal notice and still owe what it asked for.

One line a customer and currency: what is left of the items that sent formal notices cover. `ripe` is who has had the
days that a formal notice gives, and a week more.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import Select, Subquery, Uuid, and_, cast, func, literal_column, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.console.store.ledger import of_payer, open_now, owed
from services.console.store.slices import Found, Question
from services.console.tables import read_model as model

STATES = ("all", "ripe")
RIPE = timedelta(days=15)
WHO = ("debtor_id", "name", "external_id", "siren", "collector", "country")


def _asked_for(question: Question) -> Subquery:
    """Items under a formal notice that still owe, each once, with the first day on which it was asked for so."""
    notice, item = model.notice, model.item
    part = func.jsonb_array_elements(notice.c.covers).table_valued("value").render_derived("part")
    covered = cast(literal_column("part.value").op("->>")("item_id"), Uuid)
    of_item = and_(item.c.tenant_id == notice.c.tenant_id, item.c.item_id == covered)
    mine = (notice.c.tenant_id == question.tenant_id, notice.c.kind == "formal_notice", notice.c.sent_at.is_not(None))
    facts = (item.c.tenant_id, item.c.item_id, notice.c.payer_id, notice.c.entity_id, item.c.currency, item.c.due_date)
    first = func.min(notice.c.sent_at).label("sent_at")
    both = notice.join(part, true()).join(item, of_item)
    asked = select(*facts, owed().label("owed"), first).select_from(both).where(*mine, open_now())
    return asked.group_by(*facts, owed()).subquery("asked")


def _lines(question: Question) -> Select[Any]:
    asked, debtor = _asked_for(question), model.debtor
    keys = (asked.c.payer_id, asked.c.entity_id, asked.c.currency, *(debtor.c[name] for name in WHO))
    sums = (
        func.sum(asked.c.owed).label("owed"),
        func.count().label("count"),
        func.min(asked.c.due_date).label("oldest"),
        func.min(asked.c.sent_at).label("sent_at"),
    )
    lines = select(*keys, *sums).select_from(asked.outerjoin(debtor, of_payer(asked))).group_by(*keys)
    lines = lines.where(*question.chosen.debtors())
    if question.picks["state"] == "ripe":
        until = datetime.combine(question.day, time(), UTC) - RIPE
        lines = lines.having(func.min(asked.c.sent_at) < until)
    return lines


async def listed(db: AsyncConnection, question: Question) -> Found:
    """The lines of a page; sums are what all of them owe."""
    lines = _lines(question).subquery("lines")
    ways = {
        "customer": func.lower(lines.c.name),
        "owed": lines.c.owed,
        "oldest": lines.c.oldest,
        "sent": lines.c.sent_at,
    }
    rows = await db.execute(question.cut(select(lines), ways, lines.c.payer_id, lines.c.currency))
    sums = select(lines.c.currency, func.count(), func.sum(lines.c.owed)).group_by(lines.c.currency)
    totals = list(await db.execute(sums))
    found = [_line(dict(row._mapping), question) for row in rows]
    owing = sorted((Money(int(row[2]), row[0]) for row in totals), key=lambda each: -each.minor)
    return Found(found, sum(row[1] for row in totals), owing)


def _line(told: dict[str, Any], question: Question) -> dict[str, Any]:
    late = (question.day - told["oldest"]).days
    return told | {"money": Money(int(told["owed"]), told["currency"]), "late": late}
