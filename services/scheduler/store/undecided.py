"""How much waits for a second person's word: counted where it is kept, never read to be counted."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.tables import credit_block, credit_limit, policy_version, write_off_proposal

CREDIT = (
    (credit_limit, "entered", credit_limit.c.entered_by),
    (credit_block, "requested", credit_block.c.requested_by),
    (write_off_proposal, "proposed", write_off_proposal.c.proposed_by),
)
DRAFTS = ("draft", "checked", "approved")


async def credit_requests(db: AsyncConnection, tenant: UUID, subject: str) -> tuple[int, int]:
    """Limits, blocks and write-offs that nobody decided, and how many of them others than `subject` asked for."""
    parts = [select(by.label("by")).where(each.c.tenant_id == tenant, each.c.state == at) for each, at, by in CREDIT]
    return await _counted(db, union_all(*parts).subquery("asked"), subject)


async def policies(db: AsyncConnection, tenant: UUID, subject: str) -> tuple[int, int]:
    """Versions on their way to be active, and how many of them others than `subject` wrote."""
    version = policy_version.c
    asked: Select[Any] = select(version.author.label("by"))
    asked = asked.where(version.tenant_id == tenant, version.state.in_(DRAFTS))
    return await _counted(db, asked.subquery("asked"), subject)


async def _counted(db: AsyncConnection, asked: Any, subject: str) -> tuple[int, int]:
    others = func.count().filter(asked.c.by != subject)
    row = (await db.execute(select(func.count(), others).select_from(asked))).one()
    return row[0], row[1]
