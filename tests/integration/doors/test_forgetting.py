"""The doors forget what is old, and only that."""

from uuid import UUID

from sqlalchemy import func, insert, select, text

from libs.common.db import Database
from libs.common.devstack.postgres import Postgres
from libs.common.forgetting import forget
from libs.common.ids import uuid7
from libs.common.settings import Settings
from libs.common.tables import idempotency_key, webhook_seen


async def test_keys_go_after_three_days_and_webhook_ids_after_ninety(
    postgres: Postgres, settings: Settings, tenant: UUID
) -> None:
    database = Database(settings, "console", "loop")
    async with database.transaction(tenant) as db:
        for hours in (1, 71, 73):
            made = text(f"now() - interval '{hours} hours'")
            key = {"tenant_id": tenant, "route": "r", "key": str(hours), "request_sha256": b"x"}
            await db.execute(insert(idempotency_key).values(key | {"created_at": made}))
        for days in (1, 89, 91):
            seen = text(f"now() - interval '{days} days'")
            row = {"tenant_id": tenant, "source_id": uuid7(), "webhook_id": str(days), "body_sha256": b"x"}
            await db.execute(insert(webhook_seen).values(row | {"seen_at": seen}))
    async with database.transaction() as db:
        await forget(db)
        for table in (idempotency_key, webhook_seen):
            left = await db.scalar(select(func.count()).select_from(table).where(table.c.tenant_id == tenant))
            assert left == 2
    await database.close()
