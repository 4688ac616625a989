"""What people note about a customer: ours alone, told by no event, gone when the customer is erased."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from libs.common.events import Event
from libs.common.ids import uuid7
from services.console.people.lookup import Person
from services.console.tables import note

MOST = 2_000


async def add(
    db: AsyncConnection, person: Person, debtor_id: UUID, text: str, at: datetime, *, pinned: bool = False
) -> UUID:
    """Note something."""
    made = uuid7()
    mine = {"tenant_id": person.tenant_id, "note_id": made, "debtor_id": debtor_id, "text": text, "pinned": pinned}
    await db.execute(insert(note).values(**mine, user_id=person.user_id, author=person.name, at=at))
    return made


async def remove(db: AsyncConnection, person: Person, note_id: UUID) -> None:
    """Take back what this person noted. Raises NotFound for anything else."""
    mine = (note.c.tenant_id == person.tenant_id, note.c.note_id == note_id, note.c.user_id == person.user_id)
    if (await db.execute(delete(note).where(*mine).returning(note.c.note_id))).first() is None:
        raise NotFound("There is no such note of yours.")


async def of_debtors(
    db: AsyncConnection, tenant_id: UUID, debtors: Collection[UUID], most: int = 60
) -> list[dict[str, Any]]:
    """What was noted about these customers, the newest first."""
    asked = select(note).where(note.c.tenant_id == tenant_id, note.c.debtor_id.in_(list(debtors)))
    newest = asked.order_by(note.c.at.desc(), note.c.note_id).limit(most)
    return [dict(row._mapping) for row in await db.execute(newest)]


async def erased(db: AsyncConnection, events: list[Event]) -> None:
    """DebtorErased: what was noted about these customers goes with their names."""
    for event in events:
        await db.execute(delete(note).where(note.c.tenant_id == event.tenant, note.c.debtor_id == event.subject))
