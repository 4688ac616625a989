"""The loop that keeps what each payer with a limit owes, so that who is over it is read and not added up.

The rule it protects: an amount stands only while nothing was told of its payer since; until the loop has come round,
whoever asks adds up the items themselves.
"""

from libs.common.db import Database
from libs.common.runtime import Pulse
from libs.common.turning import turning
from services.scheduler.store import credit

REST = 15.0
MOST = 2_000


class Owing:
    """The loop; safe to run in any number of processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def run(self, pulse: Pulse) -> None:
        """Look every quarter of a minute until the process stops; troubles of the database are waited out."""

        async def turn() -> float:
            return REST if await self.once() < MOST else 0

        await turning(pulse, "owing", turn)

    async def once(self) -> int:
        """Add up some payers of whom something was told; how many."""
        async with self.database.transaction() as db:
            return await credit.keep_owing(db, MOST)
