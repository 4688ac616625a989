"""Notices as the set-up pages need them: somebody's latest, to look at a text on."""

from typing import Any
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.console.tables import read_model as model


async def latest(db: AsyncConnection, tenant_id: UUID, most: int = 20) -> list[dict[str, Any]]:
    """The newest notices with whom they are for; one a customer, those that nobody may name left out."""
    notice, debtor = model.notice, model.debtor
    of_payer = and_(debtor.c.tenant_id == notice.c.tenant_id, debtor.c.debtor_id == notice.c.payer_id)
    facts = (notice.c.notice_id, notice.c.payer_id, notice.c.kind, notice.c.tone, notice.c.told_at, debtor.c.name)
    asked = select(*facts).select_from(notice.join(debtor, of_payer))
    mine = (notice.c.tenant_id == tenant_id, debtor.c.name.is_not(None), notice.c.kind != "internal_notice")
    rows = await db.execute(asked.where(*mine).order_by(notice.c.told_at.desc(), notice.c.notice_id).limit(most * 10))
    found: dict[UUID, dict[str, Any]] = {}
    for row in rows:
        found.setdefault(row.payer_id, dict(row._mapping))
    return list(found.values())[:most]
