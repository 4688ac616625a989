"""Webhook sources over HTTP: secrets are shown once, when they are made."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from libs.common.http import Line, Wire
from services.console.api.shared import Administrator, In, routes_of
from services.console.directory import sources
from services.console.directory.spreading import Entry

routes = routes_of("sources")
OWNERS = {"invoices": "invoice_ingest", "payments": "payment_matching"}


class NewSource(Wire):
    """A source to add: whose invoices or payments it will post."""

    entity_id: UUID
    slug: Line
    purpose: Literal["invoices", "payments"]
    label: Line | None = None


class SourceSecret(BaseModel):
    """A secret just made: shown here and never again. `path` is where the source posts."""

    source_id: UUID
    secret: str
    path: str | None = None
    laggards: list[str]


class SourceOut(BaseModel):
    """A source as it stands; `secrets` counts the live ones."""

    source_id: UUID
    entity_id: UUID
    slug: str
    purpose: str
    active: bool
    secrets: int
    label: str
    added_by: str
    added_at: datetime
    rotated_at: datetime | None


class Switch(Wire):
    """Whether a source is open."""

    active: bool


@routes.post("/sources", status_code=201)
async def add_source(caller: Administrator, room: In, wanted: NewSource, response: Response) -> SourceSecret:
    """Add a source, and wait a moment until the services know it."""
    source = sources.NewSource(wanted.entity_id, wanted.slug, wanted.purpose, wanted.label or wanted.slug)
    async with room.changing(caller.tenant_id, caller.subject) as change:
        made = await sources.add(change, room.settings.seal_keys, source)
    laggards = await room.spreading.laggards(Entry(caller.tenant_id, "source", made[0], change.version))
    response.headers["Cache-Control"] = "no-store"
    path = f"/v1/webhooks/{wanted.purpose}/{made[0]}"
    return SourceSecret(source_id=made[0], secret=made[1], path=path, laggards=laggards)


@routes.get("/sources")
async def list_sources(caller: Administrator, room: In) -> list[SourceOut]:
    """The sources of the tenant."""
    async with room.database.transaction(caller.tenant_id) as db:
        return [SourceOut(**found) for found in await sources.listed(db, caller.tenant_id)]


@routes.post("/sources/{source_id}/rotate")
async def rotate_secret(caller: Administrator, room: In, source_id: UUID, response: Response) -> SourceSecret:
    """A new secret; the one before signs too until the next rotation or `retire`."""
    async with room.changing(caller.tenant_id, caller.subject) as change:
        secret = await sources.rotate(change, room.settings.seal_keys, source_id)
    laggards = await room.spreading.laggards(Entry(caller.tenant_id, "source", source_id, change.version))
    response.headers["Cache-Control"] = "no-store"
    return SourceSecret(source_id=source_id, secret=secret, laggards=laggards)


@routes.post("/sources/{source_id}/retire", status_code=204)
async def retire_secret(caller: Administrator, room: In, source_id: UUID) -> None:
    """Only the newest secret signs from now on."""
    async with room.changing(caller.tenant_id, caller.subject) as change:
        await sources.retire(change, source_id)


@routes.patch("/sources/{source_id}", status_code=204)
async def switch_source(caller: Administrator, room: In, source_id: UUID, wanted: Switch) -> None:
    """Close or open a source."""
    async with room.changing(caller.tenant_id, caller.subject) as change:
        await sources.switch(change, source_id, active=wanted.active)
