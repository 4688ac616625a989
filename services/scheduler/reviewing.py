"""The loop that looks again by itself: promises, plans and disputes that something was told of, holds at their review.

The rules it protects: each of them ends once, in the transaction that lifts its holds, and the case goes on; one that
cannot be judged stops no other.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, time

import structlog
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.aside import ASIDE_FOR
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.metrics import REVIEWS_FAILED
from libs.common.retry import is_transient
from libs.common.runtime import Pulse
from libs.common.turning import turning
from services.scheduler import commands, committing, disputing
from services.scheduler.commands import Asker, Row
from services.scheduler.store import holds
from services.scheduler.tables import dispute, hold, plan, promise

BATCH = 100
REST = 5.0
OURSELVES = "scheduler"

log = structlog.get_logger(__name__)


class Reviews:
    """One loop for both; safe to run in any number of processes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def run(self, pulse: Pulse) -> None:
        """Review until the process stops; troubles of the database are waited out."""

        async def turn() -> float:
            return 0.0 if await self.once() else REST

        await turning(pulse, "reviews", turn)

    async def once(self) -> int:
        """Judge a batch of promises, of plans and of disputes and end a batch of holds; how many were looked at."""
        now = self.clock.now()
        return sum([await self._judge(claim, judge, table, now) for claim, judge, table in _KINDS])

    async def _judge(self, claim: "Claim", judge: "Judge", table: Table, now: datetime) -> int:
        """How many were judged. One that fails is told about and tried again after an hour."""
        done = 0
        async with self.database.transaction() as db:
            for row in await claim(db, now, BATCH):
                try:
                    async with db.begin_nested():
                        done += await judge(Asker(db, row["tenant_id"], OURSELVES, now), row)
                except Exception as error:
                    if is_transient(error):
                        raise
                    REVIEWS_FAILED.inc()
                    log.critical("reviews.failed", case=str(row["case_id"]), exc_info=error)
                    await _put_off(db, table, row, now + ASIDE_FOR)
        return done


async def _put_off(db: AsyncConnection, table: Table, row: Row, until: datetime) -> None:
    await holds.change_quietly(db, table, row["tenant_id"], row[f"{table.name}_id"], look_at=until)


async def _promise(asker: Asker, row: Row) -> int:
    await committing.judge_promise(asker, row)
    return 1


async def _plan(asker: Asker, row: Row) -> int:
    await committing.judge_plan(asker, row)
    return 1


async def _dispute(asker: Asker, row: Row) -> int:
    await disputing.judge(asker, row)
    return 1


async def _end(asker: Asker, row: Row) -> int:
    """End a hold whose review date has come at its entity; 0 if that day has not begun there: it waits for it."""
    calendar = await asker.calendar(row["entity_id"])
    if calendar.today(asker.now) < row["review_on"]:
        await _put_off(asker.db, hold, row, calendar.instant(row["review_on"], time()))
        return 0
    await commands.lifted(asker, [row["hold_id"]], "review")
    return 1


Claim = Callable[[AsyncConnection, datetime, int], Awaitable[Sequence[Row]]]
Judge = Callable[[Asker, Row], Awaitable[int]]
_KINDS: tuple[tuple[Claim, Judge, Table], ...] = (
    (holds.promises_to_judge, _promise, promise),
    (holds.plans_to_judge, _plan, plan),
    (holds.disputes_to_judge, _dispute, dispute),
    (holds.due_for_review, _end, hold),
)
