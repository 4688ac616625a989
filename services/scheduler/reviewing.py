"""The loop that looks again by itself: promises, plans and disputes that something was told of, holds at their review.

The rule it protects: each of them ends once, in the transaction that lifts its holds, and the case goes on.
"""

import structlog

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.retry import backoff, is_transient
from libs.common.runtime import Pulse
from services.scheduler import commands, committing, disputing
from services.scheduler.commands import Asker, Row
from services.scheduler.store import holds

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
        failed = 0
        while not pulse.stopping.is_set():
            pulse.turn()
            try:
                done = await self.once()
                failed = 0
            except Exception as error:
                if not is_transient(error):
                    raise
                failed += 1
                log.warning("reviews.interrupted", error=type(error).__name__)
                await pulse.rest(backoff(failed))
                continue
            if not done:
                await pulse.rest(REST)

    async def once(self) -> int:
        """Judge a batch of promises, of plans and of disputes and end a batch of holds; how many were looked at."""
        now = self.clock.now()
        async with self.database.transaction() as db:
            due = await holds.promises_to_judge(db, now, BATCH)
            for row in due:
                await committing.judge_promise(Asker(db, row["tenant_id"], OURSELVES, now), row)
        async with self.database.transaction() as db:
            plans = await holds.plans_to_judge(db, now, BATCH)
            for row in plans:
                await committing.judge_plan(Asker(db, row["tenant_id"], OURSELVES, now), row)
        async with self.database.transaction() as db:
            disputed = await holds.disputes_to_judge(db, now, BATCH)
            for row in disputed:
                await disputing.judge(Asker(db, row["tenant_id"], OURSELVES, now), row)
        async with self.database.transaction() as db:
            over = await holds.due_for_review(db, now.date(), BATCH)
            ended = 0
            for row in over:
                ended += await _end(Asker(db, row["tenant_id"], OURSELVES, now), row)
        return len(due) + len(plans) + len(disputed) + ended


async def _end(asker: Asker, row: Row) -> int:
    """End a hold whose review date has come at its entity; 0 if that day has not begun there."""
    calendar = await asker.calendar(row["entity_id"])
    if calendar.today(asker.now) < row["review_on"]:
        return 0
    await commands.lifted(asker, [row["hold_id"]], "review")
    return 1
