"""Calendars of the entities: their public holidays, closed days and clock, as the directory tells them."""

from collections.abc import Collection, Sequence
from datetime import date
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.directory.tables import directory_entity
from libs.common.events import Event
from services.scheduler.calendar import Calendar
from services.scheduler.store.asking import among
from services.scheduler.store.cases import Pair


@cache
def calendar(country: str, zone: str, region: str | None = None, closed: frozenset[date] = frozenset()) -> Calendar:
    """One calendar for all that have the same days and clock, so that what it remembers is shared."""
    return Calendar(country, zone, region, closed)


def of(entity: Any) -> Calendar:
    """The calendar of an entity: its row, or what was told of it, where days are text."""
    closed = (day if isinstance(day, date) else date.fromisoformat(day) for day in entity.closed_days)
    return calendar(entity.country, entity.time_zone, entity.region, frozenset(closed))


async def calendars(db: AsyncConnection, tenants: Collection[UUID]) -> dict[Pair, Calendar]:
    """(tenant, entity) → its calendar."""
    names = ("tenant_id", "entity_id", "country", "time_zone", "region", "closed_days")
    asked = select(*(directory_entity.c[name] for name in names)).where(among(directory_entity.c.tenant_id, tenants))
    return {(row.tenant_id, row.entity_id): of(row) for row in await db.execute(asked)}


async def days(db: AsyncConnection, events: Sequence[Event]) -> dict[UUID, date]:
    """Event id → the local day of its instant at its entity; in Paris while nobody knows the entity."""
    known = await calendars(db, {event.tenant for event in events})
    paris = calendar("FR", "Europe/Paris")
    return {event.id: known.get((event.tenant, event.body.entity_id), paris).today(event.time) for event in events}
