"""Calendars of the entities: the country's holidays and the zone's clock, as the directory tells them."""

from collections.abc import Collection, Sequence
from datetime import date
from functools import cache
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.directory.tables import directory_entity
from libs.common.events import Event
from services.scheduler.calendar import Calendar
from services.scheduler.store.asking import among
from services.scheduler.store.cases import Pair


@cache
def calendar(country: str, zone: str) -> Calendar:
    """One calendar per country and zone, so that what it remembers is shared."""
    return Calendar(country, zone)


async def calendars(db: AsyncConnection, tenants: Collection[UUID]) -> dict[Pair, Calendar]:
    """(tenant, entity) → its calendar."""
    asked = select(
        directory_entity.c.tenant_id,
        directory_entity.c.entity_id,
        directory_entity.c.country,
        directory_entity.c.time_zone,
    ).where(among(directory_entity.c.tenant_id, tenants))
    return {(row.tenant_id, row.entity_id): calendar(row.country, row.time_zone) for row in await db.execute(asked)}


async def days(db: AsyncConnection, events: Sequence[Event]) -> dict[UUID, date]:
    """Event id → the local day of its instant at its entity; in Paris while nobody knows the entity."""
    known = await calendars(db, {event.tenant for event in events})
    paris = calendar("FR", "Europe/Paris")
    return {event.id: known.get((event.tenant, event.body.entity_id), paris).today(event.time) for event in events}
