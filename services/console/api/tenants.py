"""Tenants over HTTP: making one (the installation's administrator), stopping and resuming all sending."""

import asyncio
from typing import Any
from uuid import UUID

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from libs.common import directory, permits
from libs.common.directory import INSTALLATION
from libs.common.errors import Forbidden
from libs.common.http import Line, Wire
from services.console.api.shared import Administrator, Email, In, routes_of
from services.console.directory import tenants
from services.console.directory.change import Change
from services.console.directory.spreading import Entry
from services.console.people import passwords, users
from services.console.people.users import NewUser
from services.console.room import Room

routes = routes_of("tenants")


class FirstPerson(Wire):
    """The first administrator of a tenant. Without a password one is made and shown once."""

    email: Email
    name: Line
    password: str | None = None
    language: str = "fr"


class NewTenant(Wire):
    """A tenant to make."""

    name: Line
    sandbox: bool = False
    administrator: FirstPerson | None = None


class MadeTenant(BaseModel):
    """A tenant just made; `password` only where one was made for its administrator."""

    tenant_id: UUID
    name: str
    user_id: UUID | None = None
    password: str | None = None


class Why(Wire):
    """The reason of a command, for the audit."""

    reason: Line


class TenantOut(BaseModel):
    """A tenant as it stands."""

    tenant_id: UUID
    name: str
    sandbox: bool
    stopped: bool
    version: int


class Sending(BaseModel):
    """Whether a tenant's sending is stopped; `laggards` have not heard it yet."""

    stopped: bool
    laggards: list[str]


@routes.post("/tenants", status_code=201)
async def create_tenant(caller: Administrator, room: In, wanted: NewTenant, response: Response) -> MadeTenant:
    """Make a tenant, with its first administrator if one is named. Only the installation's administrator may."""
    if caller.tenant_id != INSTALLATION or "administrator" not in caller.roles:
        raise Forbidden("Only the installation's administrator makes tenants.")
    first = wanted.administrator
    secret, kept = await _password(room, first) if first else (None, "")
    identity = tenants.new_id()
    async with room.changing(identity, caller.subject) as change:
        await tenants.create(change, wanted.name, sandbox=wanted.sandbox)
        user_id = await _first(change, first, kept) if first else None
    response.headers["Cache-Control"] = "no-store"
    return MadeTenant(tenant_id=identity, name=wanted.name, user_id=user_id, password=secret)


async def _password(room: Room, first: FirstPerson) -> tuple[str | None, str]:
    """The password that was made (None when one was given) and the hash to keep."""
    made = None if first.password else passwords.new_password()
    chosen = made or str(first.password)
    passwords.check(chosen, first.email, first.name)
    return made, await room.passwords.keep(chosen)


async def _first(change: Change, first: FirstPerson, kept: str) -> UUID:
    return await users.add(change, NewUser(first.email, first.name, first.language, ["administrator"], None, kept))


@routes.get("/tenant")
async def read_tenant(caller: Administrator, room: In) -> TenantOut:
    """The caller's own tenant."""
    async with room.database.transaction(caller.tenant_id) as db:
        found = await directory.tenant(db, caller.tenant_id)
    return TenantOut.model_validate(found, from_attributes=True)


@routes.post("/tenant/stop", responses={202: {"model": Sending}})
async def stop_sending(caller: Administrator, room: In, why: Why) -> Response:
    """The emergency stop: 200 when nothing more leaves, 202 naming the services that have not heard it."""
    return await switch_sending(room, caller.tenant_id, caller.subject, why.reason, stopped=True)


@routes.post("/tenant/resume", responses={202: {"model": Sending}})
async def resume_sending(caller: Administrator, room: In, why: Why) -> Response:
    """Sending goes on where it stood."""
    return await switch_sending(room, caller.tenant_id, caller.subject, why.reason, stopped=False)


async def switch_sending(room: Room, tenant_id: UUID, actor: str, reason: str, *, stopped: bool) -> Response:
    """Stop or resume, and wait until it is true everywhere: heard by all, and permits given before are over."""
    async with room.changing(tenant_id, actor) as change:
        await (tenants.stop if stopped else tenants.resume)(change, reason)
    laggards = await room.spreading.laggards(Entry(tenant_id, "tenant", tenant_id, change.version))
    if stopped and not laggards:
        await asyncio.sleep(permits.LEASE_SECONDS)
    told: dict[str, Any] = {"stopped": stopped, "laggards": laggards}
    return JSONResponse(told, 202 if laggards else 200)
