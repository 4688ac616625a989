"""Commands: a button calls the owner's HTTP API as the person who pressed it; the console changes nothing itself.

The key of a form makes a double click one command.
"""

from typing import Any

from libs.common.ids import uuid7
from services.console.people.lookup import Person
from services.console.room import Room


async def ask(room: Room, person: Person, owner: str, method: str, path: str, **how: Any) -> Any:
    """Call an owner as this person. Raises Unavailable, or PeerRefused with the owner's own words and remedy."""
    tenant, roles = person.tenant_id, sorted(person.roles)
    return await room.peers.call(method, owner, path, tenant=tenant, subject=person.actor, roles=roles, **how)


def once(key: str | None) -> dict[str, str]:
    """The header that makes a repeated command one."""
    return {"Idempotency-Key": key or str(uuid7())}
