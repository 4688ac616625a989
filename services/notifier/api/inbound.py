"""Mail that came back: posted raw, listed."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel

from libs.common import permits
from libs.common.paging import Cursor, Limit
from services.notifier import inbound as reading
from services.notifier import incoming
from services.notifier.inbound import Kind
from services.notifier.store import mail
from services.notifier.tables import inbound_message

from .shared import Here, Reads, Writes, after, cut

routes = APIRouter(prefix="/v1/inbound", tags=["inbound"])
LIST = "inbound"
PATH = "/v1/inbound/mail"
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"message/rfc822": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class InboundAnswer(BaseModel):
    """What was made of the message; `notice_id` is the notice that it belongs to, if one was found."""

    id: UUID
    result: Literal["created", "unchanged"]
    kind: Kind
    notice_id: UUID | None


class MessageShown(BaseModel):
    """A message as it was read."""

    message_id: UUID
    kind: Kind
    sender: str
    subject: str
    words: str
    notice_id: UUID | None
    case_id: UUID | None
    payer_id: UUID | None
    status: str | None
    received_at: datetime
    read_at: datetime | None


class Messages(BaseModel):
    """A page of inbound messages."""

    messages: list[MessageShown]
    next: str | None


def shown(row: Any) -> MessageShown:
    return MessageShown(**{name: getattr(row, name) for name in MessageShown.model_fields})


@routes.post("/mail", openapi_extra=BODY)
async def take(request: Request, caller: Writes, room: Here) -> InboundAnswer:
    """A raw message as it arrived at the reply or bounce address. A person's reply pauses its case at once."""
    raw = await request.body()
    told = reading.read(raw, room.tokens)
    now = room.clock.now()
    async with room.database.transaction(caller.tenant_id) as db:
        taken = await incoming.take(db, caller.tenant_id, raw, told, now=now, today=now.date())
    if taken.scope is not None:
        await permits.stopping(room.database, taken.scope)
    result: Literal["created", "unchanged"] = "created" if taken.new else "unchanged"
    return InboundAnswer(id=taken.message_id, result=result, kind=told.kind, notice_id=taken.notice_id)


@routes.get("")
async def list_messages(
    caller: Reads,
    room: Here,
    *,
    kind: Kind | None = None,
    matched: bool | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Messages:
    """Inbound messages; `matched=false` lists those that no notice of ours was found for."""
    where = [] if kind is None else [inbound_message.c.kind == kind]
    if matched is not None:
        known = inbound_message.c.notice_id.is_not(None)
        where.append(known if matched else ~known)
    async with room.database.transaction(caller.tenant_id) as db:
        start = after(room.settings, LIST, cursor)
        rows = await mail.page(db, caller.tenant_id, where=where, after=start, most=limit + 1)
    page, following = cut(room.settings, LIST, rows, limit, "message_id")
    return Messages(messages=[shown(row) for row in page], next=following)
