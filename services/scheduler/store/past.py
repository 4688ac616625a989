"""Questions about an instant that has passed: items, notices and payers as their rows and the log tell of it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import columns, given
from services.scheduler.store import told
from services.scheduler.store.asking import plain
from services.scheduler.store.cases import Pair
from services.scheduler.store.evidence import counted_kinds
from services.scheduler.store.facts import ITEM, joined
from services.scheduler.tables import item, notice, payer_case

ITEM_THEN = (*ITEM, "told_at", "cancelled_at", "take_over_at", "settled_by", "thanks_at")
ITEM_TOLD = ("due_date", "amount_minor", "currency", "not_chased", "take_over")
"""What a later version of an invoice may say otherwise of an instalment."""


async def items_of_cases(db: AsyncConnection, cases: Collection[Pair]) -> list[Any]:
    """Every item of these cases, open or not."""
    asked = columns([{"tenant_id": tenant, "case_id": each} for tenant, each in sorted(cases)])
    return list((await db.execute(joined(item, ITEM_THEN, "case_id"), asked)).all())


async def items(db: AsyncConnection, pairs: Collection[Pair]) -> list[Any]:
    """These items."""
    if not pairs:
        return []
    asked = columns([{"tenant_id": tenant, "item_id": each} for tenant, each in sorted(pairs)])
    return list((await db.execute(joined(item, ITEM_THEN, "item_id"), asked)).all())


async def overridden(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Before these versions of items are written: keep what they say, and what the kept ones said until then."""
    names = ("tenant_id", "item_id")
    asked = given(item, names)
    mine = and_(*(item.c[name] == asked.c[name] for name in names))
    wanted = (*names, "invoice_version", "told_at", *ITEM_TOLD)
    first = item.c.told_at.is_not(None)
    known = select(*(item.c[name] for name in wanted)).join(asked, mine).where(item.c.invoice_version > 0, first)
    before = await db.execute(known, columns([{name: row[name] for name in names} for row in rows]))
    await told.keep(db, [_item_fact(plain(row)) for row in before], again=False)
    await told.keep(db, [_item_fact(row) for row in rows])


def _item_fact(row: Mapping[str, Any]) -> dict[str, Any]:
    kept, each = {name: row[name] for name in ITEM_TOLD}, row["item_id"]
    return told.fact("item", row["tenant_id"], each, each, row["invoice_version"], row["told_at"], kept)


async def payers_of(db: AsyncConnection, groups: Collection[Pair]) -> dict[Pair, UUID]:
    """(tenant, payer) → its group, of the payers of these (tenant, group)."""
    if not groups:
        return {}
    asked = columns([{"tenant_id": tenant, "group_id": each} for tenant, each in sorted(groups)])
    rows = await db.execute(joined(payer_case, ("tenant_id", "payer_id", "group_id"), "group_id"), asked)
    return {(row.tenant_id, row.payer_id): row.group_id for row in rows}


async def said(db: AsyncConnection, parties: Collection[Pair], since: date, at: datetime) -> list[Any]:
    """The notices to these parties since a day that had left, or may have, and had not come back at an instant."""
    names = ("tenant_id", "party_id", "said_on", "reminder_id", "kind", "sent_at", "uncertain_at", "bounced_at")
    asked = columns([{"tenant_id": tenant, "party_id": each} for tenant, each in sorted(parties)])
    lately = notice.c.said_on >= bindparam("since", type_=notice.c.said_on.type)
    rows = await db.execute(joined(notice, names, "party_id").where(lately), {**asked, "since": since})
    return [row for row in rows if row.kind in counted_kinds() and _left(row, at) and not _back(row, at)]


def _left(row: Any, at: datetime) -> bool:
    return any(each is not None and each <= at for each in (row.sent_at, row.uncertain_at))


def _back(row: Any, at: datetime) -> bool:
    return row.bounced_at is not None and row.bounced_at <= at


async def companions(db: AsyncConnection, parties: Collection[Pair]) -> dict[Pair, int]:
    """(tenant, party) → how many cases it has."""
    asked = columns([{"tenant_id": tenant, "party_id": each} for tenant, each in sorted(parties)])
    found: dict[Pair, int] = defaultdict(int)
    for row in await db.execute(joined(payer_case, ("tenant_id", "party_id", "case_id"), "party_id"), asked):
        found[row.tenant_id, row.party_id] += 1
    return found
