"""Running the service's own pipeline over the payments, in arrival order, and keeping what it decided.

Protects: what is measured is what runs: payments are received, claimed, weighed, locked and given by the functions of
the service, in its micro-batches, each in the service's transaction.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from datetime import time as hour
from uuid import UUID

from libs.common.db import Database
from services.payment_matching import matching
from services.payment_matching.evaluation.clerk import Clerk
from services.payment_matching.evaluation.files import Files, PaymentLine
from services.payment_matching.evaluation.matcher import Ids, Matcher, Tried
from services.payment_matching.evaluation.staging import Stage
from services.payment_matching.store import payments


@dataclass(frozen=True, slots=True)
class Decided:
    """What the matcher decided about one payment. Items and suggestions are sets of the files' ids, best first."""

    payment: str
    auto: bool
    items: tuple[str, ...]
    suggestions: tuple[tuple[str, ...], ...]
    score: float
    share: float
    """The probability that the matcher gave to its best hypothesis."""
    shape: str
    unsure: tuple[str, ...]


@dataclass
class Run:
    """All decisions, and what they took."""

    decided: dict[str, Decided] = field(default_factory=dict)
    seconds: float = 0.0
    """Of matching: look-ups, weighing, locks, writes and commits."""
    receiving: float = 0.0
    cpu: float = 0.0
    """CPU seconds of the matchers; the database's are not in it."""
    memory_mb: float = 0.0
    """The most that any one matcher has held."""
    waits: list[float] = field(default_factory=list)
    """Of each payment: its own weighing and its share of what the batch had in common."""
    batches: list[float] = field(default_factory=list)


Tell = Callable[[int, int], None]


async def run(
    database: Database, stage: Stage, files: Files, matchers: Sequence[Matcher], tell: Tell, *, learn: bool
) -> Run:
    """Decide every payment. With `learn` each one's truth is posted after it was decided, as a clerk would."""
    kept, clerk = Run(), Clerk(database, stage, files) if learn else None
    known: dict[UUID, str] = {}
    for start in range(0, len(files.payments), step := matching.BATCH * len(matchers)):
        lines = files.payments[start : start + step]
        at = datetime.combine(max(line.value_date for line in lines), hour(9), UTC)
        began = time.perf_counter()
        async with database.transaction(stage.tenant) as db:
            taken = await payments.receive(db, at, [stage.payment(line) for line in lines])
        kept.receiving += time.perf_counter() - began
        known |= {one.payment_id: line.id for one, line in zip(taken, lines, strict=True)}
        await _settle(stage, kept, known, matchers, at)
        if clerk is not None:
            await _confirm(clerk, kept, lines, {name: one for one, name in known.items()}, at)
        tell(start + len(lines), len(files.payments))
    return kept


async def _settle(stage: Stage, kept: Run, known: dict[UUID, str], matchers: Sequence[Matcher], at: datetime) -> None:
    """Every matcher tries what waits until nothing does."""
    began = time.perf_counter()
    answers = await asyncio.gather(*(one.settle(at) for one in matchers))
    kept.seconds += time.perf_counter() - began
    for answer in answers:
        kept.cpu += answer.cpu
        kept.memory_mb = max(kept.memory_mb, answer.memory_mb)
        kept.waits += answer.waits
        kept.batches += answer.batches
        for one in answer.tried:
            _keep(kept, stage, known[one.payment_id], one)


def _keep(kept: Run, stage: Stage, name: str, one: Tried) -> None:
    """The first decision counts; a later one only if the machine then acted on what it had left to a person."""
    before = kept.decided.get(name)
    if before is not None and (before.auto or one.auto is None):
        return
    kept.decided[name] = Decided(
        payment=name,
        auto=one.auto is not None,
        items=_names(stage, one.auto or ()),
        suggestions=tuple(_names(stage, ids) for ids in one.shown),
        score=one.score,
        share=one.share,
        shape=one.shape,
        unsure=one.unsure,
    )


def _names(stage: Stage, ids: Ids) -> tuple[str, ...]:
    return tuple(sorted(stage.name_of[one] for one in ids))


async def _confirm(clerk: Clerk, kept: Run, lines: Sequence[PaymentLine], ids: dict[str, UUID], at: datetime) -> None:
    for line in lines:
        found = kept.decided.get(line.id)
        await clerk.confirm(at, line, ids[line.id], found.items if found and found.auto else None)
