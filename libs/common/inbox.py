"""The inbox: which events a consumer has handled or dropped. An event's row and its effect commit together.

The memory is kept in months by the month in which the event was recorded, which every copy of it carries, and goes
back 400 days. An event with a named id may be recorded again in a later month, so those are looked up in all of them.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Text, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.types import Uuid

from libs.common.definers import AHEAD, INBOX_MONTHS
from libs.common.sets import adding, columns
from libs.common.tables import inbox

_NAMES = ("consumer", "event_id", "month", "tenant_id")
_known = select(inbox.c.event_id).where(
    inbox.c.consumer == bindparam("who", type_=Text), inbox.c.event_id == func.any(bindparam("ids", type_=ARRAY(Uuid)))
)


class Arrived(Protocol):
    """What the inbox needs to know of a record."""

    @property
    def event_id(self) -> UUID: ...
    @property
    def month(self) -> date: ...
    @property
    def tenant(self) -> UUID: ...


def month_of(recorded_at: datetime, now: datetime) -> date:
    """The month under which an event is remembered: that of its recording, kept within the months there are."""
    oldest, newest = shifted(now, -INBOX_MONTHS), shifted(now, AHEAD)
    return min(max(shifted(recorded_at), oldest), newest)


def shifted(instant: datetime, months: int = 0) -> date:
    """The first day of the month that lies so many months after this instant's, in UTC."""
    day = instant.astimezone(UTC)
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


@cache
def _claiming() -> ReturningInsert[tuple[UUID]]:
    return adding(inbox, _NAMES).returning(inbox.c.event_id)


async def known(db: AsyncConnection, consumer: str, ids: Sequence[UUID]) -> set[UUID]:
    """Those of these events that were handled or dropped before."""
    return set(await db.scalars(_known, {"who": consumer, "ids": list(ids)})) if ids else set()


async def claim(db: AsyncConnection, consumer: str, arrived: Iterable[Arrived]) -> set[UUID]:
    """Remember these events and answer which are new; sorted, so that two members never wait crosswise."""
    sought = {one.event_id: one for one in arrived}
    for old in await known(db, consumer, [id_ for id_ in sought if id_.version != 7]):
        del sought[old]
    if not sought:
        return set()
    rows: list[dict[str, Any]] = [
        {"consumer": consumer, "event_id": id_, "month": one.month, "tenant_id": one.tenant}
        for id_, one in sorted(sought.items())
    ]
    return set(await db.scalars(_claiming(), columns(rows)))
