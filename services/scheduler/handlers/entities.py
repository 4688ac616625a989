"""What console says that moves cases: an entity goes live or changes its calendar, a tenant is stopped or resumed."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import directory
from libs.common.events import Event
from libs.common.events.directory import EntityConfigured, TenantConfigured
from services.scheduler.store import cases


async def entities_configured(db: AsyncConnection, events: list[Event]) -> None:
    """EntityConfigured: kept, and its cases looked at."""
    await directory.handlers()[EntityConfigured](db, events)
    for tenant, entity in sorted({(each.tenant, each.body.entity_id) for each in events}):
        await cases.look_at_entity(db, tenant, entity, _latest(events))


async def tenants_configured(db: AsyncConnection, events: list[Event]) -> None:
    """TenantConfigured: kept, and all its cases looked at."""
    await directory.handlers()[TenantConfigured](db, events)
    for tenant in sorted({each.tenant for each in events}):
        await cases.look_at_entity(db, tenant, None, _latest(events))


def _latest(events: Sequence[Event]) -> datetime:
    return max(each.time for each in events)
