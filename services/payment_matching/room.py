"""What the routes work with, and how matching's commands are committed and answered.

Protects: an answer follows the commit, and a stopping command's answer follows the last lease over its scope. Money
told twice at once is told in turn; a deadlock or a lost race is tried again.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

from fastapi import Request
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import directory, outbox, webhooks
from libs.common.auth import Remembered
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.directory import Entity
from libs.common.errors import Refused, RelanceError, Unavailable
from libs.common.ids import uuid7
from libs.common.metrics import PAYMENTS_TAKEN, STATEMENTS
from libs.common.permits import Scope, stopping
from libs.common.retry import backoff, sqlstate
from libs.common.settings import Settings
from libs.common.together import Together
from libs.common.webhooks import VerifiedSource
from services.payment_matching import filing
from services.payment_matching.errors import UnreadableStatement
from services.payment_matching.receiving import NewPayment
from services.payment_matching.statements import reading
from services.payment_matching.statements.plain import spellings
from services.payment_matching.store import feeds, files, mappings, payments
from services.payment_matching.store.payments import Taken

Made = TypeVar("Made")
TRIES = 8
ENTITY_SECONDS = 5.0


class Room:
    """The collaborators. `hurry` wakes the loop that tries payments, if it runs in this process."""

    def __init__(self, settings: Settings, database: Database, clock: Clock, hurry: Callable[[], None]) -> None:
        self.settings = settings
        self.database = database
        self.clock = clock
        self.hurry = hurry
        self.together: Together[tuple[VerifiedSource, NewPayment], Taken] = Together(self._posted)
        self._full: Remembered[str | None] = Remembered(1.0)
        self._entities: Remembered[dict[UUID, Entity]] = Remembered(ENTITY_SECONDS)

    async def entity(self, tenant: UUID, named: UUID | None) -> Entity:
        """The entity that is named, or the only one. Raises Refused."""
        known = await self.entities(tenant)
        if not known or (named is not None and named not in known):
            self._entities.kept.pop(tenant, None)
            known = await self.entities(tenant)
        if named is None and len(known) == 1:
            return next(iter(known.values()))
        if named is None:
            raise Refused(f"There are {len(known)} entities: whose money is it?", field="entity_id")
        if named not in known:
            raise Refused(f"There is no entity {named}.", field="entity_id", remedy="Send the id of one of yours.")
        return known[named]

    def forget_entities(self, tenant: UUID) -> None:
        """Read them anew next time: what follows depends on how they are set now."""
        self._entities.kept.pop(tenant, None)

    async def entities(self, tenant: UUID) -> dict[UUID, Entity]:
        """The entities of a tenant."""
        return await self._entities.get(tenant, lambda: self._load(tenant))

    async def _load(self, tenant: UUID) -> dict[UUID, Entity]:
        async with self.database.transaction(tenant) as db:
            return {each.entity_id: each for each in await directory.entities(db, tenant)}

    async def commit(self, work: Callable[[AsyncConnection], Awaitable[Made]], *tenants: UUID) -> Made:
        """Run `work` in one transaction; again from the start when another was quicker. Raises Unavailable."""
        for attempt in range(TRIES):
            try:
                async with self.database.transaction(*tenants) as db:
                    return await work(db)
            except DBAPIError as error:
                if not passing(error):
                    raise
                await asyncio.sleep(backoff(attempt, base=0.01, cap=0.5))
        raise Unavailable("Too many requests change the same payments at once.")

    async def receive(self, told: Sequence[NewPayment]) -> list[Taken]:
        """Take payments of one tenant in one transaction; answered when nothing leaves past them."""
        tenant = told[0].tenant_id

        async def work(db: AsyncConnection) -> list[Taken]:
            return await payments.receive(db, self.clock.now(), told)

        taken = await self.commit(work, tenant)
        await self.stopped(tenant)
        PAYMENTS_TAKEN.labels("api").inc(sum(one.result == "created" for one in taken))
        return taken

    async def post(self, source: VerifiedSource, told: NewPayment) -> Taken:
        """One signed payment, committed together with whatever arrives meanwhile."""
        taken = await self.together.add((source, told))
        await self.stopped(source.tenant_id)
        PAYMENTS_TAKEN.labels("webhook").inc()
        return taken

    async def _posted(self, group: Sequence[tuple[VerifiedSource, NewPayment]]) -> list[Taken]:
        async def work(db: AsyncConnection) -> list[Taken]:
            await webhooks.remember(db, *(source for source, _ in group))
            return await payments.receive(db, self.clock.now(), [told for _, told in group])

        return await self.commit(work, *sorted({source.tenant_id for source, _ in group}))

    async def stopped(self, tenant: UUID, items: Sequence[UUID] = ()) -> None:
        """Have new money tried, and wait until nothing more leaves over these items, or the tenant's."""
        self.hurry()
        await stopping(self.database, Scope(tenant, item_ids=items))

    async def closed(self) -> str | None:
        """A sentence while so much waits for the broker that nothing more may be taken in."""
        return await self._full.get("outbox", self._waiting)

    async def _waiting(self) -> str | None:
        async with self.database.transaction() as db:
            full = await outbox.outbox_full(db)
        return "Too many events wait for the broker." if full else None

    # Files

    async def take_file(
        self, tenant: UUID, actor: str, body: bytes, entity: UUID | None, bank_account: UUID | None = None
    ) -> tuple[files.Opened, bool]:
        """Take a bank file; answers it with its result, and whether it is new. `bank_account` is a table's.

        Raises UnreadableStatement or UnknownAccount, with the feed marked; UnknownFormat; Unavailable while the same
        file is read.
        """
        facts = {"sha256": hashlib.sha256(body).digest(), "actor": actor, "size": len(body)}
        opened = await self.commit(lambda db: files.open_file(db, tenant, uuid7(), facts), tenant)
        if opened is None:
            raise Unavailable("This file is being read at this moment.")
        if opened.state == "taken":
            return opened, False
        upload = filing.Upload(tenant, opened.file_id, entity, actor)
        try:
            result = await self._read(upload, body, bank_account)
        except Exception as error:
            await self._refuse(upload, body, error)
            raise
        finally:
            await self.stopped(tenant)
        STATEMENTS.labels(str(result["format"]), "taken").inc()
        return files.Opened(opened.file_id, "taken", result), True

    async def _read(self, upload: filing.Upload, body: bytes, bank_account: UUID | None) -> dict[str, object]:
        async with self.database.transaction(upload.tenant_id) as db:
            layouts = await mappings.known(db, upload.tenant_id, bank_account)
        file = await reading.read(body, layouts)

        async def work(db: AsyncConnection) -> dict[str, object]:
            result = await filing.take_file(db, self.clock.now(), upload, file)
            await files.close_file(db, upload.tenant_id, upload.file_id, "taken", result)
            return result

        return await self.commit(work, upload.tenant_id)

    async def _refuse(self, upload: filing.Upload, body: bytes, error: Exception) -> None:
        """Keep why; an unreadable file makes the feeds stale that it may be about: all of them if nobody can tell."""
        problem = error.problem() if isinstance(error, RelanceError) else {"code": "internal_error"}
        STATEMENTS.labels("unknown", "refused").inc()

        async def work(db: AsyncConnection) -> None:
            await files.close_file(db, upload.tenant_id, upload.file_id, "refused", problem)
            if isinstance(error, UnreadableStatement):
                every = await feeds.every_account(db, upload.tenant_id)
                named = {account for account in every if any(one.encode() in body for one in spellings(account))}
                await feeds.mark_unreadable(db, self.clock.now(), upload.tenant_id, named or every)

        await self.commit(work, upload.tenant_id)


def passing(error: DBAPIError) -> bool:
    """Whether another transaction was merely in the way: a unique key just taken, a deadlock, a serialization."""
    return isinstance(error, IntegrityError) or sqlstate(error) in ("40001", "40P01", "23505", "55P03")


def here(request: Request) -> Room:
    """The room of the application that serves this request."""
    room: Room = request.app.state.room
    return room
