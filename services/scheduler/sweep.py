"""The sweep: claims the cases whose time has come, decides each under its lock, records what follows, in one commit.

The rules it protects: two sweeps never look at one case at once and never release an occurrence twice; a case that
competes for its party with another takes its turn (the highest tone first, one displaced twice goes first); a case
that cannot be decided stops no other.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.aside import ASIDE_FOR, Aside, Narrowing
from libs.common.clock import Clock
from libs.common.crash import crash_point
from libs.common.db import Database
from libs.common.events import event
from libs.common.events.reminders import ReminderDue
from libs.common.metrics import CASES_SET_ASIDE, ITEMS_SWEPT, REMINDER_LATE_SECONDS, REMINDERS_RELEASED, SWEEP_SECONDS
from libs.common.runtime import Pulse
from libs.common.turning import turning
from services.scheduler.charging import Tariffs
from services.scheduler.gathering import gather
from services.scheduler.planner import Decision
from services.scheduler.policy import GAPPED
from services.scheduler.quoting import with_charges
from services.scheduler.releasing import Written, written
from services.scheduler.situation import Situation, look
from services.scheduler.store import balance, evidence, items, shadowing, sweeping
from services.scheduler.store.policies import Policies
from services.scheduler.trusting import within_bounds

CASES = 200
"""Cases of one transaction: long enough to write sets, short enough that nobody waits long for a lock."""
REST = 1.0
BEHIND_FOR = 30.0
"""Seconds that decisions wait for a consumer that is catching up."""
JUMPS_AT = 2
"""Times displaced by another entity after which a case goes first."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one transaction did."""

    cases: int = 0
    items: int = 0
    released: int = 0
    withdrawn: int = 0
    full: bool = False
    """It had as many cases as it could take: there may be more."""


class Sweep:
    """The loop. Safe to run in any number of processes. `behind` tells whether facts are waiting to be heard."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        policies: Policies,
        *,
        cases: int = CASES,
        behind: Callable[[], bool] = lambda: False,
        tariffs: Tariffs | None = None,
    ) -> None:
        self.database = database
        self.clock = clock
        self.policies = policies
        self.behind = behind
        self.tariffs = tariffs or Tariffs()
        self._size = Narrowing(cases, Aside(CASES_SET_ASIDE))
        self._in_hand: list[Mapping[str, Any]] = []

    async def run(self, pulse: Pulse) -> None:
        """Sweep until the process stops; troubles of the database are waited out, a case that fails alone set aside."""

        async def turn() -> float:
            await self._after_the_news(pulse)
            swept = await self.turn()
            return 0.0 if swept is None or swept.full else REST

        await turning(pulse, "sweep", turn)

    async def turn(self) -> Swept | None:
        """One transaction; None if something in it cannot be decided: then the next one is half as large.

        What cannot be decided alone is set aside. Raises what is transient, and what happens too often.
        """
        self._in_hand = []
        try:
            swept = await self.once()
        except Exception as error:
            if self._size.alone(error, len(self._in_hand)):
                await self._set_aside()
            return None
        self._size.widen()
        return swept

    async def _set_aside(self) -> None:
        async with self.database.transaction() as db:
            await sweeping.set_aside(db, self._in_hand, self.clock.now() + ASIDE_FOR)
        self._size.set_aside(len(self._in_hand))
        log.critical("sweep.set_aside", cases=[str(row["case_id"]) for row in self._in_hand])

    async def _after_the_news(self, pulse: Pulse) -> None:
        """While the consumer catches up, what a decision rests on is about to change: wait for it, but not for long."""
        end = time.monotonic() + BEHIND_FOR
        while self.behind() and time.monotonic() < end and not pulse.stopping.is_set():
            pulse.held = 1
            await pulse.rest(REST)
        pulse.held = 0

    async def once(self) -> Swept:
        """One transaction: claim, decide, record."""
        began = time.perf_counter()
        async with self.database.transaction() as db:
            swept = await self.sweep(db, self.clock.now())
        if swept.cases:
            SWEEP_SECONDS.observe(time.perf_counter() - began)
            ITEMS_SWEPT.labels("looked_at").inc(swept.items)
        return swept

    async def sweep(self, db: AsyncConnection, now: datetime) -> Swept:
        """The work of one transaction; nothing in it commits."""
        self._in_hand = rows = await sweeping.claim(db, now, self._size.most)
        if not rows:
            return Swept()
        parties = await evidence.lock_parties(db, {(row["tenant_id"], row["party_id"]) for row in rows})
        situations = await gather(db, rows, self.policies, now, parties=parties)
        decisions = await within_bounds(db, decided(situations, now), now)
        found = [written(s, d, now, displaced=out) for s, d, out in decisions]
        found = await with_charges(db, self.tariffs, found, situations, now)
        await _record(db, found, now)
        crash_point("sweep.decided")
        _count(rows, found, now)
        return Swept(
            cases=len(rows),
            items=sum(len(situation.case.items) for situation in situations),
            released=sum(isinstance(body, ReminderDue) for each in found for _, body in each.said),
            withdrawn=sum(len(each.withdrawn) for each in found),
            full=len(rows) >= self._size.most,
        )


def decided(situations: Sequence[Situation], now: datetime) -> list[tuple[Situation, Decision, bool]]:
    """The decision about each, and whether another case of its party displaced it."""
    together: dict[tuple[Any, Any], list[Situation]] = defaultdict(list)
    for situation in situations:
        together[situation.case.tenant_id, situation.case.party.party_id].append(situation)
    found: list[tuple[Situation, Decision, bool]] = []
    for competing in together.values():
        if len(competing) == 1:
            found.append((competing[0], look(competing[0], now), False))
        else:
            found += _in_turn(competing, now)
    return found


def _in_turn(competing: Sequence[Situation], now: datetime) -> list[tuple[Situation, Decision, bool]]:
    ranked = sorted(((situation, look(situation, now)) for situation in competing), key=_rank)
    found: list[tuple[Situation, Decision, bool]] = []
    taken = False
    for situation, first in ranked:
        speaks = any(notice.step.kind in GAPPED for notice in first.notices) and not first.shown_only
        if taken and speaks:
            today = situation.calendar.today(now)
            party = replace(situation.case.party, reserved_on=today)
            later = replace(situation, case=replace(situation.case, party=party))
            found.append((situation, look(later, now), True))
        else:
            found.append((situation, first, False))
            taken = taken or speaks
    return found


def _rank(pair: tuple[Situation, Decision]) -> tuple[bool, int, str]:
    situation, decision = pair
    tone = max((notice.step.tone for notice in decision.notices), default=0)
    return situation.row["displaced"] < JUMPS_AT, -tone, str(situation.case.case_id)


async def _record(db: AsyncConnection, found: Sequence[Written], now: datetime) -> None:
    occurrences = [row for each in found for row in each.occurrences]
    if occurrences:
        await sweeping.release(db, occurrences)
    pairs = {(each.case["tenant_id"], each.case["case_id"]) for each in found}
    await balance.keep(db, pairs, [row for each in found for row in each.silent], now)
    await shadowing.keep(db, [row for each in found for row in each.shadowed])
    gone = [
        {"tenant_id": each.case["tenant_id"], "reminder_id": reminder} for each in found for reminder in each.withdrawn
    ]
    await sweeping.withdraw(db, gone)
    await items.thanks_decided(db, [row for each in found for row in each.thanked], now)
    await sweeping.reserve(db, [row for each in found for row in each.reserved])
    await sweeping.settle(db, [each.case for each in found])
    said = [event(body, now, known_as=known_as) for each in found for known_as, body in each.said]
    if said:
        await outbox.record(db, *said)


def _count(rows: Sequence[Mapping[str, Any]], found: Sequence[Written], now: datetime) -> None:
    due = {row["case_id"]: row["next_at"] for row in rows}
    for each in found:
        for _, body in each.said:
            if isinstance(body, ReminderDue):
                REMINDERS_RELEASED.labels(str(body.tone)).inc()
                REMINDER_LATE_SECONDS.observe(max(0.0, (now - due[body.case_id]).total_seconds()))
