"""One lane: a connection of its own, one mail after another, by the protocol of `dispatch`.

Every step up to the final dot can be taken back; after it only an answer of the mail server ends the doubt. Its slot of
the logbook is always a step ahead of what the mail server hears, and told at once what the mail server said.
"""

import asyncio
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
    """Carries jobs over its wire, one at a time: while the end of one is put on record the next is on its way.
    `refused` deals with those that may not leave."""

    def __init__(self, wire: Wire, sharing: Sharing, refused: Refused) -> None:
        self.wire = wire
        self.sharing = sharing
        self.refused = refused
        self._turn = asyncio.Lock()

    async def carry(self, job: Job, slot: Slot) -> None:
        """One mail from RCPT to its outcome on record; `slot` tells how far it came if this process dies."""
        async with self._turn:
            began = time.perf_counter()
            try:
                outcome = await self._spoken(job, slot)
            except Exception:
                self.wire.drop()
                raise
            SMTP_SECONDS.observe(time.perf_counter() - began)
        if outcome is not None:
            await self.end(job, slot, outcome)
        elif job.permit is not None:
            await self.refused(job, job.permit)

    async def _spoken(self, job: Job, slot: Slot) -> Outcome | None:
        """How the conversation ended; None when the permit did not let it go on."""
        try:
            if not self.wire.usable:
                await self.wire.close()
                await self.wire.open()
            await self.wire.offer(job.return_path, job.claim.recipient, job.claim.copies)
        except Stopped as stopped:
            await self._clear()
            return stopped.outcome
        job.permit = await self.sharing.permits.add(job)
        if job.permit.answer != "yes" or job.lost:
            await self._clear()
            return None
        return await self._send(job, job.permit, slot)

    async def end(self, job: Job, slot: Slot, outcome: Outcome) -> None:
        """Put the outcome of what was on the wire on record."""
        slot.end(outcome)
        if outcome.kind == "accepted":
            crash_point("dispatch.accepted")
        await self.sharing.outcomes.add((job, outcome))
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

    async def _clear(self) -> None:
        if self.wire.usable:
            await self.wire.withdraw()
