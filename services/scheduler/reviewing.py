"""The loops that look again by themselves: promises kept or broken, plans paid or missed, holds at their review.

The rule it protects: a promise is judged by the money that came within its span, a plan by what its items still owe
after each of its dates; once, and either way the case goes on.
"""

from datetime import date, datetime, timedelta
from typing import Any

import structlog

from libs.common import outbox
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.events import event
from libs.common.retry import backoff, is_transient
from libs.common.runtime import Pulse
from services.scheduler import commands, speaking
from services.scheduler.calendar import promise_until
from services.scheduler.commands import Asker, Row
from services.scheduler.store import cases, holds
from services.scheduler.tables import plan, promise

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
        """Judge a batch of promises and of plans and end a batch of holds; how many were looked at."""
        now = self.clock.now()
        async with self.database.transaction() as db:
            due = await holds.promises_to_judge(db, now, BATCH)
            for row in due:
                await judge(Asker(db, row["tenant_id"], OURSELVES, now), row)
        async with self.database.transaction() as db:
            plans = await holds.plans_to_judge(db, now, BATCH)
            for row in plans:
                await judge_plan(Asker(db, row["tenant_id"], OURSELVES, now), row)
        async with self.database.transaction() as db:
            over = await holds.due_for_review(db, now.date(), BATCH)
            ended = 0
            for row in over:
                ended += await _end(Asker(db, row["tenant_id"], OURSELVES, now), row)
        return len(due) + len(plans) + ended


async def judge(asker: Asker, row: Row) -> None:
    """Kept when enough money came by its last day, broken when that day is over; else it is judged again then."""
    calendar = await asker.calendar(row["entity_id"])
    paid = await _paid(asker, row)
    if paid >= row["amount_minor"]:
        await _over(asker, row, "kept")
    elif calendar.today(asker.now) > row["until"]:
        await _over(asker, row, "partly_kept" if paid > 0 else "broken")
    else:
        later = _after(calendar, row)
        await holds.look_again(asker.db, promise, asker.tenant, row["promise_id"], later)


async def judge_plan(asker: Asker, row: Row) -> None:
    """Completed when nothing is left to pay, defaulted once a date and two banking days are over and short."""
    calendar = await asker.calendar(row["entity_id"])
    left = await holds.owed(asker.db, asker.tenant, row["item_ids"])
    paid, today = row["owed_minor"] - left, calendar.today(asker.now)
    expected, following = 0, None
    for day, minor in sorted(zip(row["dates"], row["amounts_minor"], strict=True)):
        expected += minor
        if promise_until(day) >= today:
            following = day
            break
        if left and paid < expected:
            await _plan_over(asker, row, "defaulted", missed_on=day)
            return
    if not left or following is None:
        await _plan_over(asker, row, "completed")
        return
    later = calendar.instant(promise_until(following) + timedelta(days=1), commands.NIGHT)
    await holds.look_again(asker.db, plan, asker.tenant, row["plan_id"], later)


async def _plan_over(asker: Asker, row: Row, state: str, missed_on: date | None = None) -> None:
    await holds.change(asker.db, plan, asker.tenant, row["plan_id"], state=state, ended_at=asker.now)
    await commands.lifted(asker, row["hold_ids"], "kept" if missed_on is None else "broken")
    await cases.look_at(asker.db, {(asker.tenant, row["case_id"])}, asker.now)
    if missed_on is not None:
        ended = speaking.defaulted({**row, "version": row["version"] + 1}, missed_on)
        await outbox.record(asker.db, event(ended, asker.now))


def _after(calendar: Any, row: Row) -> datetime:
    found: datetime = calendar.instant(row["until"] + timedelta(days=1), commands.NIGHT)
    return found


async def _paid(asker: Asker, row: Row) -> int:
    if not row["of_items"]:
        return await holds.paid_within(asker.db, row)
    owed: int = row["owed_minor"]
    return owed - await holds.owed(asker.db, asker.tenant, row["item_ids"])


async def _over(asker: Asker, row: Row, state: str) -> None:
    kept = state == "kept"
    changed = {"state": state, "ended_at": asker.now}
    await holds.change(asker.db, promise, asker.tenant, row["promise_id"], **changed)
    await commands.lifted(asker, row["hold_ids"], "kept" if kept else "broken")
    await cases.look_at(asker.db, {(asker.tenant, row["case_id"])}, asker.now)
    ended = speaking.promise_ended({**row, "version": row["version"] + 1}, kept)
    await outbox.record(asker.db, event(ended, asker.now))


async def _end(asker: Asker, row: Row) -> int:
    """End a hold whose review date has come at its entity; 0 if that day has not begun there."""
    calendar = await asker.calendar(row["entity_id"])
    if calendar.today(asker.now) < row["review_on"]:
        return 0
    await commands.lifted(asker, [row["hold_id"]], "review")
    return 1
