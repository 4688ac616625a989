"""What console says that moves cases: an entity goes live or changes its calendar, a tenant is stopped or resumed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import directory
from libs.common.events import Event
from libs.common.events.directory import EntityConfigured, TenantConfigured
from services.scheduler.store import cases, told


async def entities_configured(db: AsyncConnection, events: list[Event]) -> None:
    """EntityConfigured: kept, and its cases looked at."""
    await directory.handlers()[EntityConfigured](db, events)
    await told.keep(db, [_entity_fact(each) for each in events])
    for tenant, entity in sorted({(each.tenant, each.body.entity_id) for each in events}):
        await cases.look_at_entity(db, tenant, entity, _latest(events))


async def tenants_configured(db: AsyncConnection, events: list[Event]) -> None:
    """TenantConfigured: kept, and all its cases looked at."""
    await directory.handlers()[TenantConfigured](db, events)
    await told.keep(db, [_tenant_fact(each) for each in events])
    for tenant in sorted({each.tenant for each in events}):
        await cases.look_at_entity(db, tenant, None, _latest(events))


def _entity_fact(event: Event) -> dict[str, Any]:
    body: EntityConfigured = event.body
    names = ("mode", "approvals", "run_in", "policy", "feed_required", "country", "region", "closed_days",
             "time_zone")  # fmt: skip
    kept = {name: getattr(body, name) for name in names}
    return told.fact("entity", body.tenant_id, body.entity_id, body.entity_id, body.version, event.time, kept)


def _tenant_fact(event: Event) -> dict[str, Any]:
    body: TenantConfigured = event.body
    tenant = body.tenant_id
    return told.fact("tenant", tenant, tenant, tenant, body.version, event.time, {"stopped": body.stopped})


def _latest(events: Sequence[Event]) -> datetime:
    return max(each.time for each in events)
