"""May these leave now? Our own look and the three services', all leased, for up to 100 deliveries of a tenant a call.

Our own leases let our own stopping commands (a rejected notice, a reply, a suppressed address) wait like any other's.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import permits
from libs.common.calls import Peers
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.directory import readers
from libs.common.errors import NotFound
from libs.common.metrics import PERMIT_SECONDS, PERMITS
from libs.common.permits import Answer, Ask, Permit
from libs.common.settings import Settings
from services.notifier.dispatch.job import Job
from services.notifier.ending import OUTWARD
from services.notifier.store import deliveries, facts, mail, volume
from services.notifier.store.pairs import rows_of
from services.notifier.tables import delivery, notice

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
        try:
            owner = await readers.tenant(db, tenant)
        except NotFound:
            return [permits.again(ask, "tenant_unknown") for ask in asks]
        if owner.stopped:
            return [permits.again(ask, "tenant_stopped") for ask in asks]
        if owner.sandbox and self.settings.sending == "live":
            return [permits.no(ask, "sandbox") for ask in asks]
        return await self._each(db, tenant, asks)

    async def _each(self, db: AsyncConnection, tenant: UUID, asks: Sequence[Ask]) -> list[Answer]:
        rows = {row.delivery_id: row for row in await _deliveries(db, tenant, asks)}
        notices = {
            row.notice_id: row
            for row in await rows_of(db, notice.c.notice_id, {(tenant, ask.notice_id) for ask in asks})
        }
        entities = await facts.entities(db, {(tenant, ask.entity_id) for ask in asks})
        addresses = sorted({row.recipient for row in rows.values()})
        now = self.clock.now()
        known = {
            "suppressed": await mail.suppressed(db, tenant, addresses),
            "unread": await mail.unread_cases(db, tenant, {row.case_id for row in notices.values()}),
            "recent": await deliveries.recent(db, tenant, addresses, now - BETWEEN),
            "now": now,
        }
        stopped = await self._stopped_days(db, tenant, entities)
        return [
            _judged(
                ask, rows.get(ask.delivery_id), notices[ask.notice_id], entities.get((tenant, ask.entity_id)), known
            )
            or (permits.again(ask, "volume") if _automatic(notices[ask.notice_id], stopped) else permits.yes(ask))
            for ask in asks
        ]

    async def _stopped_days(self, db: AsyncConnection, tenant: UUID, entities: Mapping[Any, Any]) -> bool:
        zone = next((each.time_zone for each in entities.values()), "Europe/Paris")
        day = self.clock.now().astimezone(ZoneInfo(zone)).date()
        return (await volume.today(db, tenant, day, self.floor)).stopped_at is not None


def _automatic(row: Any, stopped: bool) -> bool:
    return stopped and row.approved_by is None


def _judged(ask: Ask, row: Any, about: Any, entity: Any, known: Mapping[str, Any]) -> Answer | None:
    """Why this one may not leave; None when nothing of ours stands against it."""
    if row is None or row.state != "ready" or about.state not in ("ready", "sent", "uncertain"):
        return permits.no(ask, "superseded")
    against = {
        "shadow": entity is None or entity.mode == "shadow",
        "suppressed": row.recipient in known["suppressed"],
        "reply": about.case_id in known["unread"],
        "window_over": known["now"] > about.window_ends_at,
    }
    for reason, true in against.items():
        if true:
            return permits.no(ask, reason)
    if row.kind in OUTWARD and known["recent"].get(row.recipient, set()) - {about.notice_id}:
        return permits.again(ask, "contact_day")
    return None


async def _deliveries(db: AsyncConnection, tenant: UUID, asks: Sequence[Ask]) -> list[Any]:
    return await rows_of(db, delivery.c.delivery_id, {(tenant, ask.delivery_id) for ask in asks})


def _with(permit: Permit, ours: Answer) -> Permit:
    """The three services' permit and our own answer: one no is a no, one "again" is not a yes."""
    if ours.answer == "yes":
        return permit
    answer = "no" if "no" in (permit.answer, ours.answer) else "again"
    reasons = {"notifier": ours.reason or ours.answer, **permit.reasons}
    return replace(permit, answer=answer, reasons=reasons)  # type: ignore[arg-type]
