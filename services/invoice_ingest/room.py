"""What the routes of invoice_ingest work with: its collaborators, the kept directory, and the commit.

The rule it protects: an answer follows the commit, and the answer of a stopping command follows the last lease that
was live over its scope.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar
from uuid import UUID

from fastapi import Request
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import directory, outbox, webhooks
from libs.common.auth import Remembered
from libs.common.clock import Clock, today
from libs.common.crash import crash_point
from libs.common.db import Database
from libs.common.directory import Entity
from libs.common.errors import Refused, Unavailable
from libs.common.http.problems import as_ours
from libs.common.metrics import INVOICES_TAKEN
from libs.common.permits import stopping
from libs.common.retry import backoff, sqlstate
from libs.common.settings import Settings
from libs.common.together import Together
from libs.common.webhooks import VerifiedSource
from services.invoice_ingest.accounts import Offer
from services.invoice_ingest.filing import Filing, file
from services.invoice_ingest.lanes import LANES, lane_of, lanes
from services.invoice_ingest.sources.canonical import CanonicalInvoice
from services.invoice_ingest.sources.safely import SafeReader, SafeTables
from services.invoice_ingest.store.sets import Raced
from services.invoice_ingest.taking import Outcome, take

CHUNK = 200
"""Invoices a commit: larger ones make single webhooks wait (p99 34 ms at 100, 129 ms at 500)."""
AT_ONCE = CHUNK * LANES
"""Lines of a list that are worked on at once."""
TRIES = 6
ENTITY_SECONDS = 5.0
Made = TypeVar("Made")


class DryRun(Exception):
    """Carries the outcomes of a transaction that is not to be kept."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        super().__init__()
        self.outcomes = outcomes


@dataclass(frozen=True, slots=True)
class Posted:
    """A signed webhook with the offer that it makes."""

    source: VerifiedSource
    offer: Offer


class Room:
    """The collaborators, and how lists are committed."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self.settings = settings
        self.database = database
        self.clock = clock
        self.reader, self.tables = SafeReader(), SafeTables()
        self._together: list[Together[Posted, Outcome]] = [Together(self._posted) for _ in range(LANES)]
        self._full: Remembered[str | None] = Remembered(1.0)
        self._entities: Remembered[dict[UUID, Entity]] = Remembered(ENTITY_SECONDS)

    async def entity(self, tenant: UUID, named: UUID | None) -> Entity:
        """The entity that is named, or the only one. Raises Refused."""
        known = await self._entities.get(tenant, lambda: self._load(tenant))
        if not known or (named is not None and named not in known):
            self._entities.kept.pop(tenant, None)
            known = await self._entities.get(tenant, lambda: self._load(tenant))
        if named is None and len(known) == 1:
            return next(iter(known.values()))
        if named is None:
            raise Refused(
                f"There are {len(known)} entities: which one issued it?",
                field="entity_id",
                remedy="Send entity_id.",
            )
        if named not in known:
            raise Refused(
                f"There is no entity {named}.", field="entity_id", remedy="Send the id of an entity of yours."
            )
        return known[named]

    async def _load(self, tenant: UUID) -> dict[UUID, Entity]:
        async with self.database.transaction(tenant) as db:
            return {each.entity_id: each for each in await directory.entities(db, tenant)}

    def today(self, entity: Entity) -> date:
        """The business date at an entity."""
        return today(self.clock, entity.time_zone)

    def offer(self, entity: Entity, invoice: CanonicalInvoice, source: str) -> Offer:
        """An invoice as this entity's, told by `source`."""
        return Offer(entity.tenant_id, entity.entity_id, source, invoice, self.today(entity))

    async def commit(self, tenant: UUID, work: Callable[[AsyncConnection], Awaitable[Made]]) -> Made:
        """Run `work` in one transaction; again from the start when another was quicker. Raises Unavailable."""
        return await self._commit((tenant,), work)

    async def _commit(self, tenants: Sequence[UUID], work: Callable[[AsyncConnection], Awaitable[Made]]) -> Made:
        for attempt in range(TRIES):
            try:
                async with self.database.transaction(*tenants) as db:
                    made = await work(db)
                crash_point("intake.committed")
                return made
            except (Raced, DBAPIError) as error:
                if not (isinstance(error, Raced) or passing(error)):
                    raise
                await asyncio.sleep(backoff(attempt, base=0.01, cap=0.5))
        raise Unavailable("Too many requests change the same objects at once.")

    async def take(self, offers: Sequence[Offer], *, dry_run: bool = False) -> list[Outcome]:
        """One list in one transaction, answered after the commit and after what it stops has stopped."""
        tenants = sorted({offer.tenant_id for offer in offers})

        async def work(db: AsyncConnection) -> list[Outcome]:
            outcomes = await take(db, offers, self.clock.now())
            if dry_run:
                raise DryRun(outcomes)
            return outcomes

        try:
            outcomes = await self._commit(tenants, work)
        except DryRun as tried:
            return list(tried.outcomes)
        await self.taken(outcomes)
        return outcomes

    async def take_lines(self, offers: Sequence[Offer], *, dry_run: bool = False) -> list[Outcome]:
        """Some lines of a long list, in lanes side by side and commits of their own; a bad one fails alone."""
        parted = lanes(offers)
        taken = await asyncio.gather(*(self._lane([offers[place] for place in lane], dry_run) for lane in parted))
        by_place: dict[int, Outcome] = {}
        for lane, found in zip(parted, taken, strict=True):
            by_place.update(zip(lane, found, strict=True))
        return [by_place[place] for place in range(len(offers))]

    async def _lane(self, offers: Sequence[Offer], dry_run: bool) -> list[Outcome]:
        found: list[Outcome] = []
        for start in range(0, len(offers), CHUNK):
            found += await self._halving(offers[start : start + CHUNK], dry_run)
        return found

    async def _halving(self, offers: Sequence[Offer], dry_run: bool) -> list[Outcome]:
        try:
            return await self.take(offers, dry_run=dry_run)
        except Exception as error:
            ours = as_ours(error)
            if isinstance(ours, Unavailable):
                raise
            if len(offers) == 1:
                return [Outcome("refused", offers[0].external_id, problem=ours)]
        middle = len(offers) // 2
        return await self._halving(offers[:middle], dry_run) + await self._halving(offers[middle:], dry_run)

    async def file(self, tenant: UUID, filings: Sequence[Filing], *, dry_run: bool = False) -> list[Outcome]:
        """One list of debtor files in one transaction, answered like `take`."""

        async def work(db: AsyncConnection) -> list[Outcome]:
            outcomes = await file(db, tenant, filings, self.clock.now())
            if dry_run:
                raise DryRun(outcomes)
            return outcomes

        try:
            outcomes = await self.commit(tenant, work)
        except DryRun as tried:
            return list(tried.outcomes)
        await self.stopped(outcomes)
        return outcomes

    async def taken(self, outcomes: Sequence[Outcome]) -> None:
        """After a commit of invoices: count them, and wait for what they stop."""
        for outcome in outcomes:
            INVOICES_TAKEN.labels(outcome.result).inc()
        await self.stopped(outcomes)

    async def stopped(self, outcomes: Sequence[Outcome]) -> None:
        """Wait until nothing more leaves over what was amended, cancelled or credited."""
        scopes = [scope for outcome in outcomes for scope in outcome.stops]
        if scopes:
            await stopping(self.database, *scopes)

    async def post(self, posted: Posted) -> Outcome:
        """A webhook's outcome, committed together with whatever arrived meanwhile."""
        outcome = await self._together[lane_of(posted.offer)].add(posted)
        await self.taken([outcome])
        return outcome

    async def _posted(self, group: Sequence[Posted]) -> list[Outcome]:
        tenants = sorted({each.source.tenant_id for each in group})

        async def work(db: AsyncConnection) -> list[Outcome]:
            await webhooks.remember(db, *(each.source for each in group))
            return await take(db, [each.offer for each in group], self.clock.now())

        return await self._commit(tenants, work)

    async def closed(self) -> str | None:
        """A sentence while so much waits for the broker that nothing more may be taken in."""
        return await self._full.get("outbox", self._waiting)

    async def _waiting(self) -> str | None:
        async with self.database.transaction() as db:
            full = await outbox.outbox_full(db)
        return "Too many events wait for the broker." if full else None

    async def close(self) -> None:
        """End the reader's child process."""
        await self.reader.close()


def passing(error: DBAPIError) -> bool:
    """Whether another transaction was merely in the way: a unique key just taken, a deadlock, a serialization."""
    return isinstance(error, IntegrityError) or sqlstate(error) in ("40001", "40P01", "23505")


def here(request: Request) -> Room:
    """The room of the application that serves this request."""
    room: Room = request.app.state.room
    return room
