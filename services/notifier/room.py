"""What the routes work with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.settings import Settings
from services.notifier.render import Renderer
from services.notifier.store import facts
from services.notifier.tokens import Links, Tokens


@dataclass(frozen=True)
class Room:
    """The API's database, the clock, the texts, and a nudge for each loop that may have work."""

    settings: Settings
    database: Database
    clock: Clock
    renderer: Renderer
    tokens: Tokens
    links: Links
    floor: int
    """The daily volume under which no tenant is stopped."""
    nudge: Callable[[], None]

    async def today(self, db: AsyncConnection, tenant: UUID, entity: UUID) -> date:
        """The creditor's date; Paris's where the directory does not tell."""
        found = await facts.entities(db, {(tenant, entity)})
        zone = found[tenant, entity].time_zone if found else "Europe/Paris"
        return self.clock.now().astimezone(ZoneInfo(zone)).date()
