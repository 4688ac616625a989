"""What the scheduler's doors work with, wired once in `app.py`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.requests import Request

from libs.common.auth import Caller
from libs.common.calls import Peers
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.permits import Scope, stopping
from libs.common.settings import Settings
from services.scheduler.charging import Tariffs
from services.scheduler.commands import Asker
from services.scheduler.store.policies import Policies
from services.scheduler.texting import OwnTexts


@dataclass(frozen=True)
class Room:
    """The collaborators of a request."""

    settings: Settings
    clock: Clock
    database: Database
    policies: Policies
    texts: OwnTexts
    tariffs: Tariffs
    peers: Peers
    wake: Callable[[], None]
    """There is a case to be looked at: the sweep need not wait for its next turn."""
    rehearsing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a version is played for everybody: that takes all processors, so one at a time."""

    @asynccontextmanager
    async def asking(self, caller: Caller) -> AsyncIterator[Asker]:
        """One transaction on behalf of the caller; the sweep is woken after its commit."""
        async with self.database.transaction(caller.tenant_id) as db:
            yield Asker(db, caller.tenant_id, caller.subject, self.clock.now())
        self.wake()

    async def stopped(self, *scopes: Scope) -> None:
        """Wait until nothing more leaves over these scopes; call it after the commit."""
        await stopping(self.database, *scopes)


def here(request: Request) -> Room:
    """The room of this application."""
    room: Room = request.app.state.room
    return room
