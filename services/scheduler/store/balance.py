"""What the balance of a day is counted from: releases, those that others followed, and steps that were kept silent."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CompoundSelect,
    Executable,
    Select,
    Update,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import columns, given
from services.scheduler.store.asking import plain
from services.scheduler.store.cases import Pair
from services.scheduler.store.importing import STEP as IMPORTED
from services.scheduler.tables import earlier_release, item, kept_silent, occurrence

_SILENT = ("tenant_id", "item_id", "cycle", "step_key", "since", "case_id", "entity_id", "tone", "due_on", "reason")
_WHICH = ("tenant_id", "item_id", "cycle", "step_key")
Key = tuple[Any, ...]
Row = dict[str, Any]


# Keeping


async def keep(db: AsyncConnection, cases: Collection[Pair], rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """What is kept silent in these cases now: rows of _SILENT but `since`. What is silent no more ends now."""
    asked = columns([{"tenant_id": tenant, "case_id": case} for tenant, case in sorted(cases)])
    before = {_key(row): row for row in (plain(row) for row in await db.execute(_open(), asked))}
    after = {_key(row): row for row in rows}
    over = [before[key] for key in before if not _same(before[key], after.get(key))]
    fresh = [after[key] for key in after if not _same(after[key], before.get(key))]
    if over:
        await db.execute(_ending(), columns([{n: row[n] for n in (*_WHICH, "since")} for row in over]) | {"now": now})
    if fresh:
        await db.execute(_keeping(), columns([{**row, "since": now} for row in fresh]))


async def released_again(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """These occurrences are about to be released again: how their present release ended stays."""
    await db.execute(_remembering(), columns([{n: row[n] for n in ("tenant_id", "occurrence_id")} for row in rows]))


def _key(row: Mapping[str, Any]) -> Key:
    return tuple(row[name] for name in _WHICH)


def _same(one: Mapping[str, Any], other: Mapping[str, Any] | None) -> bool:
    return other is not None and (one["reason"], one["due_on"]) == (other["reason"], other["due_on"])


@cache
def _open() -> Select[Any]:
    asked = given(kept_silent, ("tenant_id", "case_id"))
    theirs = and_(kept_silent.c.tenant_id == asked.c.tenant_id, kept_silent.c.case_id == asked.c.case_id)
    chosen = (kept_silent.c[name] for name in (*_WHICH, "since", "reason", "due_on"))
    return select(*chosen).join(asked, theirs).where(kept_silent.c.until.is_(None))


@cache
def _ending() -> Update:
    asked = given(kept_silent, (*_WHICH, "since"))
    mine = [kept_silent.c[name] == asked.c[name] for name in (*_WHICH, "since")]
    return update(kept_silent).where(*mine).values(until=bindparam("now", type_=kept_silent.c.since.type))


@cache
def _keeping() -> Executable:
    rows = given(kept_silent, _SILENT)
    told = insert(kept_silent).from_select(list(_SILENT), select(*rows.c))
    changed = {name: told.excluded[name] for name in ("due_on", "reason", "tone")}
    return told.on_conflict_do_update(index_elements=[*_WHICH, "since"], set_={**changed, "until": None})


@cache
def _remembering() -> Executable:
    asked = given(occurrence, ("tenant_id", "occurrence_id"))
    theirs = and_(occurrence.c.tenant_id == asked.c.tenant_id, occurrence.c.occurrence_id == asked.c.occurrence_id)
    names = ("tenant_id", "occurrence_id", "release", "released_at", "state", "reason")
    chosen = select(*(occurrence.c[name] for name in names)).join(asked, theirs)
    return insert(earlier_release).from_select(list(names), chosen).on_conflict_do_nothing()


# Counting


def _day(tenant: UUID, entity: UUID, on: date, start: datetime, end: datetime) -> CompoundSelect[Any]:
    """All that was due on a day, from its three places; `place` says which one counts where two tell of a step."""
    shown = (occurrence.c.item_id, occurrence.c.cycle, occurrence.c.step_key, occurrence.c.tone)
    ours = occurrence.c.reason != IMPORTED
    mine = and_(occurrence.c.tenant_id == tenant, occurrence.c.entity_id == entity, ours)
    told = (occurrence.c.release, occurrence.c.state, occurrence.c.reason)
    now = select(*shown, *told, literal(2).label("place")).where(
        mine, occurrence.c.released_at >= start, occurrence.c.released_at < end
    )
    past = earlier_release
    same = and_(past.c.tenant_id == occurrence.c.tenant_id, past.c.occurrence_id == occurrence.c.occurrence_id)
    before = (
        select(*shown, past.c.release, past.c.state, past.c.reason, literal(1))
        .join(past, same)
        .where(mine, past.c.tenant_id == tenant, past.c.released_at >= start, past.c.released_at < end)
    )
    silent = kept_silent
    due = or_(silent.c.due_on == on, and_(silent.c.due_on < on, silent.c.reason.not_in(("missed", "courtesy_passed"))))
    held = select(
        silent.c.item_id, silent.c.cycle, silent.c.step_key, silent.c.tone, literal(0), literal("held"),
        silent.c.reason, literal(0),
    ).where(
        silent.c.tenant_id == tenant, silent.c.entity_id == entity, due, silent.c.since < end,
        or_(silent.c.until.is_(None), silent.c.until >= end),
    )  # fmt: skip
    return union_all(now, before, held)


def _once(tenant: UUID, entity: UUID, on: date, start: datetime, end: datetime) -> Any:
    """The same, each step of each item once: a release counts before a silence, the last release before others."""
    found = _day(tenant, entity, on, start, end).subquery("due")
    step = (found.c.item_id, found.c.cycle, found.c.step_key)
    ordered = select(found).ext(distinct_on(*step)).order_by(*step, found.c.place.desc(), found.c.release.desc())
    return ordered.subquery("once")


async def counted(  # noqa: PLR0917 - a day of a company between its two midnights
    db: AsyncConnection, tenant: UUID, entity: UUID, on: date, start: datetime, end: datetime
) -> list[tuple[str, str, int]]:
    """(state, reason, count) of what was due on a day; `held` is the state of what was not released."""
    once = _once(tenant, entity, on, start, end)
    asked = select(once.c.state, once.c.reason, func.count()).group_by(once.c.state, once.c.reason)
    return [(state, reason, count) for state, reason, count in await db.execute(asked)]


async def steps(  # noqa: PLR0917 - a page of a day of a company
    db: AsyncConnection, tenant: UUID, entity: UUID, on: date, bounds: tuple[datetime, datetime],
    states: Collection[tuple[str, str]], after: Sequence[Any] | None, limit: int,
) -> list[Row]:  # fmt: skip
    """A page of the steps of a day of one of these (state, reason), with the number of the invoice."""
    once = _once(tenant, entity, on, *bounds)
    place = (once.c.item_id, once.c.cycle, once.c.step_key)
    asked = (
        select(once, item.c.number)
        .join(item, and_(item.c.tenant_id == tenant, item.c.item_id == once.c.item_id))
        .where(tuple_(once.c.state, once.c.reason).in_(sorted(states)))
        .order_by(*place)
        .limit(limit)
    )
    if after is not None:
        asked = asked.where(tuple_(*place) > tuple_(*(literal(value) for value in after)))
    return [plain(row) for row in await db.execute(asked)]
