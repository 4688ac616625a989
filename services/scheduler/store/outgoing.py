"""Signed messages to systems outside as rows: queued with the act they tell of, posted door by door, tried, ended.

The rules it protects: a claim is of a door, lives on the database's clock and is fenced, so that two processes never
post to one door at once; a door's messages go in their order; what was delivered is never claimed again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.store.asking import plain
from services.scheduler.tables import attempt, endpoint, message

Row = Mapping[str, Any]
CLAIM_SECONDS = 60


def _in(seconds: float) -> Any:
    return func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


async def endpoints(db: AsyncConnection, tenant: UUID, entity: UUID | None = None) -> list[Row]:
    """Where messages about a company go: the open doors of the tenant and of that company; all of them without one."""
    asked = select(endpoint).where(endpoint.c.tenant_id == tenant)
    if entity is not None:
        asked = asked.where(~endpoint.c.closed, or_(endpoint.c.entity_id.is_(None), endpoint.c.entity_id == entity))
    return [plain(row) for row in await db.execute(asked.order_by(endpoint.c.endpoint_id))]


async def queue(db: AsyncConnection, rows: Sequence[Row]) -> None:
    """Messages to be posted as soon as their transaction is committed and their door is free."""
    if rows:
        await db.execute(insert(message).values(queued_at=func.clock_timestamp()), [dict(row) for row in rows])


async def claim(db: AsyncConnection) -> Row | None:
    """The door whose time came first, claimed for a minute, with the first message that waits there; None: nothing."""
    door = (await db.execute(_door())).one_or_none()
    if door is None:
        return None
    first = _first(*door)
    mine = (message.c.tenant_id == door.tenant_id, message.c.message_id == first, message.c.state == "waiting")
    trying = update(message).where(*mine).values(tries=message.c.tries + 1)
    claimed = (await db.execute(trying.returning(message))).one_or_none()
    if claimed is None:
        return None
    facts = {"fence": endpoint.c.fence + 1, "claimed_until": _in(CLAIM_SECONDS)}
    taken = await db.execute(update(endpoint).where(*_same_door(*door)).values(facts).returning(*_DOOR))
    return plain(claimed) | plain(taken.one())


_DOOR = tuple(endpoint.c[name] for name in ("url", "sealed_secret", "closed", "failures", "fence"))


@cache
def _door() -> Select[Any]:
    """The next door, locked; others skip it. One that was closed waits for nothing."""
    now = func.clock_timestamp()
    free = or_(endpoint.c.claimed_until.is_(None), endpoint.c.claimed_until <= now)
    theirs = and_(message.c.tenant_id == endpoint.c.tenant_id, message.c.endpoint_id == endpoint.c.endpoint_id)
    waits = select(message.c.message_id).where(theirs, message.c.state == "waiting").exists()
    return (
        select(endpoint.c.tenant_id, endpoint.c.endpoint_id)
        .where(or_(endpoint.c.next_try_at <= now, endpoint.c.closed), free, waits)
        .order_by(endpoint.c.next_try_at, endpoint.c.endpoint_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def _first(tenant: UUID, door: UUID) -> ScalarSelect[Any]:
    mine = (message.c.tenant_id == tenant, message.c.endpoint_id == door, message.c.state == "waiting")
    asked = select(message.c.message_id).where(*mine)
    return asked.order_by(message.c.queued_at, message.c.message_id).limit(1).scalar_subquery()


def _same_door(tenant: UUID, door: UUID) -> tuple[ColumnElement[bool], ...]:
    return endpoint.c.tenant_id == tenant, endpoint.c.endpoint_id == door


@dataclass(frozen=True, slots=True)
class Try:
    """What a try came to: the status of the answer, or why there was none; `pause` is the door's, in seconds."""

    status: int | None
    error: str | None
    milliseconds: int
    over: bool
    pause: float

    @property
    def delivered(self) -> bool:
        """Whether the door took it."""
        return self.status is not None and 200 <= self.status < 300


async def tried(db: AsyncConnection, row: Row, told: Try) -> None:
    """Note a try of a claimed message and what follows for it and its door.

    A 2xx ends it even when the claim had passed to another process; nothing else is changed then.
    """
    noted = {"status": told.status, "error": told.error, "milliseconds": told.milliseconds, "number": row["tries"]}
    keys = {"tenant_id": row["tenant_id"], "message_id": row["message_id"]}
    await db.execute(insert(attempt).values(**keys, **noted, at=func.clock_timestamp()))
    after = {"failures": 0 if told.delivered else endpoint.c.failures + 1, "next_try_at": _in(told.pause)}
    its = _same_door(row["tenant_id"], row["endpoint_id"])
    still = update(endpoint).where(*its, endpoint.c.fence == row["fence"])
    ours = (await db.execute(still.values(claimed_until=None, **after).returning(endpoint.c.fence))).first()
    if told.delivered or (told.over and ours is not None):
        mine = (message.c.tenant_id == row["tenant_id"], message.c.message_id == row["message_id"])
        became = {"state": "delivered" if told.delivered else "given_up", "ended_at": func.clock_timestamp()}
        await db.execute(update(message).where(*mine, message.c.state == "waiting").values(became))


async def again(db: AsyncConnection, tenant: UUID, message_id: UUID) -> bool:
    """Try one that was given up again, now: its door waits no longer. False when it is not given up."""
    mine = (message.c.tenant_id == tenant, message.c.message_id == message_id, message.c.state == "given_up")
    waiting = update(message).where(*mine).values(state="waiting", ended_at=None)
    door = await db.scalar(waiting.returning(message.c.endpoint_id))
    if door is None:
        return False
    await db.execute(update(endpoint).where(*_same_door(tenant, door)).values(next_try_at=func.clock_timestamp()))
    return True


async def attempts(db: AsyncConnection, tenant: UUID, messages: Sequence[UUID]) -> list[Row]:
    """The tries of these messages, in order."""
    asked = select(attempt).where(attempt.c.tenant_id == tenant, attempt.c.message_id.in_(messages))
    found = await db.execute(asked.order_by(attempt.c.message_id, attempt.c.number))
    return [plain(row) for row in found]


async def of_subject(db: AsyncConnection, tenant: UUID, subject: UUID) -> list[Row]:
    """The messages about a block, an alarm or a proposal."""
    asked = select(message).where(message.c.tenant_id == tenant, message.c.subject_id == subject)
    return [plain(row) for row in await db.execute(asked.order_by(message.c.message_id))]
