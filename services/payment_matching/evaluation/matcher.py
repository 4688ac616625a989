"""A matcher of a measurement: a process of its own, as a service's is, that tries what waits whenever it is told to.

Protects: a matcher is measured and nothing else. The files, the truth and the decisions are held by the process that
measures, so neither their memory nor the garbage they make is counted; the garbage collector is set as the services'.
"""

import asyncio
import gc
import multiprocessing
import resource
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID

from libs.common.db import Database
from libs.common.errors import Unavailable
from libs.common.settings import Settings
from services.payment_matching import matching
from services.payment_matching.evaluation.scratch import SERVICE
from services.payment_matching.matching import Plan
from services.payment_matching.scoring import Weighed

Ids = tuple[UUID, ...]
_GONE = "The matcher that is measured ended by itself; its error is above."
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Tried:
    """What was decided about one payment: items and suggestions as our ids, the best first."""

    payment_id: UUID
    auto: Ids | None
    shown: tuple[Ids, ...]
    score: float
    share: float
    shape: str
    unsure: tuple[str, ...]


@dataclass
class Answer:
    """What one turn came to, in the order in which it was decided."""

    tried: list[Tried] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    """Of each payment: its own weighing and its share of what the batch had in common."""
    batches: list[float] = field(default_factory=list)
    cpu: float = 0.0
    """CPU seconds of the matcher; the database's are not in it."""
    memory_mb: float = 0.0
    """The most that the matcher has held at any time."""


class Matcher:
    """The process, as the one that measures sees it."""

    def __init__(self, settings: Settings) -> None:
        spawned = multiprocessing.get_context("spawn")
        self._mine, theirs = spawned.Pipe()
        self._process = spawned.Process(target=_serve, args=(theirs, settings), daemon=True)
        self._process.start()
        theirs.close()

    async def settle(self, at: datetime) -> Answer:
        """Turn after turn, as the loop does, until nothing waits. Raises Unavailable if the process is gone."""
        try:
            self._mine.send(at)
        except BrokenPipeError:
            raise Unavailable(_GONE) from None
        return await self.heard()

    async def heard(self) -> Answer:
        """What it says next: once when it is ready, then after each turn. Raises Unavailable if it is gone."""
        try:
            answer: Answer = await asyncio.to_thread(self._mine.recv)
        except EOFError:
            raise Unavailable(_GONE) from None
        return answer

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._mine.close()


@asynccontextmanager
async def matchers(settings: Settings, count: int) -> AsyncIterator[list[Matcher]]:
    """So many matchers on one database, ready when the block begins and ended with it."""
    started: list[Matcher] = []
    try:
        started.extend(Matcher(settings) for _ in range(count))
        await asyncio.gather(*(one.heard() for one in started))
        yield started
    finally:
        for one in started:
            one.stop()


def _serve(asked: Connection, settings: Settings) -> None:
    """The life of the process. Ctrl-C is for the one that measures, which ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with closing(asked):
        asyncio.run(_answer(asked, settings))


async def _answer(asked: Connection, settings: Settings) -> None:
    database = Database(settings, SERVICE, "loop")
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    asked.send(Answer())
    try:
        while True:
            asked.send(await _settled(database, asked.recv()))
    except EOFError:
        await database.close()


async def _settled(database: Database, at: datetime) -> Answer:
    answer, cpu = Answer(), time.process_time()
    while True:
        seen: list[Plan] = []
        began = time.perf_counter()
        async with database.transaction() as db:
            opened = await matching.try_opened(db)
        async with database.transaction() as db:
            tried = await matching.try_payments(db, at, watch=seen.extend)
        took = time.perf_counter() - began
        if not opened + tried:
            answer.cpu, answer.memory_mb = time.process_time() - cpu, _most_held()
            return answer
        if tried:
            own = sum(plan.seconds for plan in seen)
            answer.batches.append(took)
            answer.waits += [plan.seconds + (took - own) / max(1, len(seen)) for plan in seen]
        answer.tried += map(_tried, seen)


def _tried(plan: Plan) -> Tried:
    best = plan.auto or (plan.shown[0] if plan.shown else None)
    return Tried(
        payment_id=plan.claimed.payment_id,
        auto=_ids(plan.auto) if plan.auto else None,
        shown=tuple(map(_ids, plan.shown)),
        score=round(best.score, 3) if best else 0.0,
        share=best.share if best else 0.0,
        shape=best.hypothesis.shape if best else "none",
        unsure=best.unsure if best else (),
    )


def _ids(one: Weighed) -> Ids:
    lines = (*one.hypothesis.lines, *one.hypothesis.credits)
    return tuple({line.item_id for line in lines})


def _most_held() -> float:
    """Megabytes. The system's own count for a process includes what its parent held when it was started; the high
    water mark of its own memory does not."""
    if _STATUS.exists():
        marks = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return int(marks["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
