"""A process: its doors and its loops in one task group, from the first turn to the last.

A loop that ends or raises ends the process, and so does one that makes no turn for 60 s: half a service is worse than
none, and the supervisor starts it again. SIGTERM drains in order: not ready, no new connections, answers finished,
loops finish their batch, pools closed.
"""

import asyncio
import contextlib
import gc
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.common import logs, metrics
from libs.common.connections import TimedProtocol
from libs.common.errors import RelanceError
from libs.common.settings import Settings

STUCK_SECONDS = 60
ANSWERS_SECONDS = 20
LOOPS_SECONDS = 25
NOTICE_SECONDS = 3.0
"""In production a process stays open this long after it said that it is not ready: balancers look every second."""


class LoopEnded(RelanceError):
    """A loop of this process ended though nobody asked it to."""

    code = "loop_ended"


class Pulse:
    """What a loop is given: when to stop, how to say that it turns, how to rest until there is work."""

    def __init__(self, stopping: asyncio.Event | None = None) -> None:
        self.stopping = stopping or asyncio.Event()
        self.turns = 0
        self.rests = 0
        self.held = 0
        """What the loop has in hand, or soon again, although it rests."""
        self.resting = False
        self._nudged = asyncio.Event()

    @property
    def quiet(self) -> bool:
        """Whether the loop rests and nobody has told it of work."""
        return self.resting and not self._nudged.is_set()

    def turn(self) -> None:
        """Say that the loop goes on; at least once in 60 s, also while it retries."""
        self.turns += 1

    def nudge(self) -> None:
        """There is work: end the present rest, or the next one at once."""
        self._nudged.set()

    async def rest(self, seconds: float) -> None:
        """Wait for a nudge, the end, or these seconds, whichever is first. Resting is not being stuck."""
        self.resting = True
        self.rests += 1
        waits = [asyncio.ensure_future(event.wait()) for event in (self._nudged, self.stopping)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            self._nudged.clear()
            self.resting = False
            self.turn()


Loop = Callable[[Pulse], Awaitable[None]]


@dataclass
class App:
    """One service, wired: its doors, its loops by name, and what to close at the end, in order."""

    service: str
    http: FastAPI
    loops: Mapping[str, Loop]
    close: Sequence[Callable[[], Awaitable[None]]]
    pulses: dict[str, Pulse] = field(default_factory=dict)
    """Filled when it runs: whoever has work for a loop nudges its pulse."""

    def nudge(self, loop: str) -> None:
        """Wake one loop of this process, if it runs here."""
        if loop in self.pulses:
            self.pulses[loop].nudge()


async def run(
    app: App,
    settings: Settings,
    only: Literal["http", "work"] | None = None,
    *,
    stuck_after: int = STUCK_SECONDS,
) -> None:
    """Run until SIGTERM or SIGINT, or until a loop dies. Raises LoopEnded, or the loop's error, in a group.

    `only="http"` opens the doors alone; `only="work"` runs the loops and answers health and metrics alone.
    """
    logs.configure(app.service)
    log = logs.logger()
    end, stopping = asyncio.Event(), asyncio.Event()
    loops = {} if only == "http" else app.loops
    app.pulses.update({name: Pulse(stopping) for name in loops})
    server = _server(probes(app.http) if only == "work" else app.http, settings, app.service)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    with _signals(end), _watching(app.pulses, stuck_after):
        try:
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(_serve(server, end))
                running = [
                    group.create_task(_keep(name, loop, app.pulses[name]), name=name) for name, loop in loops.items()
                ]
                log.info("started", loops=sorted(loops), port=settings.ports[app.service])
                await end.wait()
                await _close_doors(app, settings, server, serving)
                stopping.set()
                await _finish(running)
        finally:
            for close in app.close:
                await close()
            log.info("ended")


async def _close_doors(app: App, settings: Settings, server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    logs.logger().info("draining")
    app.http.state.health.draining = True
    if settings.environment == "production":
        await asyncio.sleep(NOTICE_SECONDS)
    server.should_exit = True
    await serving


async def _finish(running: Sequence[asyncio.Task[None]]) -> None:
    if not running:
        return
    _, late = await asyncio.wait(running, timeout=LOOPS_SECONDS)
    for task in late:
        logs.logger().warning("loop cut off", loop=task.get_name())
        task.cancel()


async def _keep(name: str, loop: Loop, pulse: Pulse) -> None:
    log = logs.logger()
    try:
        await loop(pulse)
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        log.critical("loop died, ending the process", loop=name, exc_info=error)
        raise
    if not pulse.stopping.is_set():
        log.critical("loop ended by itself, ending the process", loop=name)
        raise LoopEnded(f"The loop {name} ended though nobody asked it to.")


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the drain order is ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: ASGIApp, settings: Settings, service: str) -> _Server:
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.ports[service],
        http=TimedProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=ANSWERS_SECONDS,
        limit_concurrency=1_000,
        backlog=512,
    )
    return _Server(config)


async def _serve(server: uvicorn.Server, end: asyncio.Event) -> None:
    try:
        await server.serve()
    except SystemExit:
        raise LoopEnded("The doors could not be opened: the port is in use or may not be bound.") from None
    finally:
        end.set()


def probes(app: ASGIApp) -> ASGIApp:
    """The same application with only health and metrics left, for a process that runs loops alone."""

    async def narrowed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(("/healthz/", "/metrics")):
            scope = {**scope, "path": "/healthz/none", "raw_path": b"/healthz/none"}
        await app(scope, receive, send)

    return narrowed


@contextlib.contextmanager
def _signals(end: asyncio.Event) -> Iterator[None]:
    turning = asyncio.get_running_loop()
    told = (signal.SIGTERM, signal.SIGINT)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    for one in told:
        turning.add_signal_handler(one, end.set)
    try:
        yield
    finally:
        for one in told:
            turning.remove_signal_handler(one)


@contextlib.contextmanager
def _watching(pulses: Mapping[str, Pulse], stuck_after: int) -> Iterator[None]:
    """A thread that ends the process when a loop, or the event loop itself, makes no turn for `stuck_after` seconds.

    It counts its own seconds, not the clock's: a process that was frozen whole and let go again is not stuck.
    """
    over = threading.Event()
    heart = Pulse()
    beating = asyncio.get_running_loop().create_task(_beat(heart))
    watched = {**pulses, "event loop": heart}
    thread = threading.Thread(target=_watch, args=(watched, stuck_after, over), name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        beating.cancel()


async def _beat(heart: Pulse) -> None:
    while True:
        heart.turn()
        await asyncio.sleep(0.5)


def _watch(pulses: Mapping[str, Pulse], stuck_after: int, over: threading.Event) -> None:
    seen = {name: (pulse.turns, 0) for name, pulse in pulses.items()}
    while not over.wait(1.0):
        for name, pulse in pulses.items():
            turns, still = seen[name]
            moved = pulse.turns != turns or (pulse.resting and name != "event loop")
            still = 0 if moved else still + 1
            seen[name] = (pulse.turns, still)
            metrics.LOOP_AGE_SECONDS.labels(name).set(still)
            if still >= stuck_after:
                logs.logger().critical("loop is stuck, ending the process", loop=name, seconds=still)
                time.sleep(0.1)
                os._exit(70)
