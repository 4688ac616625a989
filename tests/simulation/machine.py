"""A machine whose processes take turns one callback at a time, on one clock that only this machine moves.

A process is an event loop. It may be killed between any two callbacks, which is every await of its code, or frozen for
a while; nothing of it runs then, not even `finally`. The same seed plays the same history.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from random import Random
from typing import Any

TICK = 0.004
"""The longest time, in seconds, between two callbacks of a busy machine."""


class Process(asyncio.AbstractEventLoop):
    """One event loop, stepped by its machine."""

    def __init__(self, machine: "Machine") -> None:
        self.machine = machine
        self.alive = True
        self.frozen_until = 0.0
        self.book: Any = None
        """The file by which it says how far its mails are."""
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._order = itertools.count()
        self._coroutines: list[Coroutine[Any, Any, Any]] = []

    def bury(self) -> None:
        """Take apart what a dead process left, so that nothing of it is missed later."""
        asyncio._set_running_loop(self)
        try:
            for each in self._coroutines:
                while each.cr_frame is not None:  # type: ignore[attr-defined]
                    with suppress(BaseException):
                        each.close()
        finally:
            asyncio._set_running_loop(None)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run this as the process's first task; an error of it is the machine's."""
        self.create_task(work).add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        if not task.cancelled() and task.exception() is not None:
            self.machine.failures.append(task.exception())

    def next_at(self) -> float | None:
        """When it has something to do; None for never."""
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if self._ready:
            return max(self.machine.now, self.frozen_until)
        return max(self._timers[0][0], self.frozen_until) if self._timers else None

    def step(self) -> None:
        """One callback."""
        while self._timers and self._timers[0][0] <= self.machine.now:
            self._ready.append(heapq.heappop(self._timers)[2])
        handle = self._ready.popleft()
        if not handle.cancelled():
            asyncio._set_running_loop(self)
            try:
                handle._run()
            finally:
                asyncio._set_running_loop(None)

    # What asyncio asks of a loop

    def time(self) -> float:
        return self.machine.now

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It stays in the heap until its time."""

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> "asyncio.Task[Any]":
        self._coroutines.append(coro)
        return asyncio.Task(coro, loop=self, name=name)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """A dead process is taken apart without a word; of a living one this is a failure."""
        if self.alive and "exception" in context:
            self.machine.failures.append(context["exception"])


class Machine:
    """Processes, their clock and their dice."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.now = 1_000_000.0
        self.steps = 0
        self.processes: list[Process] = []
        self.failures: list[BaseException | None] = []

    def process(self) -> Process:
        """A new one, alive."""
        self.processes.append(Process(self))
        return self.processes[-1]

    def kill(self, process: Process) -> None:
        """As SIGKILL does: nothing of it runs again."""
        process.alive = False
        self.processes.remove(process)

    def turn(self) -> bool:
        """One callback of a process that has something to do by now, or the clock's way to the next; False: nothing."""
        waits = [(at, process) for process in self.processes if (at := process.next_at()) is not None]
        if not waits:
            return False
        due = [process for at, process in waits if at <= self.now]
        if not due:
            self.now = min(at for at, _ in waits)
            due = [process for at, process in waits if at <= self.now]
        self.now += self.dice.random() * TICK
        self.steps += 1
        self.dice.choice(due).step()
        return True
