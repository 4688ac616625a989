"""The audit chain over HTTP: reading it, verifying it, and its head to publish elsewhere."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel

from services.console import audit
from services.console.api.shared import Administrator, In, routes_of

routes = routes_of("audit")


class Line(BaseModel):
    """One entry."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject_kind: str
    subject_id: str
    facts: dict[str, Any]
    hash: str


class HeadOut(BaseModel):
    """The end of the chain: keep it elsewhere, and a chain cut short is found."""

    seq: int
    hash: str


class VerdictOut(BaseModel):
    """Whether the chain is whole; if not, the first entry that does not fit."""

    whole: bool
    entries: int
    head: str
    broken_at: int | None


@routes.get("/audit")
async def read_audit(
    caller: Administrator,
    room: In,
    before: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[Line]:
    """The newest entries, or those before one."""
    async with room.database.transaction(caller.tenant_id) as db:
        return [Line.model_validate(found) for found in await audit.page(db, caller.tenant_id, before, limit)]


@routes.get("/audit/head")
async def read_head(caller: Administrator, room: In) -> HeadOut:
    """The end of the chain."""
    async with room.database.transaction(caller.tenant_id) as db:
        return HeadOut.model_validate(await audit.head(db, caller.tenant_id), from_attributes=True)


@routes.get("/audit/verify")
async def verify_audit(caller: Administrator, room: In) -> VerdictOut:
    """Walk the whole chain."""
    async with room.database.transaction(caller.tenant_id) as db:
        return VerdictOut.model_validate(await audit.verify(db, caller.tenant_id), from_attributes=True)
