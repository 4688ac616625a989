"""What is to be handed on: customers who got a formal notice and still owe what it asked for.

One line a customer and currency: what is left of the items that sent formal notices cover. `ripe` is who has had the
days that a formal notice gives, and a week more.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import Select, Subquery, Uuid, cast, func, literal_column, select, true
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
    facts = [item.c[name] for name in ("tenant_id", "item_id", "currency", "due_date")]
    found = select(*facts, owed().label("owed")).where(item.c.tenant_id == notice.c.tenant_id, open_now())
    # The offset keeps the database from going through all items for what few notices cover.
    one = found.where(item.c.item_id == covered).offset(0).lateral("one")
    mine = (notice.c.tenant_id == question.tenant_id, notice.c.kind == "formal_notice", notice.c.sent_at.is_not(None))
    keys = (*one.c, notice.c.payer_id, notice.c.entity_id)
    first = func.min(notice.c.sent_at).label("sent_at")
    asked = select(*keys, first).select_from(notice.join(part, true()).join(one, true())).where(*mine)
    return asked.group_by(*keys).subquery("asked")


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
