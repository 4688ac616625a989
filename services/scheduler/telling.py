"""Decisions told to people: one case, one item at an instant, the plan of a day. Nothing here changes anything."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from services.scheduler.calendar import Calendar
from services.scheduler.case import Reason
from services.scheduler.explain import Explanation, explain
from services.scheduler.gathering import gather
from services.scheduler.planner import Decision
from services.scheduler.situation import Situation, look
from services.scheduler.store import cases, facts, items
from services.scheduler.store.policies import Policies


async def of_item(
    db: AsyncConnection, tenant: UUID, item_id: UUID, policies: Policies, *, now: datetime, at: datetime
) -> tuple[Explanation, Situation, Decision]:
    """Why, why not and what next for one item at an instant: as it was known then, or as it will be if nothing changes.

    Raises NotFound.
    """
    rows = [row for row in await items.of_ids(db, tenant, [item_id]) if row["case_id"] is not None]
    if not rows:
        raise NotFound(f"There is no item {item_id}.")
    case = await cases.one(db, tenant, rows[0]["case_id"])
    if case is None:
        raise NotFound(f"There is no item {item_id}.")
    situation = (await gather(db, [case], policies, now, as_of=at, also=[(tenant, item_id)]))[0]
    decision = look(situation, at)
    mine = next(found for found in situation.case.items if found.item_id == item_id)
    told = explain(mine, situation.case, decision)
    if at < now:
        caveats = await _against_the_record(db, rows[0], told, situation, at)
        situation = replace(situation, caveats=tuple(caveats))
    return told, situation, decision


async def _against_the_record(
    db: AsyncConnection, row: Mapping[str, Any], told: Explanation, situation: Situation, at: datetime
) -> list[Reason]:
    """Where an explanation of the past differs from what was done: it says so."""
    if row["told_at"] is not None and row["told_at"] > at:
        return [Reason("unknown_then")]
    known = list(situation.caveats)
    if not told.now:
        return known
    today = situation.calendar.today(at)
    marks = await facts.marks(db, [(row["tenant_id"], row["item_id"])])
    released = any(mark.released_at >= at and situation.calendar.today(mark.released_at) == today for mark in marks)
    return known if released else [*known, Reason("not_released_then", {"step": told.next_step})]


async def of_cases(
    db: AsyncConnection, rows: Sequence[dict[str, Any]], policies: Policies, now: datetime
) -> list[tuple[Situation, Decision]]:
    """The decision about each of these cases, as it would be now."""
    return [(situation, look(situation, now)) for situation in await gather(db, rows, policies, now)]


async def of_day(
    db: AsyncConnection, rows: Sequence[dict[str, Any]], policies: Policies, now: datetime, day: date
) -> list[tuple[Situation, Decision]]:
    """The decision about each of these cases at noon of a day, or now if that day's noon is over."""
    return [
        (situation, look(situation, _noon(situation.calendar, day, now)))
        for situation in await gather(db, rows, policies, now)
    ]


def _noon(calendar: Calendar, day: date, now: datetime) -> datetime:
    noon = calendar.instant(day, time(12))
    return max(noon, now) if calendar.today(now) == day else noon


def explained(situation: Situation, decision: Decision) -> list[Explanation]:
    """Every open item of a case, the oldest due first."""
    ordered = sorted(situation.case.items, key=lambda item: (item.due_date, item.number, str(item.item_id)))
    return [explain(item, situation.case, decision) for item in ordered]
