"""People's accounts over HTTP."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from libs.common.http import Line, Wire
from services.console.api.shared import Administrator, Email, In, routes_of
from services.console.people import passwords, users
from services.console.people.users import NewUser

routes = routes_of("users")


class UserIn(Wire):
    """An account to make. Without a password one is made and shown once."""

    email: Email
    name: Line
    roles: list[str]
    language: Literal["fr", "en"] = "fr"
    portfolio: Line | None = None
    password: str | None = None


class UserChange(Wire):
    """Facts of an account to change; what is absent stays. `new_password` makes one and shows it once."""

    name: Line | None = None
    language: Literal["fr", "en"] | None = None
    roles: list[str] | None = None
    portfolio: Line | None = None
    active: bool | None = None
    new_password: bool = False


class UserMade(BaseModel):
    """An account just made or changed; `password` only where one was made."""

    user_id: UUID
    password: str | None = None


class UserOut(BaseModel):
    """An account as it stands."""

    user_id: UUID
    email: str
    name: str
    language: str
    roles: list[str]
    portfolio: str | None
    active: bool
    created_at: datetime
    last_login_at: datetime | None
    version: int


@routes.post("/users", status_code=201)
async def create_user(caller: Administrator, room: In, wanted: UserIn, response: Response) -> UserMade:
    """Make an account."""
    made = None if wanted.password else passwords.new_password()
    chosen = made or str(wanted.password)
    passwords.check(chosen, wanted.email, wanted.name)
    kept = await room.passwords.keep(chosen)
    facts = NewUser(wanted.email, wanted.name, wanted.language, wanted.roles, wanted.portfolio, kept)
    async with room.changing(caller.tenant_id, caller.subject) as change:
        user_id = await users.add(change, facts)
    response.headers["Cache-Control"] = "no-store"
    return UserMade(user_id=user_id, password=made)


@routes.get("/users")
async def list_users(caller: Administrator, room: In) -> list[UserOut]:
    """The accounts of the tenant."""
    async with room.database.transaction(caller.tenant_id) as db:
        return [UserOut(**found) for found in await users.listed(db, caller.tenant_id)]


@routes.patch("/users/{user_id}")
async def change_user(
    caller: Administrator, room: In, user_id: UUID, wanted: UserChange, response: Response
) -> UserMade:
    """Change an account. Closing it, or changing its roles or password, ends its sessions."""
    facts = wanted.model_dump(exclude_unset=True, exclude={"new_password"})
    facts = {name: value for name, value in facts.items() if value is not None or name == "portfolio"}
    made = passwords.new_password() if wanted.new_password else None
    if made:
        facts["password_hash"] = await room.passwords.keep(made)
    async with room.changing(caller.tenant_id, caller.subject) as change:
        await users.alter(change, user_id, facts)
    response.headers["Cache-Control"] = "no-store"
    return UserMade(user_id=user_id, password=made)
