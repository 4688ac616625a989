"""Webhook sources: who may post signed webhooks, with one or two live secrets so that a change leaves no gap.

A secret is `whsec_` and 32 random bytes in base64 (Standard Webhooks). It is shown once; rows and events hold it
sealed. The newest secret comes first.
"""

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import directory
from libs.common.directory import Source
from libs.common.directory.tables import directory_source
from libs.common.errors import NotFound, Refused
from libs.common.events.directory import SourceConfigured
from libs.common.ids import uuid7
from libs.common.seal import seal
from services.console.directory.change import Change
from services.console.errors import NameTaken
from services.console.tables import source_card

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)


def new_secret() -> str:
    """A signing secret as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True, slots=True)
class NewSource:
    """A source to be added: whose documents it posts, under which short name."""

    entity_id: UUID
    slug: str
    purpose: Literal["invoices", "payments"]
    label: str


async def add(change: Change, keys: Mapping[str, bytes], wanted: NewSource) -> tuple[UUID, str]:
    """A new source of one entity, and its secret. Raises NotFound, Refused or NameTaken."""
    slug = wanted.slug
    if not _SLUG.fullmatch(slug):
        raise Refused(f"{slug!r} is no short name.", field="slug", remedy="Use a-z, 0-9 and hyphens, up to 40.")
    await directory.entity(change.db, change.tenant_id, wanted.entity_id)
    if any(known.slug == slug for known in await directory.sources(change.db, change.tenant_id)):
        raise NameTaken(f"There is a source {slug!r} already.", field="slug")
    identity, secret = uuid7(), new_secret()
    sealed = [seal(keys, secret)]
    facts = {"entity_id": wanted.entity_id, "slug": slug, "purpose": wanted.purpose}
    await change.tell(SourceConfigured, identity, source_id=identity, sealed_secrets=sealed, **facts)
    card = {"source_id": identity, "label": wanted.label, "added_by": change.actor, "added_at": change.at}
    await change.db.execute(insert(source_card).values(tenant_id=change.tenant_id, **card))
    await change.note("source.added", "source", identity, facts)
    return identity, secret


async def rotate(change: Change, keys: Mapping[str, bytes], source_id: UUID) -> str:
    """A new secret; the one before lives on beside it until the next rotation or `retire`. Raises NotFound."""
    found, secret = await _one(change, source_id), new_secret()
    await _tell(change, found, [seal(keys, secret), *found.sealed_secrets[:1]], found.active)
    mine = (source_card.c.tenant_id == change.tenant_id, source_card.c.source_id == source_id)
    await change.db.execute(update(source_card).where(*mine).values(rotated_at=change.at))
    await change.note("source.rotated", "source", source_id)
    return secret


async def retire(change: Change, source_id: UUID) -> None:
    """Only the newest secret signs from now on. Raises NotFound."""
    found = await _one(change, source_id)
    await _tell(change, found, found.sealed_secrets[:1], found.active)
    await change.note("source.old_secret_retired", "source", source_id)


async def switch(change: Change, source_id: UUID, *, active: bool) -> None:
    """Close or open a source. Raises NotFound."""
    found = await _one(change, source_id)
    await _tell(change, found, found.sealed_secrets, active)
    await change.note("source.opened" if active else "source.closed", "source", source_id)


async def _one(change: Change, source_id: UUID) -> Source:
    for found in await directory.sources(change.db, change.tenant_id):
        if found.source_id == source_id:
            return found
    raise NotFound(f"There is no source {source_id}.")


async def _tell(change: Change, found: Source, sealed: list[str], active: bool) -> None:
    await change.tell(
        SourceConfigured,
        found.source_id,
        source_id=found.source_id,
        entity_id=found.entity_id,
        slug=found.slug,
        purpose=found.purpose,
        sealed_secrets=sealed,
        active=active,
    )


async def listed(db: AsyncConnection, tenant_id: UUID) -> list[dict[str, Any]]:
    """The sources of a tenant with the number of their live secrets; nothing of the secrets."""
    source, card = directory_source, source_card
    both = source.join(card, (card.c.tenant_id == source.c.tenant_id) & (card.c.source_id == source.c.source_id))
    shown = [source.c[name] for name in ("source_id", "entity_id", "slug", "purpose", "active", "sealed_secrets")]
    cards = (card.c.label, card.c.added_by, card.c.added_at, card.c.rotated_at)
    asked = select(*shown, *cards).select_from(both).where(source.c.tenant_id == tenant_id).order_by(source.c.slug)
    rows = [dict(row._mapping) for row in await db.execute(asked)]
    return [row | {"secrets": len(row.pop("sealed_secrets"))} for row in rows]
