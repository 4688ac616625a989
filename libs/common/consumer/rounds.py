"""A batch cut in rounds, so that handlers may write sets.

The promise to a handler: one type per list, the order within a key kept, every subject at most once (else an upsert
fails with "cannot affect row a second time" and `update … from` keeps the older value without a word).
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import tracing
from libs.common.events import Event

Handler = Callable[[AsyncConnection, list[Event]], Awaitable[None]]
Lock = Callable[[AsyncConnection, Sequence[Event]], Awaitable[None]]
"""The service's "lock all debtors of the batch in one id-ordered `for update`"."""


class Told(Protocol):
    """What cutting needs of an event."""

    @property
    def type(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def subject(self) -> UUID: ...


T = TypeVar("T", bound=Told)


def runs(events: Iterable[T]) -> list[list[T]]:
    """The lists to hand over one after another; each event goes into the first that its key's order allows."""
    lists: list[list[T]] = []
    types: list[str] = []
    seen: list[set[UUID]] = []
    last: dict[str, int] = {}
    for event in events:
        kind, key, subject = event.type, event.key, event.subject
        n = last.get(key, 0)
        while n < len(lists) and (types[n] != kind or subject in seen[n]):
            n += 1
        if n == len(lists):
            lists.append([])
            types.append(kind)
            seen.append(set())
        lists[n].append(event)
        seen[n].add(subject)
        last[key] = n
    return lists


def each(fn: Callable[[AsyncConnection, Event], Awaitable[None]]) -> Handler:
    """A handler of lists from one of single events, for rare types; each runs within its own event's trace."""

    async def one_by_one(db: AsyncConnection, events: list[Event]) -> None:
        for event in events:
            with tracing.within(event.traceparent):
                await fn(db, event)

    return one_by_one
