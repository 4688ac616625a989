"""A small service in a process of its own: `python -m tests.integration.doors.small_service <kind of loop>`."""

import asyncio
import sys
import time
from typing import Annotated

from fastapi import APIRouter, Depends

from libs.common.auth import Caller, requires
from libs.common.db import Database
from libs.common.http import Wire, make_app
from libs.common.runtime import App, Pulse, run
from libs.common.settings import Settings


class Thing(Wire):
    """What it takes."""

    name: str


def say(fact: str) -> None:
    """Tell the test what happened, in order."""
    sys.stdout.write(fact + "\n")
    sys.stdout.flush()


async def always_open() -> None:
    """No outbox is looked at."""


async def turning(pulse: Pulse) -> None:
    """A loop as it should be: it ends when it is told, after its batch."""
    while not pulse.stopping.is_set():
        pulse.turn()
        await pulse.rest(30)
    await asyncio.sleep(0.2)
    say("batch finished")


async def dying(pulse: Pulse) -> None:
    """A loop that raises."""
    await pulse.rest(0.2)
    raise ValueError("lost my way")


async def leaving(pulse: Pulse) -> None:
    """A loop that returns though nobody asked it to."""
    await pulse.rest(0.2)


async def stuck(pulse: Pulse) -> None:
    """A loop that waits for what never comes."""
    pulse.turn()
    await asyncio.Event().wait()


async def blocking(pulse: Pulse) -> None:
    """A loop that never gives the event loop back."""
    pulse.turn()
    await asyncio.sleep(0.1)
    time.sleep(3_600)  # noqa: ASYNC251 - what must not be done is what is tested


LOOPS = {"turning": turning, "dying": dying, "leaving": leaving, "stuck": stuck, "blocking": blocking}


def wire(settings: Settings, kind: str) -> App:
    """The service with one loop of this kind beside a good one."""
    router = APIRouter()

    @router.post("/v1/things", status_code=201)
    async def make(thing: Thing, caller: Annotated[Caller, Depends(requires("invoices:write"))]) -> dict[str, str]:
        return {"name": thing.name}

    @router.get("/v1/slow")
    async def slow() -> dict[str, str]:
        say("slow begun")
        await asyncio.sleep(1)
        say("slow answered")
        return {}

    database = Database(settings, "console", "api")
    http = make_app(
        settings, "console", title="Small", routers=[router], state=None, database=database, closed=always_open
    )

    async def close() -> None:
        await database.close()
        say("pool closed")

    return App("console", http, {"good": turning, kind: LOOPS[kind]}, [close])


if __name__ == "__main__":
    here = Settings.from_env()
    asyncio.run(run(wire(here, sys.argv[1]), here, stuck_after=2))
