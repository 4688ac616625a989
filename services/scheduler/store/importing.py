"""Past reminders of another system: the items that they were about, and what is kept of them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ARRAY, Text, and_, any_, func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import columns, given
from services.scheduler.store.asking import among, plain
from services.scheduler.tables import item, occurrence, payer_case

STEP = "imported"
"""The step of what another system said, and the reason of its end."""
_KEPT = (
    "tenant_id", "occurrence_id", "item_id", "cycle", "step_key", "case_id", "entity_id", "policy_version_id", "kind",
    "tone", "release", "state", "reason", "reminder_id", "channel", "on_date", "released_at", "ended_at",
    "printed_minor", "currency", "invoice_version", "ends",
)  # fmt: skip


class Named(Protocol):
    """What names an invoice or an item."""

    @property
    def number(self) -> str | None: ...
    @property
    def item_id(self) -> UUID | None: ...


async def items(
    db: AsyncConnection, tenant: UUID, entity: UUID, lines: Sequence[Named]
) -> dict[UUID | str, list[dict[str, Any]]]:
    """Item id, or invoice number → its items at a company, with the case and party of who pays."""
    numbers = sorted({line.number for line in lines if line.number is not None})
    named = {line.item_id for line in lines if line.item_id is not None}
    mine = and_(payer_case.c.tenant_id == item.c.tenant_id, payer_case.c.case_id == item.c.case_id)
    names = ("item_id", "invoice_id", "number", "entity_id", "case_id", "issue_date", "due_date", "amount_minor",
             "currency", "invoice_version", "cycles")  # fmt: skip
    told = or_(item.c.number == any_(literal(numbers, ARRAY(Text))), among(item.c.item_id, named))
    asked = (
        select(*(item.c[name] for name in names), payer_case.c.party_id)
        .join(payer_case, mine)
        .where(item.c.tenant_id == tenant, item.c.entity_id == entity, told, item.c.invoice_version > 0)
        .order_by(item.c.item_id)
    )
    found: dict[UUID | str, list[dict[str, Any]]] = defaultdict(list)
    for row in await db.execute(asked):
        found[row.number].append(plain(row))
        found[row.item_id].append(plain(row))
    return found


async def told(db: AsyncConnection, tenant: UUID, occurrences: Collection[UUID]) -> dict[UUID, Mapping[str, Any]]:
    """Occurrence id → what is kept of it, for those that were told before."""
    if not occurrences:
        return {}
    chosen = select(occurrence.c.occurrence_id, occurrence.c.ends).where(
        occurrence.c.tenant_id == tenant, among(occurrence.c.occurrence_id, occurrences)
    )
    return {row.occurrence_id: plain(row) for row in await db.execute(chosen)}


async def keep(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep these occurrences; of one that is known only that it came back is new."""
    asked = given(occurrence, _KEPT)
    adding = insert(occurrence).from_select(list(_KEPT), select(*asked.c))
    fresh = {"state": adding.excluded.state, "ends": adding.excluded.ends.concat(occurrence.c.ends)}
    back = and_(adding.excluded.state == "bounced", occurrence.c.state != "bounced")
    keeping = adding.on_conflict_do_update(index_elements=["tenant_id", "occurrence_id"], set_=fresh, where=back)
    await db.execute(keeping, columns([{name: row[name] for name in _KEPT} for row in rows]))


async def past(  # noqa: PLR0917 - a period of a company
    db: AsyncConnection, tenant: UUID, entity: UUID, first: date, last: date, limit: int
) -> list[dict[str, Any]]:
    """Imported reminders of a period that did not come back: item_id, number, on_date, tone, kind."""
    mine = and_(item.c.tenant_id == occurrence.c.tenant_id, item.c.item_id == occurrence.c.item_id)
    asked = (
        select(*(occurrence.c[name] for name in ("item_id", "on_date", "tone", "kind")), item.c.number)
        .join(item, mine)
        .where(occurrence.c.tenant_id == tenant, occurrence.c.entity_id == entity, occurrence.c.reason == STEP)
        .where(occurrence.c.state == "completed", occurrence.c.on_date >= first, occurrence.c.on_date <= last)
        .limit(limit)
    )
    return [plain(row) for row in await db.execute(asked)]


async def count(db: AsyncConnection, tenant: UUID, entity: UUID) -> int:
    """How many past reminders of a company are kept."""
    asked = select(func.count()).where(
        occurrence.c.tenant_id == tenant, occurrence.c.entity_id == entity, occurrence.c.reason == STEP
    )
    return int(await db.scalar(asked) or 0)
