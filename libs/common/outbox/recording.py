"""Recording events beside the state that they tell. Nothing else of the product publishes.

The rule it protects: state and event live or die in one transaction.
"""

import time
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import tracing
from libs.common.clock import SystemClock
from libs.common.db import RECORDED, Database
from libs.common.errors import TooLarge
from libs.common.events import OWNERS, Event, headers
from libs.common.events.envelope import Body
from libs.common.ids import uuid7
from libs.common.metrics import EVENTS_RECORDED
from libs.common.sets import columns, given
from libs.common.tables import outbox, outbox_archive

BODY_LIMIT = 900_000
"""Bytes; a broker takes a megabyte with the headers."""
BOUND = 200_000
"""Rows that may wait before doors answer 503."""

_NAMES = ("tenant_id", "event_id", "topic", "key", "headers", "body", "recorded_at")


class EventTooLarge(TooLarge):
    """The event's body is larger than a topic takes."""

    code = "event_too_large"


async def record(db: AsyncConnection, *events: Event) -> None:
    """Say these events if and only if this transaction commits, in this order; one statement for all.

    Raises EventTooLarge for a body over 900 kB.
    """
    if not events:
        return
    now = SystemClock().now()
    await _add(db, [_row(event, now) for event in events])
    for event in events:
        EVENTS_RECORDED.labels(event.type).inc()


@cache
def _saying() -> Insert:
    """The transaction gets its xid before its rows get their `seq`: the relay's floor stands on it."""
    rows = given(outbox, _NAMES)
    return insert(outbox).from_select(list(_NAMES), select(*rows.c).where(func.pg_current_xact_id().is_not(None)))


async def _add(db: AsyncConnection, rows: list[dict[str, Any]]) -> None:
    await db.execute(_saying(), columns(rows))
    db.info[RECORDED] = True


def _row(event: Event, now: Any) -> dict[str, Any]:
    body = event.body.__pydantic_serializer__.to_json(event.body)
    if len(body) > BODY_LIMIT:
        raise EventTooLarge(f"{event.type} {event.id} has {len(body)} bytes; a topic takes {BODY_LIMIT}.")
    topic = type(event.body).topic
    attributes = headers(event, OWNERS[topic], now)
    if not event.traceparent and (present := tracing.traceparent()):
        attributes["traceparent"] = present
    return {
        "tenant_id": event.tenant,
        "event_id": event.id,
        "topic": topic,
        "key": event.key,
        "headers": orjson.dumps(attributes).decode(),
        "body": body,
        "recorded_at": now,
    }


async def erase(db: AsyncConnection, about: type[Body], tenant_id: UUID, key: str) -> None:
    """Erase a key of a compacted topic: a null body for the topic, and its bodies out of the archive.

    What of the key still waits in the outbox is not said any more.
    """
    of_key = (outbox.c.tenant_id == tenant_id, outbox.c.topic == about.topic, outbox.c.key == key)
    await db.execute(delete(outbox).where(*of_key))
    archive = outbox_archive.c
    kept = (archive.tenant_id == tenant_id, archive.topic == about.topic, archive.key == key)
    await db.execute(update(outbox_archive).where(*kept).values(body=None))
    now = SystemClock().now()
    attributes = {"ce_id": str(uuid7()), "ce_tenantid": str(tenant_id), "recorded_at": now.isoformat()}
    row = {"tenant_id": tenant_id, "event_id": UUID(attributes["ce_id"]), "topic": about.topic, "key": key}
    await _add(db, [row | {"headers": orjson.dumps(attributes).decode(), "body": None, "recorded_at": now}])


class Bound:
    """Closes the doors while too much waits for the broker: `make_app(…, closed=Bound(database))`.

    It asks the database once a second at most.
    """

    def __init__(self, database: Database, bound: int = BOUND) -> None:
        self.database = database
        self.bound = bound
        self._asked_at = float("-inf")
        self._why: str | None = None

    async def __call__(self) -> str | None:
        """A sentence for the caller while nothing may be taken in, else None."""
        now = time.monotonic()
        if now - self._asked_at >= 1:
            self._asked_at = now
            async with self.database.transaction() as db:
                full = await outbox_full(db, self.bound)
            self._why = "Too many events wait for the broker; nothing was taken." if full else None
        return self._why


async def outbox_full(db: AsyncConnection, bound: int = BOUND) -> bool:
    """Whether so many events wait for the broker that doors should answer 503; 1 ms, so ask once a second at most.

    Any role may ask: the count is over all tenants.
    """
    waiting = await db.scalar(select(func.outbox_waiting(bound)))
    return int(waiting or 0) >= bound
