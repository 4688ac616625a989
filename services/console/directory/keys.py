"""API keys: shown once, kept as a digest, revoked everywhere."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.auth import SCOPES
from libs.common.directory import NewKey, new_key
from libs.common.directory.tables import directory_api_key
from libs.common.errors import NotFound, Refused
from libs.common.events.directory import ApiKeyIssued, ApiKeyRevoked
from libs.common.ids import uuid7
from services.console.directory.change import Change
from services.console.tables import api_key_card


async def issue(
    change: Change, label: str, scopes: Collection[str], expires_at: datetime | None, kind: Literal["live", "test"]
) -> tuple[UUID, NewKey]:
    """A new key. Its token is in the answer and nowhere else. Raises Refused for a scope that does not exist."""
    unknown = sorted(set(scopes) - SCOPES)
    if unknown or not scopes:
        said = f"There is no scope {unknown[0]!r}." if unknown else "A key needs at least one scope."
        raise Refused(said, field="scopes", remedy="Use some of: " + ", ".join(sorted(SCOPES)) + ".")
    if expires_at is not None and expires_at <= change.at:
        raise Refused("It would have expired already.", field="expires_at")
    identity, key = uuid7(), new_key(kind)
    await change.tell(
        ApiKeyIssued,
        identity,
        key_id=identity,
        prefix=key.prefix,
        secret_sha256=key.secret_sha256,
        scopes=sorted(scopes),
        expires_at=expires_at,
    )
    card = {"key_id": identity, "label": label, "issued_by": change.actor, "issued_at": change.at}
    await change.db.execute(insert(api_key_card).values(tenant_id=change.tenant_id, **card))
    facts = {"label": label, "prefix": key.prefix, "scopes": sorted(scopes), "expires_at": expires_at}
    await change.note("api_key.issued", "api_key", identity, facts)
    return identity, key


async def revoke(change: Change, key_id: UUID) -> None:
    """The key opens nothing any more. Twice is no error. Raises NotFound."""
    table = directory_api_key
    mine = (table.c.tenant_id == change.tenant_id, table.c.key_id == key_id)
    found = (await change.db.execute(select(table.c.revoked, table.c.directory_version).where(*mine))).one_or_none()
    if found is None:
        raise NotFound(f"There is no API key {key_id}.")
    if found.revoked:
        change.version = found.directory_version
        return
    await change.tell(ApiKeyRevoked, key_id, key_id=key_id)
    card = api_key_card
    ending = update(card).where(card.c.tenant_id == change.tenant_id, card.c.key_id == key_id)
    await change.db.execute(ending.values(revoked_by=change.actor, revoked_at=change.at))
    await change.note("api_key.revoked", "api_key", key_id)


async def listed(db: AsyncConnection, tenant_id: UUID) -> list[dict[str, Any]]:
    """The keys of a tenant, newest first; nothing of their secrets."""
    key, card = directory_api_key, api_key_card
    both = key.join(card, (card.c.tenant_id == key.c.tenant_id) & (card.c.key_id == key.c.key_id))
    shown = (key.c.key_id, key.c.prefix, key.c.scopes, key.c.expires_at, key.c.revoked)
    cards = (card.c.label, card.c.issued_by, card.c.issued_at, card.c.revoked_by, card.c.revoked_at)
    asked = select(*shown, *cards).select_from(both).where(key.c.tenant_id == tenant_id)
    return [dict(row._mapping) for row in await db.execute(asked.order_by(key.c.key_id.desc()))]
