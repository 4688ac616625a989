"""Running the service's own pipeline over the payments, in arrival order, and keeping what it decided.

Protects: what is measured is what runs: payments are received, claimed, weighed, locked and given by the functions of
the service, in its micro-batches, each in the service's transaction.
"""

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
from services.payment_matching.evaluation.staging import Stage
from services.payment_matching.matching import Plan
from services.payment_matching.scoring import Weighed
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
    """CPU seconds of this process while matching; the database's are not in it."""
    waits: list[float] = field(default_factory=list)
    """Of each payment: its own weighing and its share of what the batch had in common."""
    batches: list[float] = field(default_factory=list)


Tell = Callable[[int, int], None]


async def run(database: Database, stage: Stage, files: Files, tell: Tell, *, learn: bool) -> Run:
    """Decide every payment. With `learn` each one's truth is posted after it was decided, as a clerk would."""
    kept, clerk = Run(), Clerk(database, stage, files) if learn else None
    known: dict[UUID, str] = {}
    for start in range(0, len(files.payments), matching.BATCH):
        lines = files.payments[start : start + matching.BATCH]
        at = datetime.combine(max(line.value_date for line in lines), hour(9), UTC)
        began = time.perf_counter()
        async with database.transaction(stage.tenant) as db:
            taken = await payments.receive(db, at, [stage.payment(line) for line in lines])
        kept.receiving += time.perf_counter() - began
        known |= {one.payment_id: line.id for one, line in zip(taken, lines, strict=True)}
        await _settle(database, stage, kept, known, at)
        if clerk is not None:
            await _confirm(clerk, kept, lines, {name: one for one, name in known.items()}, at)
        tell(start + len(lines), len(files.payments))
    return kept


async def _settle(database: Database, stage: Stage, kept: Run, known: dict[UUID, str], at: datetime) -> None:
    """Turn after turn, as the loop does, until nothing waits."""
    while True:
        seen: list[Plan] = []
        began, cpu = time.perf_counter(), time.process_time()
        async with database.transaction() as db:
            opened = await matching.try_opened(db)
        async with database.transaction() as db:
            tried = await matching.try_payments(db, at, watch=seen.extend)
        took = time.perf_counter() - began
        kept.seconds, kept.cpu = kept.seconds + took, kept.cpu + time.process_time() - cpu
        if not opened + tried:
            return
        if tried:
            own = sum(plan.seconds for plan in seen)
            kept.batches.append(took)
            kept.waits += [plan.seconds + (took - own) / max(1, len(seen)) for plan in seen]
        for plan in seen:
            _keep(kept, stage, known[plan.claimed.payment_id], plan)


def _keep(kept: Run, stage: Stage, name: str, plan: Plan) -> None:
    """The first decision counts; a later one only if the machine then acted on what it had left to a person."""
    before = kept.decided.get(name)
    if before is not None and (before.auto or plan.auto is None):
        return
    best = plan.auto or (plan.shown[0] if plan.shown else None)
    kept.decided[name] = Decided(
        payment=name,
        auto=plan.auto is not None,
        items=_names(stage, plan.auto) if plan.auto else (),
        suggestions=tuple(_names(stage, one) for one in plan.shown),
        score=round(best.score, 3) if best else 0.0,
        share=best.share if best else 0.0,
        shape=best.hypothesis.shape if best else "none",
        unsure=best.unsure if best else (),
    )


def _names(stage: Stage, one: Weighed) -> tuple[str, ...]:
    lines = (*one.hypothesis.lines, *one.hypothesis.credits)
    return tuple(sorted({stage.name_of[line.item_id] for line in lines}))


async def _confirm(clerk: Clerk, kept: Run, lines: Sequence[PaymentLine], ids: dict[str, UUID], at: datetime) -> None:
    for line in lines:
        found = kept.decided.get(line.id)
        await clerk.confirm(at, line, ids[line.id], found.items if found and found.auto else None)
