"""A process that runs one matching loop until it is killed: python -m tests.integration.payment_matching.process"""

import asyncio

from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.runtime import Pulse
from libs.common.settings import Settings
from services.payment_matching.work import Matching
from tests.integration.payment_matching.till import NOW


async def main() -> None:
    database = Database(Settings.from_env(), "payment_matching", "loop")
    await Matching(database, FixedClock(NOW)).run(Pulse())


if __name__ == "__main__":
    asyncio.run(main())
