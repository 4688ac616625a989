"""The brake of a consumer or relay: one database row, so that every process of the service stops with it.

The rule it protects: a bad deploy must not drain a topic into the dead letters. It opens when letters of several
tenants (or very many of one) come within minutes, and when the broker has lost its log; it closes by a person
(`relance consumers resume`, `relance broker recover`), and after letters by a new release.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.metrics import BREAKER_OPEN
from libs.common.tables import NOBODY, breaker, dead_letter

WITHIN = timedelta(minutes=5)
TENANTS = 2
LETTERS = 5
"""Letters that open it when they are of several tenants."""
LETTERS_OF_ONE = 50

Cause = Literal["letters", "lost_log"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A breaker that is open, and why."""

    consumer: str
    opened_at: datetime
    cause: Cause
    detail: str
    release: str


@cache
def release() -> str:
    """A digest of the code that is running: another release has another one."""
    root = Path(__file__).parents[2]
    found = hashlib.sha256()
    for file in sorted(path for part in ("libs", "services") for path in (root / part).rglob("*.py")):
        found.update(file.read_bytes())
    return found.hexdigest()[:16]


async def opened(db: AsyncConnection, consumer: str | None = None) -> list[Opened]:
    """The open breakers of this schema, or of one consumer."""
    columns = (breaker.c.consumer, breaker.c.opened_at, breaker.c.cause, breaker.c.detail, breaker.c.release)
    asked = select(*columns).where(breaker.c.opened_at.is_not(None)).order_by(breaker.c.consumer)
    if consumer is not None:
        asked = asked.where(breaker.c.consumer == consumer)
    return [Opened(*row) for row in await db.execute(asked)]


async def is_open(db: AsyncConnection, consumer: str) -> bool:
    """Whether this consumer must not go on; keeps its gauge."""
    found = bool(await opened(db, consumer))
    BREAKER_OPEN.labels(consumer).set(found)
    return found


async def probe(db: AsyncConnection, consumer: str) -> None:
    """Write the consumer's row: proof that the database takes writes."""
    row = insert(breaker).values(consumer=consumer, tenant_id=NOBODY)
    now = {"probed_at": func.clock_timestamp()}
    await db.execute(row.on_conflict_do_update(index_elements=["consumer"], set_=now))


async def open_(db: AsyncConnection, consumer: str, cause: Cause, detail: str) -> None:
    """Stop this consumer everywhere; the first cause is kept."""
    await probe(db, consumer)
    facts = {"opened_at": func.clock_timestamp(), "cause": cause, "detail": detail, "release": release()}
    shut = (breaker.c.consumer == consumer, breaker.c.opened_at.is_(None))
    await db.execute(update(breaker).where(*shut).values(**facts))


async def weigh(db: AsyncConnection, consumer: str) -> bool:
    """After a letter: open if they are too many by now. Answers whether the breaker is open."""
    closed_at = select(breaker.c.closed_at).where(breaker.c.consumer == consumer).scalar_subquery()
    since = func.greatest(func.clock_timestamp() - WITHIN, closed_at)
    counts = select(func.count(), func.count(dead_letter.c.tenant_id.distinct())).where(
        dead_letter.c.consumer == consumer, dead_letter.c.set_aside_at > since
    )
    letters, tenants = (await db.execute(counts)).one()
    if (letters >= LETTERS and tenants >= TENANTS) or letters >= LETTERS_OF_ONE:
        await open_(db, consumer, "letters", f"{letters} letters of {tenants} tenants within {WITHIN}")
    return await is_open(db, consumer)


async def close(db: AsyncConnection, consumer: str, cause: Cause) -> bool:
    """Let this consumer go on if it stopped for this cause; answers whether it had."""
    return await _close(db, breaker.c.consumer == consumer, breaker.c.cause == cause)


async def close_after_deploy(db: AsyncConnection, consumer: str) -> bool:
    """A new release may try again what an older one failed at."""
    older = breaker.c.release != release()
    return await _close(db, breaker.c.consumer == consumer, breaker.c.cause == "letters", older)


async def _close(db: AsyncConnection, *which: ColumnElement[bool]) -> bool:
    nothing = dict.fromkeys(("opened_at", "cause", "detail", "release"))
    closing = update(breaker).where(*which).values(**nothing, closed_at=func.clock_timestamp())
    return bool((await db.execute(closing.returning(breaker.c.consumer))).all())
