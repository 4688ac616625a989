"""The dispatch loop: claims what may go, hands it to the lanes, holds it while they work, and marks what was lost.

Several processes may run it: claims are fenced and held on database time, for 60 s, renewed every 10. A mail that
cannot be frozen or sent stops no other: before DATA it waits an hour, after it is uncertain.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.aside import ASIDE_FOR
from libs.common.db import Database
from libs.common.metrics import LOOP_INTERRUPTIONS
from libs.common.permits import Permit
from libs.common.retry import backoff, interruption, is_transient
from libs.common.runtime import Pulse
from services.notifier import superseding
from services.notifier.channels.smtp import Outcome, Wire
from services.notifier.dispatch.freezing import Freezer
from services.notifier.dispatch.job import Job
from services.notifier.dispatch.lane import Lane, Sharing
from services.notifier.dispatch.logbook import Logbook, Slot, inherited
from services.notifier.dispatch.recording import Recorder
from services.notifier.errors import WrongDoor
from services.notifier.store import deliveries, doubts
from services.notifier.store.deliveries import Claim, Holding

LANES = 40
"""Connections to the mail server; most take 50 from one client. More lanes make larger rounds, not more load each."""
CREW = 2
"""Mails of one lane at once: one in conversation, one whose end is put on record."""
RENEW_SECONDS = 10.0
EXPIRE_SECONDS = 5.0
REST = 0.5
BACK_SECONDS = 2.0
"""Seconds until something is claimed again that a passing trouble kept in hand."""
SOFT = frozenset(
    {"residual_changed", "settled", "item_cancelled", "invoice_amended", "invoice_cancelled", "debtor_changed"}
)
"""Refusals whose event is on its way here: it shrinks the notice or ends it with the better reason."""
PASSING = frozenset({"no_answer", "credit_not_applied", "money_untried", "item_unknown", "item_untried", "contact_day"})
"""Reasons of "ask again": beside a no of another service they do not tell why the notice ends."""
SOFT_ASKS = 5
"""Times that such a no is asked again before it ends the notice itself."""
AGAIN_WAITS = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
LEAVE_SECONDS = 20.0

log = structlog.get_logger(__name__)


class Dispatcher:
    """Keeps `lanes` connections busy. `logbooks` is where its lanes say how far they are, for whoever comes after."""

    def __init__(
        self,
        database: Database,
        freezer: Freezer,
        recorder: Recorder,
        *,
        open_wire: Callable[[], Wire],
        logbooks: Path,
        lanes: int = LANES,
    ) -> None:
        self.database = database
        self.clock = recorder.clock
        self.freezer = freezer
        self.recorder = recorder
        self.aside = recorder.aside
        self.sharing = Sharing(recorder.asker, recorder)
        self.logbooks = logbooks
        self.lanes = [Lane(open_wire(), self.sharing, self.refused) for _ in range(lanes)]
        self.jobs: asyncio.Queue[Job] = asyncio.Queue()
        self.in_hand: dict[Holding, Job] = {}
        self._done = asyncio.Event()
        self._pulse = Pulse()
        self._renewed = self._expired = 0.0

    async def run(self, pulse: Pulse) -> None:
        """Send until the process stops; then finish what is in the lanes and give the rest back."""
        self._pulse = pulse
        book = Logbook.open(self.logbooks, CREW * len(self.lanes))
        crew = zip(CREW * self.lanes, book.slots, strict=True)
        running = [asyncio.create_task(self._lane(lane, slot)) for lane, slot in crew]
        running.append(asyncio.create_task(self.recorder.releasing()))
        try:
            failed = 0
            while not pulse.stopping.is_set():
                pulse.turn()
                for task in running:
                    if task.done():
                        task.result()
                try:
                    busy = await self._turn()
                    failed = 0
                except Exception as error:
                    if not is_transient(error):
                        raise
                    failed += 1
                    LOOP_INTERRUPTIONS.labels("dispatch").inc()
                    log.warning("dispatch.interrupted", **interruption(error))
                    await pulse.rest(backoff(failed))
                    continue
                if not busy:
                    await pulse.rest(REST)
        finally:
            await self._leave(running)
            book.close()

    async def _turn(self) -> bool:
        now = time.monotonic()
        if now - self._expired >= EXPIRE_SECONDS:
            self._expired = now
            await self.expire()
        if now - self._renewed >= RENEW_SECONDS:
            self._renewed = now
            await self.renew()
        if await self.feed():
            return True
        if self.in_hand:
            self._pulse.held = len(self.in_hand)
            return False
        async with self.database.transaction() as db:
            self._pulse.held = await deliveries.soon(db, self.clock.now())
        return False

    async def feed(self) -> bool:
        """Claim as much as the lanes can take soon; answers whether there was anything."""
        room = (CREW + 1) * len(self.lanes) - len(self.in_hand)
        if room < len(self.lanes) // 2 or not room:
            return False
        async with self.database.transaction() as db:
            claims = await deliveries.claim(db, room, self.clock.now())
        if not claims:
            return False
        jobs: list[Job] = []

        async def freeze(some: Sequence[Claim]) -> None:
            jobs.extend(await self.freezer.jobs(some))

        try:
            await self.aside.halving(claims, freeze, self._set_aside)
        except Exception:
            await self._give_back(claims, BACK_SECONDS)
            raise
        for job in jobs:
            self.in_hand[job.claim.holding] = job
            self.jobs.put_nowait(job)
        return True

    async def renew(self) -> None:
        """Hold what is in hand; what is no longer ours is not sent."""
        held = list(self.in_hand.values())
        async with self.database.transaction() as db:
            ours = await deliveries.renew(db, [job.claim for job in held])
        for job in held:
            job.lost = job.lost or job.claim.holding not in ours

    async def expire(self) -> None:
        """What was on the wire when its holder disappeared: what the holder left word of, else it is uncertain."""
        with inherited(self.logbooks) as left:
            await self.recorder.inherit(left)
        async with self.database.transaction() as db:
            lost = await doubts.lost(db)
        if lost:
            await self.recorder.doubt(lost)

    async def refused(self, job: Job, permit: Permit) -> None:
        """It may not leave now: what its facts have become, another look later, or its end."""
        if job.lost:
            return
        now = self.clock.now()
        key = {(job.claim.tenant_id, job.claim.notice_id)}
        reason = next((why for why in permit.reasons.values() if why not in PASSING), "no_answer")
        final = permit.answer == "no" and (reason not in SOFT or job.claim.asks + 1 >= SOFT_ASKS)
        async with self.database.transaction() as db:
            if permit.answer == "no" and await superseding.follow_facts(db, key, now):
                return
            if not final:
                await _ask_later(db, job.claim, permit.opens_at, now)
            elif reason == "suppressed" or not await superseding.stop(db, key, now, reason):
                mine = {(job.claim.tenant_id, job.claim.delivery_id)}
                await deliveries.stop_these(db, mine, reason)
                await superseding.conclude(db, key, now)

    async def _lane(self, lane: Lane, slot: Slot) -> None:
        while True:
            job = await self.jobs.get()
            try:
                if not job.lost:
                    await lane.carry(job, slot)
            except WrongDoor:
                log.critical("sending.wrong_door")
                await self.sharing.outcomes.add((job, Outcome("unsent", "connect", text="wrong door")))
            except Exception as error:
                await self._failed(lane, slot, job, error)
            finally:
                del self.in_hand[job.claim.holding]
                self._done.set()
            if len(self.in_hand) <= CREW * len(self.lanes):
                self._pulse.nudge()

    async def _failed(self, lane: Lane, slot: Slot, job: Job, error: Exception) -> None:
        """What an error leaves of a mail: a passing one lets it go again; after any other it waits, or is in doubt."""
        if is_transient(error):
            # Nothing was sent: whatever passes after the body is an outcome, not an error.
            log.warning("lane.interrupted", error=type(error).__name__, delivery=str(job.claim.delivery_id))
            await self._give_back([job.claim], BACK_SECONDS)
            return
        log.error("lane.failed", delivery=str(job.claim.delivery_id), exc_info=error)
        self.aside.judge(error)
        if job.begun:
            log.critical("delivery.in_doubt", delivery=str(job.claim.delivery_id))
            await lane.end(job, slot, Outcome("unknown", "body", text=type(error).__name__))
        else:
            slot.clear()
            await self._set_aside(job.claim)
        self.aside.count()

    async def _set_aside(self, claim: Claim) -> None:
        log.critical("delivery.set_aside", delivery=str(claim.delivery_id))
        await self._give_back([claim], ASIDE_FOR.total_seconds())

    async def _give_back(self, claims: Sequence[Claim], seconds: float) -> None:
        """Whoever is there after so many seconds may claim these; if the database is away, their claims run out."""
        try:
            async with self.database.transaction() as db:
                await deliveries.let_go(db, claims, seconds)
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("claims.run_out", error=type(error).__name__, count=len(claims))

    async def _all_idle(self) -> None:
        while self.in_hand:
            self._done.clear()
            await self._done.wait()

    async def _leave(self, running: Sequence[asyncio.Task[None]]) -> None:
        waiting = []
        while not self.jobs.empty():
            waiting.append(self.jobs.get_nowait())
        for job in waiting:
            del self.in_hand[job.claim.holding]
        await self._give_back([job.claim for job in waiting], 0.0)
        idle = asyncio.create_task(self._all_idle())
        await asyncio.wait([idle, *running], timeout=LEAVE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for lane in self.lanes:
            await lane.wire.close()


async def _ask_later(db: AsyncConnection, claim: Claim, opens_at: datetime | None, now: datetime) -> None:
    """Soon if any moment may bring the permit, later each time; never before an instant that it cannot come before."""
    seconds = AGAIN_WAITS[min(claim.asks, len(AGAIN_WAITS) - 1)]
    if opens_at is not None:
        seconds = max(seconds, (opens_at - now).total_seconds())
    await deliveries.let_go(db, [claim], seconds, asks=1, opens_at=opens_at)
