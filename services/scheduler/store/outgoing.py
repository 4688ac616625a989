"""Signed messages to systems outside as rows: queued with the act they tell of, claimed one at a time, tried, ended.

The rule it protects: a claim lives on the database's clock and every write after it compares its fence, so that two
processes never post the same message, and what was delivered is never claimed again.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, or_, select, update
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
    """Messages to be posted as soon as their transaction is committed."""
    if rows:
        now = func.clock_timestamp()
        await db.execute(insert(message).values([{**row, "queued_at": now, "next_try_at": now} for row in rows]))


async def claim(db: AsyncConnection) -> Row | None:
    """The next message whose time has come, claimed for a minute, with its door; None when there is none."""
    now = func.clock_timestamp()
    free = or_(message.c.claimed_until.is_(None), message.c.claimed_until <= now)
    found = (
        select(message.c.tenant_id, message.c.message_id)
        .where(message.c.next_try_at <= now, free)
        .order_by(message.c.next_try_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    one = (await db.execute(found)).one_or_none()
    if one is None:
        return None
    mine = (message.c.tenant_id == one.tenant_id, message.c.message_id == one.message_id)
    facts = {"fence": message.c.fence + 1, "tries": message.c.tries + 1, "claimed_until": _in(CLAIM_SECONDS)}
    claimed = (await db.execute(update(message).where(*mine).values(**facts).returning(message))).one()
    door = select(endpoint.c.url, endpoint.c.sealed_secret, endpoint.c.closed).where(
        endpoint.c.tenant_id == one.tenant_id, endpoint.c.endpoint_id == claimed.endpoint_id
    )
    return plain(claimed) | plain((await db.execute(door)).one())


async def tried(  # noqa: PLR0917 - a try in the order of its facts
    db: AsyncConnection, row: Row, status: int | None, error: str | None, milliseconds: int, again_in: float | None
) -> bool:
    """Note a try and what follows; False when the claim had passed to another process.

    `again_in` seconds until the next one; None: delivered if the status is 2xx, else given up.
    """
    delivered = status is not None and 200 <= status < 300
    facts: dict[str, Any] = {"claimed_until": None, "next_try_at": None}
    if again_in is not None:
        facts["next_try_at"] = _in(again_in)
    else:
        facts |= {"state": "delivered" if delivered else "given_up", "ended_at": func.clock_timestamp()}
    mine = (message.c.tenant_id == row["tenant_id"], message.c.message_id == row["message_id"])
    still = (message.c.fence == row["fence"], message.c.state == "waiting")
    noted = {
        "tenant_id": row["tenant_id"],
        "message_id": row["message_id"],
        "number": row["tries"],
        "at": func.clock_timestamp(),
        "status": status,
        "error": error,
        "milliseconds": milliseconds,
    }
    await db.execute(insert(attempt).values(noted))
    changed = await db.execute(update(message).where(*mine, *still).values(**facts).returning(message.c.message_id))
    return changed.one_or_none() is not None


async def again(db: AsyncConnection, tenant: UUID, message_id: UUID) -> bool:
    """Try one that was given up again; False when it is not given up."""
    mine = (message.c.tenant_id == tenant, message.c.message_id == message_id, message.c.state == "given_up")
    facts = {"state": "waiting", "ended_at": None, "next_try_at": func.clock_timestamp()}
    return (await db.execute(update(message).where(*mine).values(**facts))).rowcount == 1


async def attempts(db: AsyncConnection, tenant: UUID, messages: Sequence[UUID]) -> list[Row]:
    """The tries of these messages, in order."""
    asked = select(attempt).where(attempt.c.tenant_id == tenant, attempt.c.message_id.in_(messages))
    found = await db.execute(asked.order_by(attempt.c.message_id, attempt.c.number))
    return [plain(row) for row in found]


async def of_subject(db: AsyncConnection, tenant: UUID, subject: UUID) -> list[Row]:
    """The messages about a block, an alarm or a proposal."""
    asked = select(message).where(message.c.tenant_id == tenant, message.c.subject_id == subject)
    return [plain(row) for row in await db.execute(asked.order_by(message.c.message_id))]
