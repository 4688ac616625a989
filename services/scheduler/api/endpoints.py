"""Where signed messages go, over HTTP: endpoints, what was posted to them, and every try."""

import base64
import secrets
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, StringConstraints

from libs.common.errors import NotFound
from libs.common.http import Wire
from libs.common.ids import uuid7
from libs.common.paging import Cursor, Limit, cursor, cut, place
from libs.common.seal import seal
from services.scheduler import commands, outgoing
from services.scheduler.api.shared import In, Reads, Writes, only_managers
from services.scheduler.errors import AlreadyEnded, ScopeUnknown
from services.scheduler.store import charges, credit
from services.scheduler.store import outgoing as store
from services.scheduler.tables import endpoint, message

routes = APIRouter(prefix="/v1/credit", tags=["credit messages"])
Url = Annotated[str, StringConstraints(min_length=8, max_length=500, pattern=r"^https?://[\x21-\x7e]+$")]


class NewEndpoint(Wire):
    """An address of yours; without a company it hears about all of them."""

    url: Url
    entity_id: UUID | None = None


class EndpointOut(BaseModel):
    """An endpoint; its secret was shown once, when it was opened."""

    endpoint_id: UUID
    entity_id: UUID | None
    url: str
    author: str
    opened_at: datetime
    closed: bool


class Opened(EndpointOut):
    """A new endpoint with the secret that its messages are signed with (Standard Webhooks)."""

    secret: str


class EndpointList(BaseModel):
    """Every endpoint, closed ones too."""

    items: list[EndpointOut]


class AttemptOut(BaseModel):
    """One try: the answer's status, or why there was none."""

    number: int
    at: datetime
    status: int | None
    error: str | None
    milliseconds: int


class MessageOut(BaseModel):
    """A message with its tries; its id is the `webhook-id` of each of them."""

    message_id: UUID
    endpoint_id: UUID
    kind: str
    subject_id: UUID
    body: str
    state: Literal["waiting", "delivered", "given_up"]
    queued_at: datetime
    ended_at: datetime | None
    attempts: list[AttemptOut]


class MessagePage(BaseModel):
    """One page of messages."""

    items: list[MessageOut]
    next: str | None


def _out(row: store.Row) -> EndpointOut:
    return EndpointOut(**{name: row[name] for name in EndpointOut.model_fields})


@routes.post("/endpoints", status_code=201)
async def open_endpoint(told: NewEndpoint, caller: Writes, room: In) -> Opened:
    """Open an endpoint; a manager's act. Messages are signed as Standard Webhooks; the secret is shown this once."""
    only_managers(caller, "opens endpoints")
    outgoing.checked_url(told.url, live=room.settings.sending == "live")
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    async with room.asking(caller) as asker:
        if told.entity_id and not await charges.knows(asker.db, asker.tenant, "entity", told.entity_id):
            raise ScopeUnknown(f"There is no entity {told.entity_id} here.", field="entity_id")
        row = {
            "tenant_id": asker.tenant, "endpoint_id": uuid7(), "entity_id": told.entity_id, "url": told.url,
            "sealed_secret": seal(room.settings.seal_keys, secret), "author": asker.subject, "opened_at": asker.now,
        }  # fmt: skip
        made = await credit.add(asker.db, endpoint, row)
    return Opened(secret=secret, **_out(made).model_dump())


@routes.get("/endpoints")
async def list_endpoints(caller: Reads, room: In) -> EndpointList:
    """Where messages go."""
    async with room.database.transaction(caller.tenant_id) as db:
        found = await store.endpoints(db, caller.tenant_id)
    return EndpointList(items=[_out(row) for row in found])


@routes.post("/endpoints/{endpoint_id}/close")
async def close_endpoint(endpoint_id: UUID, caller: Writes, room: In) -> EndpointOut:
    """Nothing is posted there any more; what waits for it is given up."""
    only_managers(caller, "closes endpoints")
    async with room.asking(caller) as asker:
        rows = await store.endpoints(asker.db, asker.tenant)
        row = next((each for each in rows if each["endpoint_id"] == endpoint_id), None)
        if row is None:
            raise NotFound(f"There is no endpoint {endpoint_id}.")
        if row["closed"]:
            raise AlreadyEnded("This endpoint is closed.")
        return _out(await credit.change(asker.db, endpoint, row, closed=True, closed_at=asker.now))


@routes.get("/messages")
async def list_messages(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    state: Literal["waiting", "delivered", "given_up"] | None = None,
    subject_id: UUID | None = None,
) -> MessagePage:
    """What was posted or is to be, with every try; of one block, alarm or proposal if asked."""
    start = place(room.settings, "messages", after)
    async with room.database.transaction(caller.tenant_id) as db:
        begin = start[0] if start else None
        found = await credit.page(db, message, caller.tenant_id, limit + 1, begin, state=state, subject_id=subject_id)
        rows, last = cut(found, limit)
        tries = await store.attempts(db, caller.tenant_id, [row["message_id"] for row in rows])
    more = cursor(room.settings, "messages", last["message_id"]) if last else None
    return MessagePage(items=[_message(row, tries) for row in rows], next=more)


def _message(row: store.Row, tries: list[store.Row]) -> MessageOut:
    names = set(MessageOut.model_fields) - {"attempts"}
    mine = [each for each in tries if each["message_id"] == row["message_id"]]
    shown = [AttemptOut(**{name: each[name] for name in AttemptOut.model_fields}) for each in mine]
    return MessageOut(attempts=shown, **{name: row[name] for name in names})


@routes.post("/messages/{message_id}/retry")
async def retry_message(message_id: UUID, caller: Writes, room: In) -> dict[Literal["result"], Literal["waiting"]]:
    """Post a message again that was given up, under the same id. One that was delivered is never posted again."""
    async with room.asking(caller) as asker:
        row = await commands.found(asker, message, message_id)
        if not await store.again(asker.db, asker.tenant, message_id):
            raise AlreadyEnded(f"This message is {row['state']}.", field="message_id")
    return {"result": "waiting"}
