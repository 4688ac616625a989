"""What the console's doors work with, wired once in `app.py`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from libs.common.calls import Peers
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.directory import INSTALLATION
from libs.common.retry import sqlstate
from libs.common.settings import Settings
from services.console.directory.change import Change
from services.console.directory.spreading import Spreading
from services.console.people.passwords import Passwords
from services.console.stack import Stack
from services.console.store import kept

BUSY = ("55P03", "40P01")
"""Somebody else has the lock: the rebuild at its exchange, or another page."""
_PATIENT = text("set local lock_timeout = '1s'")


@dataclass(frozen=True)
class Room:
    """The collaborators of a request."""

    settings: Settings
    clock: Clock
    database: Database
    peers: Peers
    spreading: Spreading
    passwords: Passwords
    stack: Stack
    patience: float = 1.5
    """Seconds that a command waits until the read model has heard what it did."""

    @asynccontextmanager
    async def changing(self, tenant_id: UUID, actor: str) -> AsyncIterator[Change]:
        """One transaction over a tenant's directory; what it recorded leaves right after the commit."""
        async with self.database.transaction(tenant_id, INSTALLATION) as db:
            yield Change(db, tenant_id, actor, self.clock.now())

    async def settle(self, tenant_id: UUID, day: date, *, sales: bool = False) -> None:
        """Work out what is kept of a tenant, as far as it is behind; what is locked by others stays as it is."""
        try:
            async with self.database.transaction(tenant_id) as db:
                if await kept.behind(db, tenant_id, day, sales=sales):
                    await db.execute(_PATIENT)
                    await kept.settle(db, tenant_id, day, sales=sales)
        except DBAPIError as busy:
            if sqlstate(busy) not in BUSY:
                raise

    @asynccontextmanager
    async def settled(self, tenant_id: UUID, day: date, *, sales: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction that finds what is kept as it is on this day."""
        await self.settle(tenant_id, day, sales=sales)
        async with self.database.transaction(tenant_id) as db:
            yield db


def here(request: Request) -> Room:
    """The room of this application."""
    room: Room = request.app.state.room
    return room
