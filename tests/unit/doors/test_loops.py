"""The loops of every service when neither the database nor the broker can be reached: they wait, and none ends."""

import asyncio
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import pytest

from libs.common.runtime import App, Pulse
from libs.common.settings import PORTS
from tests.support import eventually
from tests.support.stack import free_base, settings_for

TURNS = 3


@pytest.mark.parametrize("service", PORTS)
async def test_no_loop_ends_because_what_it_needs_is_away(service: str, tmp_path: Path) -> None:
    app: App = import_module(f"services.{service}.app").wire(settings_for(tmp_path, free_base()))
    stopping = asyncio.Event()
    pulses = {name: Pulse(stopping) for name in app.loops}
    running: Mapping[str, asyncio.Task[None]] = {
        name: asyncio.create_task(_run(app, name, pulses[name])) for name in app.loops
    }
    try:
        await eventually(lambda: all(_waits(running[name], pulses[name]) for name in running), 30)
    finally:
        stopping.set()
        for task in running.values():
            task.cancel()
        ended = await asyncio.gather(*running.values(), return_exceptions=True)
        for close in app.close:
            await close()
    assert {type(each) for each in ended} <= {type(None), asyncio.CancelledError}, ended


async def _run(app: App, name: str, pulse: Pulse) -> None:
    await app.loops[name](pulse)


def _waits(task: asyncio.Task[None], pulse: Pulse) -> bool:
    """Whether it has tried some times; what it raised, if it ended."""
    if task.done():
        task.result()
    return pulse.turns >= TURNS
