"""What the auditor counts, as rows: what left since it counted last, and what it found before.

The rule it protects: one process counts at a time; what was found is counted again each time until it is gone.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CompoundSelect, Select, Uuid, and_, delete, func, insert, literal, select, union
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.tables import NOBODY
from services.scheduler.policy import GAPPED
from services.scheduler.store.asking import plain
from services.scheduler.tables import audit_mark, notice, occurrence, said_twice

Row = dict[str, Any]


async def alone(db: AsyncConnection) -> bool:
    """Whether no other process audits until this transaction ends."""
    lock = func.pg_try_advisory_xact_lock(func.hashtext("relance.scheduler.audit"))
    return bool(await db.scalar(select(lock)))


async def mark(db: AsyncConnection) -> Row | None:
    """How far was counted and when everything was; None before the first time."""
    row = (await db.execute(select(audit_mark))).one_or_none()
    return None if row is None else plain(row)


async def keep(db: AsyncConnection, found: Sequence[Row], now: datetime, all_at: datetime) -> None:
    """What is said twice now, in place of what was, and how far was counted."""
    await db.execute(delete(said_twice))
    if found:
        await db.execute(insert(said_twice), found)
    facts = {"counted_to": now, "all_counted_at": all_at}
    marking = upsert(audit_mark).values(tenant_id=NOBODY, **facts)
    await db.execute(marking.on_conflict_do_update(index_elements=["tenant_id"], set_=facts))


async def kept(db: AsyncConnection) -> int:
    """How many were found when it was counted last."""
    return int(await db.scalar(select(func.count()).select_from(said_twice)) or 0)


async def released_more_than_once(
    db: AsyncConnection, tenant: UUID | None = None, left_since: datetime | None = None
) -> list[Any]:
    """The occurrences that had more than one release, with all that was told of them.

    `left_since` asks for the cases that a notice left to since then, and those where a step was found.
    """
    names = ("tenant_id", "occurrence_id", "case_id", "ends")
    asked = select(*(occurrence.c[name] for name in names)).where(occurrence.c.release > 1)
    if tenant is not None:
        asked = asked.where(occurrence.c.tenant_id == tenant)
    if left_since is not None:
        at = _places(notice.c.case_id, "step", left_since).subquery("at")
        asked = asked.join(at, and_(at.c.tenant_id == occurrence.c.tenant_id, at.c.place_id == occurrence.c.case_id))
    return list(await db.execute(asked))


async def noticed_twice(
    db: AsyncConnection, since: date, tenant: UUID | None = None, left_since: datetime | None = None
) -> list[Any]:
    """Reminders since a day of which more than one notice left and did not come back, each with its party.

    `left_since` asks for the parties that a notice left to since then, and those where a reminder was found.
    """
    party = func.array_agg(notice.c.party_id, type_=ARRAY(Uuid))[1].label("party_id")
    asked: Select[Any] = (
        select(notice.c.tenant_id, notice.c.reminder_id, party)
        .where(notice.c.sent, ~notice.c.bounced, notice.c.kind.in_(sorted(GAPPED)), notice.c.said_on >= since)
        .group_by(notice.c.tenant_id, notice.c.reminder_id)
        .having(func.count() > 1)
    )
    if tenant is not None:
        asked = asked.where(notice.c.tenant_id == tenant)
    if left_since is not None:
        at = _places(notice.c.party_id, "reminder", left_since).subquery("at")
        asked = asked.join(at, and_(at.c.tenant_id == notice.c.tenant_id, at.c.place_id == notice.c.party_id))
    return list(await db.execute(asked))


def _places(place: Any, kind: str, since: datetime) -> CompoundSelect[Any]:
    """(tenant, case or party) of what left since, and of what was found before; each once."""
    new = select(notice.c.tenant_id, place.label("place_id")).where(notice.c.sent_at >= since)
    old = select(said_twice.c.tenant_id, said_twice.c.place_id).where(said_twice.c.kind == literal(kind))
    return union(new, old)
