"""Deliveries whose end nobody put on record: their holder is gone, or it cannot be written.

The rule it protects: what may have left stays taken; it ends in doubt, never in another mail.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Update, and_, bindparam, func, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import columns
from services.notifier.store.deliveries import KEY, Claim, fenced, keys, seconds_of
from services.notifier.tables import delivery


def _shown() -> Iterator[ColumnElement[Any]]:
    """The columns of a claim, without its bytes."""
    return (delivery.c[name] if name != "raw" else null() for name in Claim.__slots__)


@cache
def _holding() -> Update:
    _, mine = fenced(KEY)
    until = func.clock_timestamp() + seconds_of(bindparam("seconds"))
    change = update(delivery).where(mine, delivery.c.state.in_(("ready", "on_wire")))
    return change.values(claimed_until=until, next_try_at=until)


async def hold(db: AsyncConnection, held: Sequence[Claim], seconds: float) -> None:
    """Nobody touches these for so long: they stand as they are, and what is on the wire is not yet uncertain."""
    await db.execute(_holding(), keys(held) | {"seconds": seconds})


def _run_out() -> ColumnElement[bool]:
    return and_(delivery.c.state == "on_wire", delivery.c.claimed_until < func.clock_timestamp())


async def lost(db: AsyncConnection) -> list[Claim]:
    """What is on the wire and whose holder let its claim run out."""
    return [Claim(*row) for row in await db.execute(select(*_shown()).where(_run_out()))]


@cache
def _expiring() -> Update:
    _, mine = fenced(KEY)
    change = update(delivery).where(mine, _run_out())
    told = change.values(state="uncertain", reason="claim_expired", claimed_until=None)
    return told.returning(delivery.c.tenant_id, delivery.c.delivery_id, delivery.c.notice_id)


async def expire(db: AsyncConnection, asked: Sequence[Claim]) -> list[Any]:
    """Those of these that are still lost are uncertain: nobody knows. Answers tenant, delivery and notice of each."""
    return list(await db.execute(_expiring(), keys(asked)))


async def left_on_wire(
    db: AsyncConnection, fences: Collection[tuple[UUID, UUID, int]]
) -> list[tuple[Claim, datetime | None]]:
    """Those of these (tenant, delivery, fence) whose end is not on record, and when each went on the wire."""
    rows, mine = fenced(KEY)
    query = select(*_shown(), delivery.c.sent_at).join(rows, mine).where(delivery.c.state.in_(("on_wire", "uncertain")))
    asked = columns([dict(zip(KEY, each, strict=True)) for each in sorted(fences)])
    return [(Claim(*row[:-1]), row[-1]) for row in await db.execute(query, asked)]


async def doubtful(db: AsyncConnection) -> int:
    """How many deliveries are uncertain, over all tenants."""
    counted = select(func.count()).select_from(delivery).where(delivery.c.state == "uncertain")
    return int(await db.scalar(counted) or 0)
