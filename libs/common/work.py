"""What a process has left to do, and a way to wake it: for `relance status`, operations, the demo and tests.

The two routes are internal. `rests` counts how often a loop found nothing more to do: one that rested when it was
nudged has made a whole pass when it rests again, one that was at work when it has rested twice. A loop that leaves
work for another one of its process nudges it, so that a process where all rest and none is nudged has nothing left
but what it holds and what the broker has not confirmed. A consumer does not rest: its lag tells.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from sqlalchemy import Select, func, select

from libs.common.auth import Caller, requires_service
from libs.common.db import Database
from libs.common.runtime import App, Pulse
from libs.common.tables import dead_letter, outbox, parked

CONSUMER = "consumer"
WITHIN, STEP = 5.0, 0.005
"""Seconds that a pass is waited for, and between looks."""


class LoopState(BaseModel):
    """How often a loop turned and rested, whether it rests now, and what it has in hand all the same."""

    turns: int
    rests: int
    resting: bool
    held: int


class WorkLeft(BaseModel):
    """What is queued in this service's schema and what the loops of this process are at."""

    service: str
    outbox: int
    oldest_seconds: float
    """Age of the oldest event that the broker has not confirmed; 0 when there is none."""
    dead_letters: int
    parked: int
    loops: dict[str, LoopState]


def with_work(app: App, loops: Database) -> App:
    """The same application, with `GET /internal/v1/work` and `POST /internal/v1/work/rest`."""
    app.http.include_router(_router(app, loops))
    return app


def _router(app: App, loops: Database) -> APIRouter:
    routes = APIRouter(prefix="/internal/v1/work", tags=["operating"])
    ours = Annotated[Caller, Depends(requires_service())]

    @routes.get("")
    async def work(caller: ours) -> WorkLeft:
        """What is left to do, and how the loops turn."""
        return await _left(app, loops)

    @routes.post("/rest")
    async def rest(caller: ours) -> WorkLeft:
        """Wake every loop until each has made a whole pass, holds nothing and is heard, and tell what is left; or
        what is left after 5 s."""
        end = time.monotonic() + WITHIN
        await _passes([pulse for name, pulse in app.pulses.items() if name != CONSUMER], end)
        while True:
            left = await _left(app, loops)
            if not left.outbox or time.monotonic() > end:
                return left
            await asyncio.sleep(STEP)

    return routes


async def _passes(pulses: Sequence[Pulse], end: float) -> None:
    goals = [(pulse, pulse.rests + (1 if pulse.resting else 2)) for pulse in pulses]
    while time.monotonic() < end:
        late = [pulse for pulse, goal in goals if pulse.rests < goal]
        if not late and all(pulse.quiet and not pulse.held for pulse in pulses):
            return
        for pulse in late:
            if pulse.resting:
                pulse.nudge()
        await asyncio.sleep(STEP)


@cache
def _queued() -> Select[Any]:
    age = func.extract("epoch", func.clock_timestamp() - func.min(outbox.c.recorded_at))
    letters = select(func.count()).select_from(dead_letter).where(dead_letter.c.state == "open").scalar_subquery()
    behind = select(func.count()).select_from(parked).scalar_subquery()
    waiting, oldest = func.count().label("waiting"), func.coalesce(age, 0).label("oldest")
    return select(waiting, oldest, letters.label("letters"), behind.label("behind")).select_from(outbox)


async def _left(app: App, loops: Database) -> WorkLeft:
    async with loops.transaction() as db:
        left = (await db.execute(_queued())).one()
    states = {
        name: LoopState(turns=pulse.turns, rests=pulse.rests, resting=pulse.resting, held=pulse.held)
        for name, pulse in app.pulses.items()
    }
    return WorkLeft(
        service=app.service,
        outbox=left.waiting,
        oldest_seconds=float(left.oldest),
        dead_letters=left.letters,
        parked=left.behind,
        loops=states,
    )
