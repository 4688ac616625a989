"""What the console's doors work with, wired once in `app.py`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request

from libs.common.calls import Peers
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.directory import INSTALLATION
from libs.common.settings import Settings
from services.console.directory.change import Change
from services.console.directory.spreading import Spreading
from services.console.people.passwords import Passwords
from services.console.stack import Stack


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


def here(request: Request) -> Room:
    """The room of this application."""
    room: Room = request.app.state.room
    return room
