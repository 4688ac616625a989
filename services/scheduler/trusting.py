"""The run-ins of the entities behind some cases: read with their facts, kept when a step earns it, and held to.

The rule it protects: what a sweep hands over and what a permit lets go stay within the bound of the day, whoever else
does the same at once.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.permits import Ask
from services.scheduler import running_in
from services.scheduler.case import TO_PAYER
from services.scheduler.planner import Decision
from services.scheduler.policy import PolicyVersion
from services.scheduler.running_in import RunIn, Said
from services.scheduler.situation import Situation, look
from services.scheduler.store import running_in as store
from services.scheduler.store.cases import Pair

Decided = tuple[Situation, Decision, bool]


@dataclass(frozen=True)
class Started:
    """An entity on its run-in: its day, whether anything leaves for it, and the steps that wait for their `none`."""

    today: date
    live: bool
    steps: frozenset[str]


async def with_run_ins(
    db: AsyncConnection, situations: Sequence[Situation], entities: Mapping[Pair, Any], now: datetime
) -> list[Situation]:
    """The situations with how far their entities are, where nobody waived it."""
    steps: dict[Pair, set[str]] = {}
    days: dict[Pair, date] = {}
    for each in situations:
        key = _entity(each)
        if key in entities and entities[key].run_in == "required":
            steps.setdefault(key, set()).update(waiting(each.version))
            days[key] = each.calendar.today(now)
    started = {key: Started(days[key], entities[key].mode == "live", frozenset(steps[key])) for key in days}
    found = await run_ins(db, started) if started else {}
    return [
        replace(each, case=replace(each.case, run_in=found[key])) if (key := _entity(each)) in found else each
        for each in situations
    ]


async def run_ins(db: AsyncConnection, started: Mapping[Pair, Started]) -> dict[Pair, RunIn]:
    """(tenant, entity) → how far it is."""
    earned = await store.earned(db, started)
    wanted = {(*key, step) for key, each in started.items() for step in each.steps}
    records = await store.records(db, wanted - earned)
    ramps = await store.ramps(db, {key for key, each in started.items() if each.live})
    said = await store.said_on(db, {(*key, ramp.day) for key, ramp in ramps.items()})
    found = {}
    for key, each in started.items():
        ramp = ramps.get(key)
        before = said.get((*key, ramp.day), Said()) if ramp is not None else Said()
        cap, released = running_in.today(ramp, before, each.today) if each.live else (None, 0)
        found[key] = RunIn(
            frozenset(step for *whose, step in earned if tuple(whose) == key),
            {step: record for (*whose, step), record in records.items() if tuple(whose) == key},
            cap,
            released,
        )
    return found


def waiting(version: PolicyVersion | None) -> frozenset[str]:
    """The steps of a policy that would leave without a person."""
    steps = version.policy.steps if version is not None else []
    return frozenset(step.key for step in steps if step.approval == "none" and step.kind in TO_PAYER)


def _entity(situation: Situation) -> Pair:
    return situation.case.tenant_id, situation.case.entity_id


async def within_bounds(db: AsyncConnection, decided: Sequence[Decided], now: datetime) -> list[Decided]:
    """What of these decisions may be handed over today, counted; cases beyond the bound wait for tomorrow."""
    await _earn(db, [situation for situation, _, _ in decided], now)
    bounded = [each for each in decided if _speaks(each) and _room(each[0]) is not None]
    if not bounded:
        return list(decided)
    caps = {
        _day(situation, now): situation.case.run_in.cap or 0 for situation, _, _ in bounded if situation.case.run_in
    }
    rooms = await store.lock_days(db, caps)
    counts: Counter[store.Day] = Counter()
    found: list[Decided] = []
    for each in decided:
        situation, _, displaced = each
        key = _entity(situation)
        if not _speaks(each) or key not in rooms:
            found.append(each)
        elif rooms[key] > 0:
            rooms[key] -= 1
            counts[_day(situation, now)] += 1
            found.append(each)
        else:
            waiting = _full(situation)
            found.append((waiting, look(waiting, now), displaced))
    await store.handed_over(db, counts)
    return found


async def _earn(db: AsyncConnection, situations: Collection[Situation], now: datetime) -> None:
    fresh = {
        ((*_entity(each), step), each.calendar.today(now))
        for each in situations
        if each.case.run_in is not None
        for step, record in each.case.run_in.records.items()
        if record.trusted
    }
    for day in sorted({day for _, day in fresh}):
        await store.earn(db, {key for key, on in fresh if on == day}, day)


def _full(situation: Situation) -> Situation:
    run_in = situation.case.run_in
    assert run_in is not None
    full = replace(run_in, released=run_in.cap or 0)
    return replace(situation, case=replace(situation.case, run_in=full))


def _speaks(decided: Decided) -> bool:
    _, decision, _ = decided
    return not decision.shown_only and any(notice.step.kind in TO_PAYER for notice in decision.notices)


def _room(situation: Situation) -> int | None:
    return situation.case.run_in.room if situation.case.run_in is not None else None


def _day(situation: Situation, now: datetime) -> store.Day:
    return (*_entity(situation), situation.calendar.today(now))


@dataclass
class Leaving:
    """What of a day's bound the notices of one call of permits use. Lock it before it answers."""

    db: AsyncConnection
    now: datetime
    caps: Mapping[Pair, tuple[date, int]]

    @classmethod
    async def of(cls, db: AsyncConnection, situations: Iterable[Situation], now: datetime) -> "Leaving":
        """The days of the entities that are bounded, opened and locked."""
        caps: dict[Pair, tuple[date, int]] = {}
        for each in situations:
            if each.case.run_in is not None and each.case.run_in.cap is not None:
                caps[_entity(each)] = each.calendar.today(now), each.case.run_in.cap
        if caps:
            await store.lock_days(db, {(*key, day): cap for key, (day, cap) in caps.items()})
        return cls(db, now, caps)

    async def refusal(self, tenant: UUID, ask: Ask) -> str | None:
        """Why this notice, which may leave otherwise, does not leave today."""
        found = self.caps.get((tenant, ask.entity_id))
        if found is None or ask.kind not in TO_PAYER:
            return None
        day, cap = found
        within = await store.leaves(self.db, (tenant, ask.entity_id, day), ask.reminder_id, cap)
        return None if within else "ramping_up"
