"""The shared commit: what arrives while a commit is under way shares the next one.

A lone arrival is committed at once; in a stream commits are `PAUSE` apart, since a commit for six costs little more
than one for one. Each caller is answered only after the commit that took it; when a group fails, each of its members
is tried alone, so that one bad arrival fails by itself. What passes by itself (a database that is away) fails them all.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from libs.common.retry import is_transient

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MOST = 200
PAUSE = 0.01
"""Seconds after a commit in which arrivals gather for the next."""


class Together(Generic[Item, Answer]):
    """`settle` takes a group of up to `most` in one transaction and answers for each, in order."""

    def __init__(
        self,
        settle: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        most: int = MOST,
        pause: float = PAUSE,
    ) -> None:
        self._settle = settle
        self._most = most
        self._pause = pause
        self._queue: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._running: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> Answer:
        """Its answer, once it is committed. Raises what `settle` raised for it alone."""
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.append((item, done))
        if self._running is None:
            self._running = asyncio.create_task(self._drain())
        return await done

    async def _drain(self) -> None:
        try:
            # One turn of the loop first, so that whoever the same event woke shares the first group too.
            await asyncio.sleep(0)
            while self._queue:
                group, self._queue = self._queue[: self._most], self._queue[self._most :]
                await self._together(group)
                await asyncio.sleep(self._pause)
        finally:
            self._running = None

    async def _together(self, group: list[tuple[Item, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._settle([item for item, _ in group])
        except Exception as error:
            if len(group) == 1 or is_transient(error):
                for _, done in group:
                    _fail(done, error)
                return
            for one in group:
                await self._together([one])
            return
        for (_, done), answer in zip(group, answers, strict=True):
            if not done.done():
                done.set_result(answer)


def _fail(done: asyncio.Future[Answer], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
