"""Hearing the directory: the highest version of every entry wins, in whatever order the events come."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.consumer import Handler
from libs.common.directory.tables import (
    INSTALLATION,
    directory_api_key,
    directory_bank_details,
    directory_entity,
    directory_source,
    directory_state,
    directory_tenant,
)
from libs.common.events.directory import (
    ApiKeyIssued,
    ApiKeyRevoked,
    BankDetailsApproved,
    DirectoryBody,
    EntityConfigured,
    SourceConfigured,
    TenantConfigured,
)
from libs.common.events.envelope import Body, Event

TABLES: dict[type[DirectoryBody], Table] = {
    TenantConfigured: directory_tenant,
    EntityConfigured: directory_entity,
    ApiKeyIssued: directory_api_key,
    ApiKeyRevoked: directory_api_key,
    SourceConfigured: directory_source,
    BankDetailsApproved: directory_bank_details,
}


def row(body: DirectoryBody) -> dict[str, Any]:
    """The entry's row as this body tells it: its own fields, and for keys whether they still open anything."""
    table = TABLES[type(body)]
    facts = {name: value for name, value in body.model_dump().items() if name in table.c}
    if table is directory_api_key:
        facts["revoked"] = isinstance(body, ApiKeyRevoked)
    return facts


async def keep(db: AsyncConnection, events: Sequence[Event]) -> None:
    """Write the entries of these events, all of one type, every subject at most once."""
    table = TABLES[type(events[0].body)]
    rows = [row(event.body) for event in events]
    adding = insert(table)
    told = {name: adding.excluded[name] for name in rows[0] if not table.c[name].primary_key}
    await db.execute(
        adding.on_conflict_do_update(
            index_elements=list(table.primary_key), set_=told, where=adding.excluded.version > table.c.version
        ),
        rows,
    )
    await _heard_up_to(db, max(event.body.directory_version for event in events))


async def _heard_up_to(db: AsyncConnection, version: int) -> None:
    adding = insert(directory_state).values(tenant_id=INSTALLATION, heard=version)
    higher = func.greatest(directory_state.c.heard, adding.excluded.heard)
    await db.execute(adding.on_conflict_do_update(index_elements=["tenant_id"], set_={"heard": higher}))


def handlers() -> dict[type[Body], Handler]:
    """What every service merges into its Consumer's handlers."""
    return dict.fromkeys(TABLES, keep)
