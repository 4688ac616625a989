"""Whether the installation recovers from a point-in-time restore: one row in every schema, until a person ends it.

The rule it protects: while it is there no permit says yes, no message goes out and nothing new is decided.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson
from aiokafka import TopicPartition
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.tables import NOBODY, dead_letter, parked, restoring

Goals = Mapping[TopicPartition, int]
"""Partition → the offset up to which the service's consumer reads again."""


@dataclass(frozen=True, slots=True)
class Started:
    """The instant to which the database went back, the goals once groups are set back, and events set aside since."""

    restored_to: datetime
    goals: Goals | None
    set_aside: int


_UNDER_WAY = select(restoring.c.tenant_id)


async def under_way(db: AsyncConnection) -> bool:
    """Whether this service recovers. A door's transaction names NOBODY too, or it does not see it."""
    return await db.scalar(_UNDER_WAY) is not None


async def started(db: AsyncConnection) -> Started | None:
    """What is under way, if anything."""
    row = (await db.execute(select(restoring))).one_or_none()
    if row is None:
        return None
    letters = select(func.count()).where(
        dead_letter.c.set_aside_at >= row.begun_at, dead_letter.c.state.not_in(("replayed", "dropped"))
    )
    behind = select(func.count()).where(parked.c.parked_at >= row.begun_at)
    set_aside = (await db.scalar(letters) or 0) + (await db.scalar(behind) or 0)
    if row.goals is None:
        return Started(row.restored_to, None, set_aside)
    goals = {TopicPartition(topic, partition): offset for topic, partition, offset in orjson.loads(row.goals)}
    return Started(row.restored_to, goals, set_aside)


async def start(db: AsyncConnection, restored_to: datetime, goals: Goals | None = None) -> None:
    """From the commit on nothing leaves; begun again, the later word holds."""
    told = None if goals is None else orjson.dumps([[*place, end] for place, end in goals.items()]).decode()
    facts = {"restored_to": restored_to, "goals": told, "begun_at": func.clock_timestamp()}
    row = insert(restoring).values(tenant_id=NOBODY, **facts)
    await db.execute(row.on_conflict_do_update(index_elements=["tenant_id"], set_=facts))


async def stop(db: AsyncConnection) -> None:
    """From the commit on mails may leave again."""
    await db.execute(delete(restoring))
