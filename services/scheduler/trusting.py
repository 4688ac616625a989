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


async def with_bounds(
    db: AsyncConnection, situations: Sequence[Situation], entities: Mapping[Pair, Any], now: datetime
) -> list[Situation]:
    """The situations with how far their entities are, where nobody waived it, and with what they caught up today."""
    steps: dict[Pair, set[str]] = {}
    days: dict[Pair, date] = {}
    for each in situations:
        key = _entity(each)
        if key in entities and entities[key].run_in == "required":
            steps.setdefault(key, set()).update(waiting(each.version))
            days[key] = each.calendar.today(now)
    started = {key: Started(days[key], entities[key].mode == "live", frozenset(steps[key])) for key in days}
    spreading = {
        (*_entity(each), each.calendar.today(now))
        for each in situations
        if each.version is not None and each.version.policy.spreads
    }
    if not started and not spreading:
        return list(situations)
    found = await run_ins(db, started) if started else {}
    late = await store.caught_up(db, spreading)
    return [_bounded(each, found.get(_entity(each)), late.get(_entity(each), 0)) for each in situations]


def _bounded(situation: Situation, run_in: RunIn | None, caught_up: int) -> Situation:
    if run_in is None and not caught_up:
        return situation
    return replace(situation, case=replace(situation.case, run_in=run_in, caught_up=caught_up))


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
    """What of these decisions may be handed over today, counted; cases beyond a bound wait for tomorrow."""
    await _earn(db, [situation for situation, _, _ in decided], now)
    bounds = [_bounds(each, now) for each in decided]
    caps = {key: cap for each in bounds for key, cap in each.items()}
    if not caps:
        return list(decided)
    rooms = await store.lock_days(db, caps)
    counts: Counter[store.Bound] = Counter()
    found: list[Decided] = []
    for each, mine in zip(decided, bounds, strict=True):
        situation, _, displaced = each
        if all(rooms[key] > counts[key] for key in mine):
            counts.update(mine.keys())
            found.append(each)
        else:
            waiting = _full(situation, {key[2] for key in mine if rooms[key] <= counts[key]})
            found.append((waiting, look(waiting, now), displaced))
    await store.handed_over(db, counts)
    return found


def _bounds(decided: Decided, now: datetime) -> dict[store.Bound, int]:
    """The bounds that what a case says today counts for: the ramp's, and that of what is caught up with."""
    situation, decision, _ = decided
    if decision.shown_only or not any(notice.step.kind in TO_PAYER for notice in decision.notices):
        return {}
    today, case = situation.calendar.today(now), situation.case
    found: dict[store.Bound, int] = {}
    if case.run_in is not None and case.run_in.cap is not None:
        found[*_entity(situation), store.RAMP, today] = case.run_in.cap
    if situation.version is not None and any(notice.late for notice in decision.notices):
        found[*_entity(situation), store.SPREAD, today] = situation.version.policy.spread.per_day
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


def _full(situation: Situation, bounds: Collection[str]) -> Situation:
    """The same case on a day on which these bounds are reached."""
    case = situation.case
    if store.RAMP in bounds and case.run_in is not None:
        case = replace(case, run_in=replace(case.run_in, released=case.run_in.cap or 0))
    if store.SPREAD in bounds and situation.version is not None:
        case = replace(case, caught_up=situation.version.policy.spread.per_day)
    return replace(situation, case=case)


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
            await store.lock_days(db, {(*key, store.RAMP, day): cap for key, (day, cap) in caps.items()})
        return cls(db, now, caps)

    async def refusal(self, tenant: UUID, ask: Ask) -> str | None:
        """Why this notice, which may leave otherwise, does not leave today."""
        found = self.caps.get((tenant, ask.entity_id))
        if found is None or ask.kind not in TO_PAYER:
            return None
        day, cap = found
        within = await store.leaves(self.db, (tenant, ask.entity_id, day), ask.reminder_id, cap)
        return None if within else "ramping_up"
