"""Whose name stands behind an actor: `user:<id>`, `key:<id>`, the command line, a service."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.console.tables import api_key_card, app_user


async def names(db: AsyncConnection, tenant_id: UUID, actors: Iterable[str]) -> Mapping[str, str]:
    """Actor → the person's name or the key's label; whoever is not known is left out."""
    people, keys = _ids(actors := set(actors), "user:"), _ids(actors, "key:")
    asked = select(app_user.c.user_id, app_user.c.name)
    users = await db.execute(asked.where(app_user.c.tenant_id == tenant_id, app_user.c.user_id.in_(people)))
    card = api_key_card
    labels = select(card.c.key_id, card.c.label).where(card.c.tenant_id == tenant_id, card.c.key_id.in_(keys))
    found = {f"user:{identity}": name for identity, name in users}
    return found | {f"key:{identity}": label for identity, label in await db.execute(labels)}


def _ids(actors: Iterable[str], prefix: str) -> list[UUID]:
    found = []
    for actor in actors:
        if actor.startswith(prefix):
            try:
                found.append(UUID(actor.removeprefix(prefix)))
            except ValueError:
                continue
    return found
