"""The loop that counts what waits for a person in quarantine, for the alert. It decides nothing."""

from libs.common.db import Database
from libs.common.metrics import QUARANTINED_OPEN
from libs.common.runtime import Pulse
from libs.common.turning import turning
from services.invoice_ingest.store import quarantine

REST = 30.0


class Counting:
    """The loop. Any number of processes may run it: it only reads."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def run(self, pulse: Pulse) -> None:
        """Count until the process stops; troubles of the database are waited out."""

        async def turn() -> float:
            await self.once()
            return REST

        await turning(pulse, "counting", turn)

    async def once(self) -> None:
        """Count what waits, over all tenants."""
        async with self.database.transaction() as db:
            QUARANTINED_OPEN.set(await quarantine.waiting(db))
