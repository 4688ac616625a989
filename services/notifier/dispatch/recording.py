"""On the wire, and what became of it: many deliveries a transaction, each under its own fence.

An outcome is never lost for a database that is away: it is tried again until it is on record or the claim has expired,
which makes the delivery uncertain. One that cannot be put on record stops no other: it is held, and never sent again.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.aside import ASIDE_FOR, Aside
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.metrics import DELIVERIES, DELIVERIES_UNCERTAIN, SENDS_PAST_PERMIT
from libs.common.retry import backoff, is_transient
from services.notifier import superseding, tasking
from services.notifier.channels.smtp import Outcome
from services.notifier.dispatch.asking import Asker
from services.notifier.dispatch.job import Job
from services.notifier.dispatch.logbook import Left
from services.notifier.store import deliveries, doubts, mail, notices, volume
from services.notifier.store.deliveries import Claim, Conclusion

REFUSED_WAITS = (60.0, 300.0, 900.0, 1800.0, 3600.0)
UNSENT_WAITS = (2.0, 5.0, 15.0, 60.0, 300.0)
TRIES = 400
"""Tries to record an outcome, about half an hour; the claim has run out long before."""

log = structlog.get_logger(__name__)

Ended = tuple[Claim, Outcome, datetime]
"""What became of a claimed delivery, and the business instant at which it left or might have left."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds until the next try after a temporary refusal, and after a line that was lost before the dot."""

    refused: tuple[float, ...] = REFUSED_WAITS
    unsent: tuple[float, ...] = UNSENT_WAITS


class Recorder:
    """Writes the two facts that matter: it goes on the wire now; this is how it ended."""

    def __init__(self, database: Database, clock: Clock, asker: Asker, waits: Waits, aside: Aside) -> None:
        self.database = database
        self.clock = clock
        self.asker = asker
        self.waits = waits
        self.aside = aside
        self._recorded: asyncio.Queue[Job] = asyncio.Queue()

    async def on_wire(self, jobs: Sequence[Job]) -> list[bool]:
        """Commit `on_wire` for those still ours and ready; answers which may go on."""
        async with self.database.transaction() as db:
            may = await deliveries.put_on_wire(db, [job.claim for job in jobs], self.clock.now())
            await self._count(db, [job for job in jobs if may.get(job.claim.delivery_id) is False])
        return [job.claim.delivery_id in may for job in jobs]

    async def _count(self, db: AsyncConnection, jobs: Sequence[Job]) -> None:
        """What leaves without a person's approval counts against the tenant's day."""
        now = self.clock.now()
        for tenant, mails in sorted(Counter(job.claim.tenant_id for job in jobs).items()):
            if await volume.count(db, tenant, volume.day_of(now), mails, now):
                log.critical("volume.stopped", tenant=str(tenant))

    async def outcomes(self, ended: Sequence[tuple[Job, Outcome]]) -> list[None]:
        """Record how these ended, however long it takes; then let their leases go."""
        for job, outcome in ended:
            DELIVERIES.labels("email", outcome.kind).inc()
            if job.permit is not None and job.written_at > job.permit.until:
                SENDS_PAST_PERMIT.inc()
                log.critical("send.past_permit", delivery=str(job.claim.delivery_id))
        now = self.clock.now()
        told = [(job.claim, outcome, now) for job, outcome in ended]
        await self.aside.halving(told, self._until_recorded, self._hold)
        for job, _ in ended:
            if job.permit is not None:
                self._recorded.put_nowait(job)
        return [None] * len(ended)

    async def _until_recorded(self, ended: Sequence[Ended]) -> None:
        for attempt in range(TRIES):
            try:
                await self._recorded_now(ended)
                return
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("outcome.waits", error=type(error).__name__, deliveries=len(ended))
                await asyncio.sleep(backoff(attempt))

    async def _hold(self, ended: Ended) -> None:
        """Its end cannot be put on record: nobody looks at it for an hour; then what was on the wire is uncertain."""
        claim, outcome, _ = ended
        told = {"outcome": outcome.kind, "code": outcome.code, "reply": outcome.text}
        log.critical("outcome.set_aside", delivery=str(claim.delivery_id), **told)
        await self._held(claim)

    async def doubt(self, lost: Sequence[Claim]) -> None:
        """Whoever held these is gone, and they were on the wire: uncertain. What cannot be put on record is held."""
        await self.aside.halving(lost, self._doubted, self._hold_again)

    async def _doubted(self, lost: Sequence[Claim]) -> None:
        async with self.database.transaction() as db:
            gone = await doubts.expire(db, lost)
            await superseding.conclude(db, {(row.tenant_id, row.notice_id) for row in gone}, self.clock.now())
            DELIVERIES_UNCERTAIN.set(await doubts.doubtful(db))
        if gone:
            log.warning("deliveries.uncertain", count=len(gone))

    async def _hold_again(self, lost: Claim) -> None:
        log.critical("doubt.set_aside", delivery=str(lost.delivery_id))
        await self._held(lost)

    async def _held(self, claim: Claim) -> None:
        """If the database is away, the claim runs out, and it is tried again then."""
        try:
            async with self.database.transaction() as db:
                await doubts.hold(db, [claim], ASIDE_FOR.total_seconds())
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("claims.run_out", error=type(error).__name__, count=1)

    async def releasing(self) -> None:
        """Let the leases of recorded outcomes go, beside the lanes: they need not wait for it. Ends by cancellation."""
        while True:
            jobs = [await self._recorded.get()]
            while not self._recorded.empty():
                jobs.append(self._recorded.get_nowait())
            await self._release(jobs)

    async def inherit(self, left: Sequence[Left]) -> None:
        """Record what a dead process knew: what it had not begun goes again, what it heard the end of has ended."""
        told = {(each.tenant_id, each.delivery_id, each.fence): each.outcome for each in left}
        now = self.clock.now()
        async with self.database.transaction() as db:
            open_ = await doubts.left_on_wire(db, told) if told else []
            if not open_:
                return
        ended = [(each, told[each.tenant_id, each.delivery_id, each.fence], at or now) for each, at in open_]
        await self.aside.halving(ended, self._recorded_now, self._hold)
        log.warning("deliveries.inherited", ended=dict(Counter(outcome.kind for _, outcome, _ in ended)))

    async def _recorded_now(self, ended: Sequence[Ended]) -> None:
        async with self.database.transaction() as db:
            await self._record(db, ended, self.clock.now())

    async def _record(self, db: AsyncConnection, ended: Sequence[Ended], now: datetime) -> None:
        told = [self._conclusion(claim, outcome, at) for claim, outcome, at in ended]
        changed = await deliveries.conclude(db, told)
        await superseding.conclude(db, {(row.tenant_id, row.notice_id) for row in changed}, now)
        for claim, outcome, _ in ended:
            if outcome.recipient_is_dead:
                await give_up_address(db, claim, now)
        if any(outcome.kind == "unknown" for _, outcome, _ in ended):
            DELIVERIES_UNCERTAIN.set(await doubts.doubtful(db))

    def _conclusion(self, claim: Claim, outcome: Outcome, at: datetime) -> Conclusion:
        tries = claim.tries
        told = Conclusion(claim, "ready", outcome.kind, outcome.code, outcome.text, tries=tries + 1)
        match outcome.kind:
            case "accepted":
                return replace(told, state="sent", reason=None, sent_at=at)
            case "unknown":
                reason = "no_answer" if outcome.phase == "body" else "unfinished"
                return replace(told, state="uncertain", reason=reason, sent_at=at)
            case "refused" if outcome.permanent:
                dead = outcome.phase == "recipient"
                return replace(told, state="failed", reason="recipient_refused" if dead else "refused")
            case kind:
                waits = self.waits.refused if kind == "refused" else self.waits.unsent
                return replace(told, seconds=waits[min(tries, len(waits) - 1)])

    async def _release(self, jobs: Sequence[Job]) -> None:
        by_tenant: dict[UUID, list[UUID]] = {}
        for job in jobs:
            by_tenant.setdefault(job.claim.tenant_id, []).append(job.claim.delivery_id)
        try:
            for tenant, ids in by_tenant.items():
                await self.asker.release(tenant, ids)
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("leases.run_out", error=type(error).__name__)


async def give_up_address(db: AsyncConnection, claim: Claim, now: datetime) -> None:
    """The mail server does not know this address: nobody writes to it again, and somebody finds another."""
    row = {"tenant_id": claim.tenant_id, "address": claim.recipient, "reason": "refused", "author": "mail server"}
    await mail.suppress(db, row | {"added_at": now})
    about = await notices.one(db, claim.tenant_id, claim.notice_id)
    if about is not None:
        await tasking.open_contact_task(db, about, why=claim.recipient, at=now, due_on=now.date())
