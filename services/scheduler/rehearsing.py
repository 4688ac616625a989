"""A version played over days ahead for every party of a tenant, by several processes that share the parties.

The rule it protects: what is counted is what `simulating.said_ahead` says of each party with all its cases; no party is
counted twice or left out, and no process holds more than some hundred of them at a time.
"""

import asyncio
import gc
import multiprocessing
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from uuid import UUID

from libs.common.db import Database
from libs.common.settings import Settings
from services.scheduler.case import NOTICES, Case
from services.scheduler.playing import Said, most_within
from services.scheduler.policy import CALLS, GAPPED
from services.scheduler.simulating import disputed, said_ahead, situations_now, speaking
from services.scheduler.situation import Row, Situation
from services.scheduler.store import simulations as store
from services.scheduler.store.policies import Policies
from services.scheduler.store.zones import calendar

PARTIES = 250
"""Parties that a process plays at a time."""
SHARES = 16
"""Parts of the parties for each process: the last one to end has little more to do than the others."""
SPAN = 30


@dataclass(frozen=True)
class Rehearsal:
    """What is played: which version, whose cases, over which days, from the facts of which instant."""

    tenant: UUID
    version_id: UUID
    first: date
    last: date
    now: datetime
    entity_id: UUID | None = None


@dataclass
class Totals:
    """What would be said, counted. `notices` are messages to payers that ask for money."""

    cases: int = 0
    notices_by_day: Counter[date] = field(default_factory=Counter)
    tasks_by_day: Counter[date] = field(default_factory=Counter)
    by_step: Counter[str] = field(default_factory=Counter)
    approvals: int = 0
    disputed: int = 0
    most_in_30_days: int = 0
    """Reminders and statements to one party."""

    def add(self, cases: int, found: Iterable[tuple[Row, Case, Said]]) -> None:
        """Count what would be said to some parties, each of them with all its cases."""
        self.cases += cases
        days: dict[UUID, list[date]] = defaultdict(list)
        for row, _, said in found:
            kind = said.step.kind
            self.by_step[said.step.key] += 1
            self.approvals += said.notice.approval != "none"
            self.disputed += disputed(said.notice)
            if kind in NOTICES:
                self.notices_by_day[said.on] += 1
            if kind in CALLS:
                self.tasks_by_day[said.on] += 1
            if kind in GAPPED:
                days[row["party_id"]].append(said.on)
        most = max((most_within(on, SPAN)[0] for on in days.values()), default=0)
        self.most_in_30_days = max(self.most_in_30_days, most)

    def take(self, other: "Totals") -> None:
        """Count what was counted of other parties too."""
        self.cases += other.cases
        self.approvals += other.approvals
        self.disputed += other.disputed
        self.notices_by_day += other.notices_by_day
        self.tasks_by_day += other.tasks_by_day
        self.by_step += other.by_step
        self.most_in_30_days = max(self.most_in_30_days, other.most_in_30_days)


async def rehearsed(settings: Settings, database: Database, told: Rehearsal, processes: int) -> Totals:
    """Play the version for everybody. The processes are ours alone and are gone afterwards."""
    async with database.transaction(told.tenant) as db:
        bounds = await store.shares(db, told.tenant, told.entity_id, processes * SHARES)
    spawned = multiprocessing.get_context("spawn")
    loop, totals = asyncio.get_running_loop(), Totals()
    pool = ProcessPoolExecutor(processes, spawned, _as_every_process)
    try:
        parts = [loop.run_in_executor(pool, _part, settings, told, *each) for each in bounds]
        for part in asyncio.as_completed(parts):
            totals.take(await part)
    finally:
        await asyncio.to_thread(pool.shutdown, cancel_futures=True)
    return totals


def _as_every_process() -> None:
    """As the runtime sets every process of ours: the modules are never looked through for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _part(settings: Settings, told: Rehearsal, after: UUID | None, until: UUID) -> Totals:
    return asyncio.run(_played(settings, told, after, until))


async def _played(settings: Settings, told: Rehearsal, after: UUID | None, until: UUID) -> Totals:
    """The parties after one and up to another, some hundred at a time."""
    database, policies, totals = Database(settings, "scheduler", "api", pool=1), Policies(), Totals()
    try:
        more = True
        while more:
            async with database.transaction(told.tenant) as db:
                rows, last = await store.parties(db, told.tenant, after, told.entity_id, PARTIES, until=until)
                version = (await policies.of(db, {(told.tenant, told.version_id)}))[told.version_id]
                version = speaking(version)
                situations = await situations_now(db, rows, policies, version, told.now)
            totals.add(len(rows), said_ahead(situations, version, *_span(situations, told)))
            after, more = last, last is not None
    finally:
        await database.close()
    return totals


def _span(situations: Sequence[Situation], told: Rehearsal) -> tuple[datetime, datetime]:
    """From now, or the first day's beginning, to the end of the last day, where the company is."""
    zone = situations[0].calendar if situations else calendar("FR", "Europe/Paris")
    begins = max(told.now, zone.instant(told.first, time(0)))
    return begins, zone.instant(told.last + timedelta(days=1), time(0)) - timedelta(seconds=1)
