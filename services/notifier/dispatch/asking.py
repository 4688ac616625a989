"""May these leave now? Our own look and the three services', all leased, for up to 100 deliveries of a tenant a call.

Our own leases let our own stopping commands (a rejected notice, a reply, a suppressed address) wait like any other's.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import permits
from libs.common.calls import Peers
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.metrics import PERMIT_SECONDS, PERMITS
from libs.common.permits import Answer, Ask, Permit
from libs.common.settings import Settings
from services.notifier.dispatch.job import Job
from services.notifier.ending import OUTWARD
from services.notifier.store import volume

BETWEEN = timedelta(hours=24)
"""A contact gets at most one reminder in this time, whatever the schedule says."""

log = structlog.get_logger(__name__)


class Asker:
    """Asks for permits. `floor` is the daily volume under which no tenant is stopped."""

    def __init__(self, settings: Settings, database: Database, peers: Peers, clock: Clock, floor: int) -> None:
        self.settings = settings
        self.database = database
        self.peers = peers
        self.clock = clock
        self.floor = floor

    async def permits(self, jobs: Sequence[Job]) -> list[Permit]:
        """One permit a job, in order; each tenant is asked for on its own, all at once."""
        began = time.perf_counter()
        by_tenant: dict[UUID, list[Job]] = defaultdict(list)
        for job in jobs:
            by_tenant[job.claim.tenant_id].append(job)
        found: dict[UUID, Permit] = {}
        for each in await asyncio.gather(*(self._of_tenant(tenant, mine) for tenant, mine in by_tenant.items())):
            found |= each
        PERMIT_SECONDS.observe(time.perf_counter() - began)
        return [found[job.claim.delivery_id] for job in jobs]

    async def _of_tenant(self, tenant: UUID, jobs: Sequence[Job]) -> dict[UUID, Permit]:
        asks = [job.ask() for job in jobs]
        theirs, ours = await asyncio.gather(
            permits.request_permits(self.peers, tenant, asks),
            permits.grant(self.database, tenant, asks, self.look),
        )
        own = {answer.delivery_id: answer for answer in ours}
        found = {delivery_id: _with(permit, own[delivery_id]) for delivery_id, permit in theirs.items()}
        for permit in found.values():
            PERMITS.labels(permit.answer, next(iter(permit.reasons.values()), "")).inc()
        refused = [delivery_id for delivery_id, permit in found.items() if permit.answer != "yes"]
        if refused:
            await self.release(tenant, refused)
        return found

    async def release(self, tenant: UUID, delivery_ids: Sequence[UUID]) -> None:
        """Nobody needs to wait for these any longer."""
        await asyncio.gather(
            permits.release_permits(self.peers, tenant, delivery_ids),
            permits.release(self.database, tenant, delivery_ids),
        )

    async def look(self, db: AsyncConnection, tenant: UUID, asks: Sequence[Ask]) -> list[Answer]:
        """What we ourselves know: states, replies, suppressions, the contact's day, the tenant's volume."""
        now = self.clock.now()
        ids = [ask.delivery_id for ask in asks]
        found = await db.execute(_KNOWN, {"tenant": tenant, "ids": ids, "since": now - BETWEEN, "kinds": list(OUTWARD)})
        rows = {row.delivery_id: row for row in found}
        day = await volume.today(db, tenant, volume.day_of(now), self.floor)
        full = day.stopped_at is not None
        return [self._judged(ask, rows.get(ask.delivery_id), now, full=full) for ask in asks]

    def _judged(self, ask: Ask, row: Any, now: datetime, *, full: bool) -> Answer:
        if row is None:
            return permits.again(ask, "tenant_unknown")
        against = {
            "superseded": row.state != "ready" or row.notice_state not in ("ready", "sent", "uncertain"),
            "sandbox": row.sandbox and self.settings.sending == "live",
            "shadow": row.mode != "live",
            "suppressed": row.suppressed,
            "reply": row.unread,
            "window_over": now > row.window_ends_at,
        }
        for reason, true in against.items():
            if true:
                return permits.no(ask, reason)
        if row.stopped:
            return permits.again(ask, "tenant_stopped")
        if row.last_said is not None:
            return permits.again(ask, "contact_day", row.last_said + BETWEEN)
        return permits.again(ask, "volume") if full and row.approved_by is None else permits.yes(ask)


_KNOWN = text("""
    select d.delivery_id, d.state, n.state as notice_state, n.window_ends_at, n.approved_by, e.mode,
           t.sandbox, t.stopped,
           exists (select 1 from suppression s
                    where s.tenant_id = d.tenant_id and s.address = d.recipient) as suppressed,
           exists (select 1 from inbound_message m where m.tenant_id = d.tenant_id and m.case_id = n.case_id
                      and m.kind = 'reply' and m.read_at is null) as unread,
           (select max(o.sent_at) from delivery o
             where d.kind = any(cast(:kinds as text[])) and o.tenant_id = d.tenant_id and o.recipient = d.recipient
               and o.state in ('on_wire', 'sent', 'uncertain') and o.kind = any(cast(:kinds as text[]))
               and o.sent_at >= :since and o.notice_id <> d.notice_id) as last_said
      from unnest(cast(:ids as uuid[])) as asked (delivery_id)
      join delivery d on d.tenant_id = :tenant and d.delivery_id = asked.delivery_id
      join notice n on n.tenant_id = d.tenant_id and n.notice_id = d.notice_id
      join directory_tenant t on t.tenant_id = d.tenant_id
      join directory_entity e on e.tenant_id = d.tenant_id and e.entity_id = d.entity_id
""")


def _with(permit: Permit, ours: Answer) -> Permit:
    """The three services' permit and our own answer: one no is a no, one "again" is not a yes."""
    if ours.answer == "yes":
        return permit
    answer = "no" if "no" in (permit.answer, ours.answer) else "again"
    reasons = {"notifier": ours.reason or ours.answer, **permit.reasons}
    opens = max((one for one in (permit.opens_at, ours.opens_at) if one is not None), default=None)
    return replace(permit, answer=answer, reasons=reasons, opens_at=opens)  # type: ignore[arg-type]
