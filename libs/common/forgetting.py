"""What the doors remember for a while and then forget: Idempotency-Keys 72 hours, webhook ids 90 days,
why webhooks were refused 14 days.

The natural key of what a webhook tells protects for ever; its id only tells a reused one from a repeated one.
"""

from datetime import timedelta

from sqlalchemy import Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.tables import idempotency_key, webhook_refused, webhook_seen

KEPT: tuple[tuple[Table, str, timedelta], ...] = (
    (idempotency_key, "created_at", timedelta(hours=72)),
    (webhook_seen, "seen_at", timedelta(days=90)),
    (webhook_refused, "last_at", timedelta(days=14)),
)
MOST = 20_000


async def forget(db: AsyncConnection) -> None:
    """Drop what is old enough, at most 20,000 rows a table and call; for a loop, which sees all tenants."""
    for table, column, kept in KEPT:
        own = table.primary_key.columns
        old = table.c[column] < func.clock_timestamp() - kept
        chosen = select(*own).where(old).limit(MOST).with_for_update(skip_locked=True).subquery()
        same = [mine == chosen.c[mine.name] for mine in own]
        await db.execute(delete(table).where(*same))
