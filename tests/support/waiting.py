"""Waiting on a condition with a deadline; the one place of the tests that sleeps."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(fn: Callable[[], T | Awaitable[T]], timeout: float = 20, *, every: float = 0.05) -> T:  # noqa: ASYNC109
    """Ask `fn` (sync or async) until it answers something truthy, and return that.

    An AssertionError counts as "not yet". After `timeout` seconds raises AssertionError with the last answer.
    """
    end = time.monotonic() + timeout
    last: object = None
    while True:
        try:
            answer = fn()
            found = await answer if inspect.isawaitable(answer) else answer
            if found:
                return found
            last = found
        except AssertionError as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s; the last answer was {last!r}")
        await asyncio.sleep(every)
