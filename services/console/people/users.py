"""Accounts of people: their roles and the portfolio that is their own. A closed account's sessions end at once."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import any_, delete, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.auth import ROLES
from libs.common.errors import NotFound, Refused
from libs.common.ids import uuid7
from services.console.directory.change import Change
from services.console.errors import NameTaken
from services.console.tables import app_user, session

_SHOWN = (
    "user_id",
    "email",
    "name",
    "language",
    "roles",
    "portfolio",
    "active",
    "created_at",
    "last_login_at",
    "version",
)


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account to be made; the password is hashed already."""

    email: str
    name: str
    language: str
    roles: list[str]
    portfolio: str | None
    password_hash: str


def check_roles(roles: list[str]) -> list[str]:
    """The roles, sorted and once each. Raises Refused for one that does not exist."""
    unknown = sorted(set(roles) - set(ROLES))
    if unknown or not roles:
        said = f"There is no role {unknown[0]!r}." if unknown else "A person needs at least one role."
        raise Refused(said, field="roles", remedy="Use some of: " + ", ".join(sorted(ROLES)) + ".")
    return sorted(set(roles))


async def add(change: Change, wanted: NewUser) -> UUID:
    """A new account. Raises NameTaken when the address has one, in whichever tenant, or Refused."""
    identity = uuid7()
    facts: dict[str, Any] = {"email": wanted.email, "name": wanted.name, "language": wanted.language}
    facts |= {"roles": check_roles(wanted.roles), "portfolio": wanted.portfolio}
    row = {"tenant_id": change.tenant_id, "user_id": identity, "created_at": change.at}
    try:
        async with change.db.begin_nested():
            await change.db.execute(insert(app_user).values(**row, **facts, password_hash=wanted.password_hash))
    except IntegrityError:
        raise NameTaken("This address has an account already.", field="email") from None
    await change.note("user.added", "user", identity, facts)
    return identity


async def alter(change: Change, user_id: UUID, wanted: dict[str, Any]) -> None:
    """Change name, language, roles, portfolio, active or password_hash. Raises NotFound or Refused.

    Closing an account, changing its roles or its password ends its sessions.
    """
    mine = (app_user.c.tenant_id == change.tenant_id, app_user.c.user_id == user_id)
    found = (await change.db.execute(select(app_user).where(*mine).with_for_update())).one_or_none()
    if found is None:
        raise NotFound(f"There is no user {user_id}.")
    if "roles" in wanted:
        wanted = wanted | {"roles": check_roles(wanted["roles"])}
    changed = {name: value for name, value in wanted.items() if getattr(found, name) != value}
    await change.db.execute(update(app_user).where(*mine).values(**changed, version=app_user.c.version + 1))
    await _keep_an_administrator(change)
    if changed.keys() & {"roles", "active", "password_hash"}:
        of_user = (session.c.tenant_id == change.tenant_id, session.c.user_id == user_id)
        await change.db.execute(delete(session).where(*of_user))
    shown = {name: "changed" if name == "password_hash" else value for name, value in changed.items()}
    await change.note("user.changed", "user", user_id, shown)


async def _keep_an_administrator(change: Change) -> None:
    of_tenant = (app_user.c.tenant_id == change.tenant_id, app_user.c.active)
    left = select(func.count()).where(*of_tenant, literal("administrator") == any_(app_user.c.roles))
    if not await change.db.scalar(left):
        raise Refused("The last administrator would be gone.", remedy="Make another person administrator first.")


async def listed(db: AsyncConnection, tenant_id: UUID) -> list[dict[str, Any]]:
    """The accounts of a tenant by name; nothing of their passwords."""
    asked = select(*(app_user.c[name] for name in _SHOWN)).where(app_user.c.tenant_id == tenant_id)
    return [dict(row._mapping) for row in await db.execute(asked.order_by(app_user.c.name, app_user.c.user_id))]


async def names(db: AsyncConnection, tenant_id: UUID, actors: Collection[str]) -> dict[str, str]:
    """Actors such as `user:<id>` → the names of the people behind them; machines are left out."""
    people = {actor.removeprefix("user:"): actor for actor in actors if actor.startswith("user:")}
    asked = select(app_user.c.user_id, app_user.c.name).where(app_user.c.tenant_id == tenant_id)
    found = await db.execute(asked.where(app_user.c.user_id.in_([UUID(each) for each in people])))
    return {people[str(row.user_id)]: row.name for row in found}
