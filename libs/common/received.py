"""The webhooks that a service received: what was taken and what was refused, for the console to show.

`GET /internal/v1/webhooks/received` answers the newest 200 of a tenant. See `refusals` for what is kept.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from sqlalchemy import literal, null, select, union_all

from libs.common.auth import Caller, requires_service
from libs.common.db import Database
from libs.common.tables import webhook_refused, webhook_seen

SHOWN = 200


class Received(BaseModel):
    """One webhook, or refusals of one kind counted together."""

    source_id: UUID
    webhook_id: str | None
    at: datetime
    last_at: datetime
    result: Literal["taken", "refused"]
    code: str | None
    field: str | None
    title: str | None
    count: int


class ReceivedPage(BaseModel):
    """The newest webhooks of a tenant."""

    received: list[Received]


def router(database: Database) -> APIRouter:
    """`GET /internal/v1/webhooks/received`, for every service that takes webhooks to mount."""
    routes = APIRouter(prefix="/internal/v1/webhooks", tags=["internal"])

    @routes.get("/received")
    async def received(
        caller: Annotated[Caller, Depends(requires_service())],
        source: UUID | None = None,
        refused: Annotated[bool, Query(description="Only those that were refused.")] = False,
    ) -> ReceivedPage:
        """The newest webhooks of a tenant: taken, or refused with why."""
        async with database.transaction(caller.tenant_id) as db:
            rows = await db.execute(_asked(caller.tenant_id, source, refused))
            return ReceivedPage(received=[Received.model_validate(dict(row._mapping)) for row in rows])

    return routes


def _asked(tenant: UUID, source: UUID | None, refused: bool) -> Any:
    seen, no = webhook_seen.c, webhook_refused.c
    nothing = [null().label(name) for name in ("code", "field", "title")]
    taken = select(
        seen.source_id,
        seen.webhook_id,
        seen.seen_at.label("at"),
        seen.seen_at.label("last_at"),
        literal("taken").label("result"),
        *nothing,
        literal(1).label("count"),
    ).where(seen.tenant_id == tenant)
    names = (no.source_id, no.webhook_id, no.at, no.last_at, literal("refused").label("result"))
    refusals = select(*names, no.code, no.field, no.title, no.count).where(no.tenant_id == tenant)
    if source is not None:
        taken, refusals = taken.where(seen.source_id == source), refusals.where(no.source_id == source)
    parts: list[Any] = [refusals.order_by(no.last_at.desc()).limit(SHOWN)]
    if not refused:
        parts = [*parts, taken.order_by(seen.seen_at.desc()).limit(SHOWN)]
    both = union_all(*(select(part.subquery()) for part in parts)).subquery("received")
    return select(both).order_by(both.c.last_at.desc()).limit(SHOWN)
