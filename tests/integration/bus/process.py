"""A process that runs one relay, or one member of a test's group, until it is killed; tests end it at named points.

python -m tests.integration.bus.process relay
python -m tests.integration.bus.process consumer TOPIC GROUP
"""

import asyncio
import sys

from libs.common.db import Database
from libs.common.outbox import Relay
from libs.common.runtime import Pulse
from libs.common.settings import Settings
from tests.integration.bus.world import SERVICE, World, kinds


async def main(what: str, *where: str) -> None:
    settings = Settings.from_env()
    database = Database(settings, SERVICE, "loop")
    if what == "relay":
        await Relay(settings, SERVICE, database).run(Pulse())
    else:
        topic, group = where
        await World(settings, database, *kinds(topic), group=group).consumer().run(Pulse())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
