"""Addresses that nobody writes to any more."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel

from libs.common import paging, permits
from libs.common.errors import NotFound
from libs.common.http import Line, Wire
from libs.common.paging import Cursor, Limit
from libs.common.permits import Scope
from services.notifier import guard
from services.notifier.store import mail

from .shared import Approves, Here, Reads, Writes, cut

routes = APIRouter(prefix="/v1/suppressions", tags=["suppressions"])
KIND = "suppressions"


class SuppressionShown(BaseModel):
    """An address, and why nobody writes to it."""

    address: str
    reason: str
    author: str
    added_at: datetime


class Suppressions(BaseModel):
    """A page of addresses."""

    suppressions: list[SuppressionShown]
    next: str | None


class NewSuppression(Wire):
    """An address and the reason."""

    address: Line
    reason: Line


@routes.get("")
async def list_suppressions(caller: Reads, room: Here, limit: Limit = 50, cursor: Cursor = None) -> Suppressions:
    """The tenant's suppressed addresses."""
    place = paging.place(room.settings, KIND, cursor)
    async with room.database.transaction(caller.tenant_id) as db:
        rows = await mail.suppressions(db, caller.tenant_id, place[0] if place else None, limit + 1)
    page, following = cut(room.settings, KIND, rows, limit, "address")
    names = SuppressionShown.model_fields
    listed = [SuppressionShown(**{name: getattr(row, name) for name in names}) for row in page]
    return Suppressions(suppressions=listed, next=following)


@routes.post("", status_code=201)
async def suppress(asked: NewSuppression, caller: Writes, room: Here) -> SuppressionShown:
    """Write to this address no more; when this answers, nothing leaves for it."""
    told = {"address": guard.address(asked.address), "reason": asked.reason, "author": caller.subject}
    now = room.clock.now()
    async with room.database.transaction(caller.tenant_id) as db:
        await mail.suppress(db, {"tenant_id": caller.tenant_id, **told, "added_at": now})
    await permits.stopping(room.database, Scope(caller.tenant_id))
    return SuppressionShown(**told, added_at=now)


@routes.delete("/{address}", status_code=204)
async def unsuppress(address: str, caller: Approves, room: Here) -> Response:
    """Write to this address again."""
    tenant: UUID = caller.tenant_id
    async with room.database.transaction(tenant) as db:
        if not await mail.unsuppress(db, tenant, guard.address(address)):
            raise NotFound("This address is not suppressed.")
    return Response(status_code=204)
