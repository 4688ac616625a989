"""What payers did in the last six months, as their profiles are computed from it; nothing of it is kept twice."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import Select, and_, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.events.debtors import PayerProfile
from libs.common.sets import columns, given
from services.scheduler.profiling import Paid, Profile, profile, since
from services.scheduler.store.cases import Pair
from services.scheduler.tables import item


async def of_cases(db: AsyncConnection, asked: Mapping[Pair, tuple[PayerProfile, date]]) -> dict[Pair, Profile]:
    """(tenant, case) → the profile of its payer; `asked` says what the file tells, and the day of the profile."""
    if not asked:
        return {}
    first = since(min(day for _, day in asked.values()))
    rows = columns([{"tenant_id": tenant, "case_id": case} for tenant, case in sorted(asked)])
    found: dict[Pair, list[Paid]] = defaultdict(list)
    for row in await db.execute(_behaviour(), {**rows, "since": first}):
        _, day = asked[row.tenant_id, row.case_id]
        paid = row.settled_on is not None and not row.open and row.settled_on <= day
        found[row.tenant_id, row.case_id].append(Paid(row.due_date, row.settled_on if paid else None))
    return {key: profile(found[key], told, day) for key, (told, day) in asked.items()}


@cache
def _behaviour() -> Select[Any]:
    asked = given(item, ("tenant_id", "case_id"))
    theirs = and_(item.c.tenant_id == asked.c.tenant_id, item.c.case_id == asked.c.case_id)
    paid = and_(item.c.settled_by == "payment", item.c.settled_on > bindparam("since", type_=item.c.settled_on.type))
    chosen = (item.c.tenant_id, item.c.case_id, item.c.due_date, item.c.settled_on, item.c.open)
    return select(*chosen).join(asked, theirs).where(item.c.due_date.is_not(None), or_(item.c.open, paid))
