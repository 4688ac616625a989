"""How the tables (CSV, XLSX) of each account are read, as somebody saved it."""

from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payment_matching.statements.layout import Known, Layout

_KNOWN = text("""
    select b.account, b.currency, b.table_mapping from bank_account b
     where b.tenant_id = :tenant and b.table_mapping is not null
       and (cast(:chosen as uuid) is null or b.bank_account_id = :chosen)
     order by b.account
""")
_SAVE = text("""
    update bank_account b set table_mapping = cast(:layout as jsonb)
     where b.tenant_id = :tenant and b.bank_account_id = :chosen returning b.account
""")


async def known(db: AsyncConnection, tenant: UUID, chosen: UUID | None = None) -> list[Known]:
    """The mappings saved, or that of one account."""
    rows = await db.execute(_KNOWN, {"tenant": tenant, "chosen": chosen})
    return [Known.of(row.account, row.currency, row.table_mapping) for row in rows]


async def save(db: AsyncConnection, tenant: UUID, chosen: UUID, layout: Layout | None) -> str | None:
    """Save an account's mapping, or take it away; answers the account, None when there is none."""
    told: Any = None if layout is None else orjson.dumps(layout.model_dump(mode="json")).decode()
    found: str | None = await db.scalar(_SAVE, {"tenant": tenant, "chosen": chosen, "layout": told})
    return found
