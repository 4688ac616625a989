"""What arrives while a round is under way shares the next one: simple lanes, and few transactions."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Together(Generic[Item, Result]):
    """Calls `settle` with up to `most` items; each caller gets its own result, or the round's error."""

    def __init__(self, settle: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], most: int = 100) -> None:
        self.settle = settle
        self.most = most
        self._queue: list[tuple[Item, asyncio.Future[Result]]] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> Result:
        """Wait for the round that this item is in."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append((item, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        return await done

    async def _drain(self) -> None:
        # One turn of the loop first, so that lanes woken by the same event share the first round too.
        await asyncio.sleep(0)
        while self._queue:
            round_, self._queue = self._queue[: self.most], self._queue[self.most :]
            try:
                results = await self.settle([item for item, _ in round_])
            except Exception as error:
                _tell(round_, error)
            else:
                for (_, done), result in zip(round_, results, strict=True):
                    if not done.done():
                        done.set_result(result)


def _tell(round_: Sequence[tuple[Item, asyncio.Future[Result]]], error: Exception) -> None:
    for _, done in round_:
        if not done.done():
            done.set_exception(error)
