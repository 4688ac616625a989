"""What a run-in is made of: people's decisions about the notices of a step, and the days of the ramp.

The rule it protects: a day's row is locked before anything is handed over or permitted within its bound, so that two
sweeps and two permits together never pass it.
"""

from collections.abc import Collection, Mapping
from datetime import date
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Select, Update, and_, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import adding, columns, given
from services.scheduler.policy import GAPPED
from services.scheduler.running_in import LOOKS_BACK, Ramp, Record, Said
from services.scheduler.store.cases import Pair
from services.scheduler.tables import bounded_day, earned_step, notice, ramp_notice

Key = tuple[UUID, UUID, str]
"""Tenant, entity, step."""
Day = tuple[UUID, UUID, date]
Bound = tuple[UUID, UUID, str, date]
"""A day of an entity on which so many notices may be said at most: of its `ramp`, or late ones that are `spread`."""
RAMP, SPREAD = "ramp", "spread"
ASKING = (*sorted(GAPPED), "pre_due", "acknowledge")


async def earned(db: AsyncConnection, entities: Collection[Pair]) -> set[Key]:
    """The steps of these entities that need no person any more."""
    if not entities:
        return set()
    rows = await db.execute(_earned(), columns(_keys(("tenant_id", "entity_id"), entities)))
    return {(row.tenant_id, row.entity_id, row.step_key) for row in rows}


async def earn(db: AsyncConnection, keys: Collection[Key], on: date) -> None:
    """These steps have earned it; they keep it."""
    if keys:
        rows = [{**row, "earned_on": on} for row in _keys(("tenant_id", "entity_id", "step_key"), keys)]
        await db.execute(adding(earned_step, tuple(rows[0])), columns(rows))


async def records(db: AsyncConnection, keys: Collection[Key]) -> dict[Key, Record]:
    """How people decided about the notices of these steps."""
    if not keys:
        return {}
    rows = await db.execute(_records(), columns(_keys(("tenant_id", "entity_id", "step_key"), keys)))
    return {(row.tenant_id, row.entity_id, row.step_key): Record(row.approved, row.decided, row.marred) for row in rows}


async def ramps(db: AsyncConnection, entities: Collection[Pair]) -> dict[Pair, Ramp]:
    """(tenant, entity) → the last day of its ramp, for those that had one."""
    if not entities:
        return {}
    rows = await db.execute(_ramps(), columns(_keys(("tenant_id", "entity_id"), entities)))
    return {(row.tenant_id, row.entity_id): Ramp(row.day, row.cap, row.released) for row in rows}


async def said_on(db: AsyncConnection, days: Collection[Day]) -> dict[Day, Said]:
    """What became of the notices of these days."""
    if not days:
        return {}
    rows = await db.execute(_said(), columns(_keys(("tenant_id", "entity_id", "said_on"), days)))
    return {(row.tenant_id, row.entity_id, row.said_on): Said(row.sent, row.bounced, row.uncertain) for row in rows}


async def lock_days(db: AsyncConnection, caps: Mapping[Bound, int]) -> dict[Bound, int]:
    """Open these days with their bounds if they are new, lock them, and say how much room each has now."""
    rows = [{**row, "cap": caps[key]} for row, key in zip(_keys(_DAY, caps), sorted(caps), strict=True)]
    await db.execute(adding(bounded_day, tuple(rows[0])), columns(rows))
    found = await db.execute(_locking(), columns(_keys(_DAY, caps)))
    return {tuple(getattr(row, name) for name in _DAY): max(row.cap - row.released, 0) for row in found}


async def caught_up(db: AsyncConnection, days: Collection[Day]) -> dict[Pair, int]:
    """(tenant, entity) → late notices that were handed over on its day."""
    if not days:
        return {}
    asked = [(tenant, entity, SPREAD, day) for tenant, entity, day in days]
    rows = await db.execute(_bounded(), columns(_keys(_DAY, asked)))
    return {(row.tenant_id, row.entity_id): row.released for row in rows}


async def handed_over(db: AsyncConnection, counts: Mapping[Bound, int]) -> None:
    """So many notices were handed over on these days, which are locked."""
    if counts:
        rows = [{**row, "released": counts[key]} for row, key in zip(_keys(_DAY, counts), sorted(counts), strict=True)]
        await db.execute(_counting(), columns(rows))


async def leaves(db: AsyncConnection, on: Day, reminder: UUID, cap: int) -> bool:
    """Whether this notice may leave within the bound of a day that is locked; asked twice it counts once."""
    tenant, entity, day = on
    mine = (ramp_notice.c.tenant_id == tenant, ramp_notice.c.entity_id == entity, ramp_notice.c.day == day)
    known = select(ramp_notice.c.reminder_id).where(*mine, ramp_notice.c.reminder_id == reminder)
    if await db.scalar(known) is not None:
        return True
    if int(await db.scalar(select(func.count()).select_from(ramp_notice).where(*mine)) or 0) >= cap:
        return False
    row = {"tenant_id": tenant, "entity_id": entity, "day": day, "reminder_id": reminder}
    await db.execute(adding(ramp_notice, tuple(row)), columns([row]))
    return True


_DAY = ("tenant_id", "entity_id", "bound", "day")


def _keys(names: tuple[str, ...], keys: Collection[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [dict(zip(names, key, strict=True)) for key in sorted(keys)]


@cache
def _earned() -> Select[Any]:
    asked = given(earned_step, ("tenant_id", "entity_id"))
    mine = and_(earned_step.c.tenant_id == asked.c.tenant_id, earned_step.c.entity_id == asked.c.entity_id)
    return select(earned_step).join(asked, mine)


@cache
def _records() -> Select[Any]:
    asked = given(notice, ("tenant_id", "entity_id", "step_key"))
    mine = and_(
        notice.c.tenant_id == asked.c.tenant_id,
        notice.c.entity_id == asked.c.entity_id,
        notice.c.step_key == asked.c.step_key,
    )
    last = (
        select(notice.c.approved, or_(notice.c.edited, notice.c.rejected).label("marred"))
        .where(mine, or_(notice.c.approved, notice.c.rejected))
        .order_by(notice.c.said_on.desc(), notice.c.notice_id.desc())
        .limit(LOOKS_BACK)
        .correlate(asked)
        .lateral("last")
    )
    return (
        select(
            *asked.c,
            func.count().filter(last.c.approved).label("approved"),
            func.count().label("decided"),
            func.count().filter(last.c.marred).label("marred"),
        )
        .select_from(asked.join(last, true()))
        .group_by(*asked.c)
    )


@cache
def _ramps() -> Select[Any]:
    asked = given(bounded_day, ("tenant_id", "entity_id"))
    mine = and_(bounded_day.c.tenant_id == asked.c.tenant_id, bounded_day.c.entity_id == asked.c.entity_id)
    ramp = select(bounded_day).where(mine, bounded_day.c.bound == RAMP)
    last = ramp.order_by(bounded_day.c.day.desc()).limit(1).correlate(asked).lateral("last")
    return select(last).select_from(asked.join(last, true()))


@cache
def _said() -> Select[Any]:
    asked = given(notice, ("tenant_id", "entity_id", "said_on"))
    names = ("tenant_id", "entity_id", "said_on")
    mine = and_(*(notice.c[name] == asked.c[name] for name in names), notice.c.kind.in_(ASKING))
    left = or_(notice.c.sent, notice.c.uncertain, notice.c.bounced)
    return (
        select(
            *(asked.c[name] for name in names),
            func.count().label("sent"),
            func.count().filter(notice.c.bounced).label("bounced"),
            func.count().filter(and_(notice.c.uncertain, ~notice.c.unsent)).label("uncertain"),
        )
        .join(notice, mine)
        .where(left)
        .group_by(*(asked.c[name] for name in names))
    )


@cache
def _bounded() -> Select[Any]:
    asked = given(bounded_day, _DAY)
    mine = and_(*(bounded_day.c[name] == asked.c[name] for name in _DAY))
    return select(bounded_day).join(asked, mine)


@cache
def _locking() -> Executable:
    ordered = _bounded().order_by(*(bounded_day.c[name] for name in _DAY))
    return ordered.with_for_update(of=bounded_day)


@cache
def _counting() -> Update:
    asked = given(bounded_day, (*_DAY, "released"))
    return (
        update(bounded_day)
        .where(*(bounded_day.c[name] == asked.c[name] for name in _DAY))
        .values(released=bounded_day.c.released + asked.c.released)
    )
