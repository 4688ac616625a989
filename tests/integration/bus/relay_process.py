"""A process that runs one relay until it is killed; the tests end it at named points."""

import asyncio

from libs.common.db import Database
from libs.common.outbox import Relay
from libs.common.runtime import Pulse
from libs.common.settings import Settings
from tests.integration.bus.world import SERVICE


async def main() -> None:
    settings = Settings.from_env()
    await Relay(settings, SERVICE, Database(settings, SERVICE, "loop")).run(Pulse())


if __name__ == "__main__":
    asyncio.run(main())
