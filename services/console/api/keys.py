"""API keys over HTTP: shown once when issued, revoked everywhere."""

import asyncio
from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel

from libs.common.auth import CACHE_SECONDS
from libs.common.http import Line, Wire
from services.console.api.shared import Administrator, In, routes_of
from services.console.directory import keys
from services.console.directory.spreading import Entry
from services.console.room import Room

routes = routes_of("api keys")


class NewKey(Wire):
    """A key to issue: what it is for, what it may do, and until when."""

    label: Line
    scopes: list[str]
    expires_at: AwareDatetime | None = None
    kind: Literal["live", "test"] = "live"


class IssuedKey(BaseModel):
    """A key just issued. `token` is shown here and never again; services that lag do not know it yet."""

    key_id: UUID
    prefix: str
    token: str
    laggards: list[str]


class KeyOut(BaseModel):
    """A key as it stands; nothing of its secret."""

    key_id: UUID
    label: str
    prefix: str | None
    scopes: list[str]
    expires_at: datetime | None
    revoked: bool
    issued_by: str
    issued_at: datetime
    revoked_by: str | None
    revoked_at: datetime | None


class Revoked(BaseModel):
    """A revocation; `laggards` may still let the key in."""

    key_id: UUID
    laggards: list[str]


@routes.post("/api-keys", status_code=201)
async def issue_key(caller: Administrator, room: In, wanted: NewKey, response: Response) -> IssuedKey:
    """Issue a key, and wait a moment until the services know it."""
    async with room.changing(caller.tenant_id, caller.subject) as change:
        key_id, key = await keys.issue(change, wanted.label, wanted.scopes, wanted.expires_at, wanted.kind)
    laggards = await room.spreading.laggards(Entry(caller.tenant_id, "api_key", key_id, change.version))
    response.headers["Cache-Control"] = "no-store"
    return IssuedKey(key_id=key_id, prefix=key.prefix, token=key.token, laggards=laggards)


@routes.get("/api-keys")
async def list_keys(caller: Administrator, room: In) -> list[KeyOut]:
    """The keys of the tenant, newest first."""
    async with room.database.transaction(caller.tenant_id) as db:
        return [KeyOut(**found) for found in await keys.listed(db, caller.tenant_id)]


@routes.delete("/api-keys/{key_id}", responses={202: {"model": Revoked}}, response_model=Revoked)
async def revoke_key(caller: Administrator, room: In, key_id: UUID) -> Response:
    """Revoke a key: 200 when no service lets it in any more, 202 naming those that have not heard it."""
    return await revoke(room, caller.tenant_id, caller.subject, key_id)


async def revoke(room: Room, tenant_id: UUID, actor: str, key_id: UUID) -> Response:
    """Revoke, and wait until every service has heard it and forgotten what it looked up before."""
    async with room.changing(tenant_id, actor) as change:
        await keys.revoke(change, key_id)
    laggards = await room.spreading.laggards(Entry(tenant_id, "api_key", key_id, change.version))
    if not laggards:
        await asyncio.sleep(CACHE_SECONDS)
    return JSONResponse({"key_id": str(key_id), "laggards": laggards}, 202 if laggards else 200)
