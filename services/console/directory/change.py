"""One change of the directory: its lock, its number, the entry, the event and the audit line, all in one transaction.

Changes are rare and take their turn on one row, so `directory_version` rises in the order of the commits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.directory import keep
from libs.common.directory.completeness import ENTRIES
from libs.common.directory.tables import INSTALLATION, directory_state
from libs.common.events import event
from libs.common.events.directory import DirectoryBody
from services.console import audit
from services.console.audit import Deed

Told = TypeVar("Told", bound=DirectoryBody)


@dataclass
class Change:
    """What a rule needs to change an entry: the connection, whose tenant, who does it, and when."""

    db: AsyncConnection
    tenant_id: UUID
    actor: str
    at: datetime
    version: int = field(default=0)
    """The directory_version of the last thing told in this change."""

    async def tell(self, kind: type[Told], identity: UUID, **facts: Any) -> Told:
        """Write the entry as these facts say, and record the event that says so."""
        self.version = await _next_version(self.db)
        body = kind(
            tenant_id=self.tenant_id,
            version=await _entry_version(self.db, self.tenant_id, kind.kind, identity) + 1,
            directory_version=self.version,
            **facts,
        )
        told = event(body, self.at)
        await keep(self.db, [told])
        await outbox.record(self.db, told)
        return body

    async def note(self, action: str, kind: str, identity: object, facts: Mapping[str, Any] | None = None) -> None:
        """Add the line to the audit chain."""
        await audit.write(self.db, Deed(self.tenant_id, self.at, self.actor, action, kind, identity, facts or {}))


async def _next_version(db: AsyncConnection) -> int:
    """The next number of the whole directory; whoever asks holds the directory until the commit."""
    first = insert(directory_state).values(tenant_id=INSTALLATION, complete=True).on_conflict_do_nothing()
    await db.execute(first)
    mine = select(directory_state.c.heard).where(directory_state.c.tenant_id == INSTALLATION).with_for_update()
    return int(await db.scalar(mine) or 0) + 1


async def _entry_version(db: AsyncConnection, tenant_id: UUID, kind: str, identity: UUID) -> int:
    table, column = ENTRIES[kind]
    chosen = (table.c.tenant_id == tenant_id, table.c[column] == identity)
    return int(await db.scalar(select(table.c.version).where(*chosen)) or 0)
