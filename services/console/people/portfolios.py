"""Who looks after whose accounts for a while: a substitute sees a portfolio as their own from one day to another."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound, Refused
from libs.common.ids import uuid7
from services.console.directory.change import Change
from services.console.people.lookup import Person
from services.console.tables import app_user, substitute

MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Cover:
    """A portfolio, who looks after it, and from which day to which, both included."""

    portfolio: str
    user_id: UUID
    from_on: date
    until_on: date


async def name(change: Change, cover: Cover) -> UUID:
    """Name a substitute. Raises NotFound for nobody's account, Refused for days that end before they begin."""
    if not cover.from_on <= cover.until_on or (cover.until_on - cover.from_on).days > MOST_DAYS:
        raise Refused("The last day is not after the first, or more than a year later.", field="until_on")
    of_user = (app_user.c.tenant_id == change.tenant_id, app_user.c.user_id == cover.user_id, app_user.c.active)
    if (await change.db.execute(select(app_user.c.user_id).where(*of_user))).first() is None:
        raise NotFound("There is no such person.", field="user_id")
    made = uuid7()
    row = {"tenant_id": change.tenant_id, "substitute_id": made, "named_by": change.actor, "named_at": change.at}
    facts = {name: getattr(cover, name) for name in ("portfolio", "user_id", "from_on", "until_on")}
    await change.db.execute(insert(substitute).values(**row, **facts))
    await change.note("substitute.named", "substitute", made, facts)
    return made


async def end(change: Change, substitute_id: UUID, portfolio: str | None) -> None:
    """Take one back; of this portfolio only, if one is named. Raises NotFound."""
    mine = [substitute.c.tenant_id == change.tenant_id, substitute.c.substitute_id == substitute_id]
    if portfolio is not None:
        mine.append(substitute.c.portfolio == portfolio)
    gone = delete(substitute).where(*mine).returning(substitute.c.substitute_id)
    if (await change.db.execute(gone)).first() is None:
        raise NotFound("There is no such substitute.")
    await change.note("substitute.ended", "substitute", substitute_id)


async def listed(db: AsyncConnection, person: Person, today: date, *, everybodys: bool) -> list[dict[str, Any]]:
    """The substitutes that are or will be: of this person's portfolio and in their place, or everybody's."""
    asked = select(substitute, app_user.c.name).select_from(
        substitute.join(
            app_user,
            (app_user.c.tenant_id == substitute.c.tenant_id) & (app_user.c.user_id == substitute.c.user_id),
        )
    )
    asked = asked.where(substitute.c.tenant_id == person.tenant_id, substitute.c.until_on >= today)
    if not everybodys:
        mine = substitute.c.user_id == person.user_id
        asked = asked.where(or_(mine, substitute.c.portfolio == person.portfolio) if person.portfolio else mine)
    rows = await db.execute(asked.order_by(substitute.c.from_on, substitute.c.substitute_id))
    return [dict(row._mapping) for row in rows]


async def colleagues(db: AsyncConnection, person: Person) -> list[tuple[str, str]]:
    """Who may stand in: the other people of the tenant, by name."""
    others = (app_user.c.tenant_id == person.tenant_id, app_user.c.active, app_user.c.user_id != person.user_id)
    asked = select(app_user.c.user_id, app_user.c.name).where(*others).order_by(app_user.c.name, app_user.c.user_id)
    return [(str(row.user_id), row.name) for row in await db.execute(asked)]
