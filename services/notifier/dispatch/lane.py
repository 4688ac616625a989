"""One lane: a connection of its own, one mail after another, by the protocol of `dispatch`.

Every step up to the final dot can be taken back; after it only an answer of the mail server ends the doubt. Its slot of
the logbook is always a step ahead of what the mail server hears, and told at once what the mail server said.
"""

import time
from collections.abc import Awaitable, Callable

import structlog

from libs.common.crash import crash_point
from libs.common.metrics import SMTP_SECONDS
from libs.common.permits import Permit
from libs.common.retry import is_transient
from libs.common.together import Together
from services.notifier.channels.smtp import Outcome, Stopped, Wire
from services.notifier.dispatch.asking import Asker
from services.notifier.dispatch.job import Job
from services.notifier.dispatch.logbook import Slot
from services.notifier.dispatch.recording import Recorder

Refused = Callable[[Job, Permit], Awaitable[None]]

ROUND = 100
"""Mails that share a call or a commit at most."""

log = structlog.get_logger(__name__)


class Sharing:
    """The rounds that all lanes share: permits, on the wire, outcomes."""

    def __init__(self, asker: Asker, recorder: Recorder) -> None:
        self.permits: Together[Job, Permit] = Together(asker.permits, most=ROUND, pause=0.0)
        self.on_wire: Together[Job, bool] = Together(recorder.on_wire, most=ROUND, pause=0.0)
        self.outcomes: Together[tuple[Job, Outcome], None] = Together(recorder.outcomes, most=ROUND, pause=0.0)


class Lane:
    """Carries jobs over its wire. `refused` deals with those that may not leave."""

    def __init__(self, wire: Wire, sharing: Sharing, refused: Refused) -> None:
        self.wire = wire
        self.sharing = sharing
        self.refused = refused

    async def carry(self, job: Job, slot: Slot) -> None:
        """One mail from RCPT to its outcome on record; `slot` tells how far it came if this process dies."""
        began = time.perf_counter()
        try:
            if not self.wire.usable:
                await self.wire.close()
                await self.wire.open()
            await self.wire.offer(job.return_path, job.claim.recipient)
        except Stopped as stopped:
            await self._ended(job, stopped.outcome)
            await self._clear()
            return
        job.permit = await self.sharing.permits.add(job)
        if job.permit.answer != "yes" or job.lost:
            await self._clear()
            await self.refused(job, job.permit)
            return
        await self.end(job, slot, await self._send(job, job.permit, slot))
        SMTP_SECONDS.observe(time.perf_counter() - began)

    async def end(self, job: Job, slot: Slot, outcome: Outcome) -> None:
        """Put the outcome of what was on the wire on record."""
        slot.end(outcome)
        if outcome.kind == "accepted":
            crash_point("dispatch.accepted")
        await self._ended(job, outcome)
        slot.clear()

    async def _send(self, job: Job, permit: Permit, slot: Slot) -> Outcome:
        slot.board(job.claim)
        if not await self._on_wire(job):
            await self._clear()
            return Outcome("unsent", "recipient", text="no longer ours")
        crash_point("dispatch.on_wire")
        if not permit.live():
            await self._clear()
            return Outcome("unsent", "data", text="permit over")
        job.begun = True
        slot.begin()
        try:
            await self.wire.data()
        except Stopped as stopped:
            await self._clear()
            return stopped.outcome
        outcome = await self.wire.body(job.raw, lambda: permit.live() and not job.lost, slot.dot)
        job.written_at = self.wire.written_at
        return outcome

    async def _on_wire(self, job: Job) -> bool:
        """False also when nobody knows whether the commit took place: then nothing is sent, which is recorded."""
        try:
            return await self.sharing.on_wire.add(job)
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("wire.commit_unknown", error=type(error).__name__, delivery=str(job.claim.delivery_id))
            return False

    async def _ended(self, job: Job, outcome: Outcome) -> None:
        await self.sharing.outcomes.add((job, outcome))

    async def _clear(self) -> None:
        if self.wire.usable:
            await self.wire.withdraw()
