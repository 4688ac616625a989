"""Reading the kept directory: who a tenant and its entities are, and which accounts debtors may pay to."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Literal, TypeVar
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Table, Uuid, any_, literal, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.directory.tables import directory_bank_details, directory_entity, directory_source, directory_tenant
from libs.common.errors import NotFound


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant. `stopped` is the emergency stop: nothing leaves."""

    tenant_id: UUID
    name: str
    sandbox: bool
    stopped: bool
    version: int


@dataclass(frozen=True, slots=True)
class Entity:
    """A creditor company: its calendar, zone, language and sending identity. In shadow nothing leaves."""

    tenant_id: UUID
    entity_id: UUID
    name: str
    siren: str | None
    country: str
    region: str | None
    closed_days: list[date]
    time_zone: str
    language: Literal["fr", "en"]
    currency: str
    sender_name: str
    sender_email: str
    reply_to: str | None
    phone: str | None
    mode: Literal["shadow", "live"]
    approvals: Literal["confirm", "policy"]
    run_in: Literal["required", "waived"]
    policy: str
    feed_required: bool
    settlement_master: Literal["erp", "relance"]
    ledger_tolerance: int
    version: int


@dataclass(frozen=True, slots=True)
class Source:
    """A webhook source; its secrets are sealed."""

    tenant_id: UUID
    source_id: UUID
    entity_id: UUID
    slug: str
    purpose: Literal["invoices", "payments"]
    sealed_secrets: list[str]
    active: bool
    version: int


@dataclass(frozen=True, slots=True)
class BankDetails:
    """An account of ours, approved by two people, that takes effect at an instant."""

    tenant_id: UUID
    bank_account_id: UUID
    entity_id: UUID
    iban: str
    bic: str | None
    holder: str
    currency: str
    required: bool
    effective_at: datetime
    version: int


Found = TypeVar("Found", Tenant, Entity, Source, BankDetails)


async def _all(db: AsyncConnection, kind: type[Found], table: Table, *where: ColumnElement[bool]) -> list[Found]:
    asked = select(*(table.c[fact.name] for fact in fields(kind))).where(*where).order_by(*table.primary_key)
    return [kind(*found) for found in await db.execute(asked)]


def _one(found: list[Found], name: str, identity: UUID) -> Found:
    if not found:
        raise NotFound(f"There is no {name} {identity}.")
    return found[0]


async def tenant(db: AsyncConnection, tenant_id: UUID) -> Tenant:
    """One tenant. Raises NotFound."""
    table = directory_tenant
    return _one(await _all(db, Tenant, table, table.c.tenant_id == tenant_id), "tenant", tenant_id)


async def tenants(db: AsyncConnection, tenant_ids: Collection[UUID] | None = None) -> list[Tenant]:
    """Those tenants, or all that the connection may see."""
    chosen = true() if tenant_ids is None else directory_tenant.c.tenant_id == any_(array(tenant_ids))
    return await _all(db, Tenant, directory_tenant, chosen)


async def entity(db: AsyncConnection, tenant_id: UUID, entity_id: UUID) -> Entity:
    """One entity of a tenant. Raises NotFound."""
    table = directory_entity
    chosen = (table.c.tenant_id == tenant_id, table.c.entity_id == entity_id)
    return _one(await _all(db, Entity, table, *chosen), "entity", entity_id)


async def entities(
    db: AsyncConnection, tenant_id: UUID | None = None, entity_ids: Collection[UUID] | None = None
) -> list[Entity]:
    """The entities of one tenant or of all, of these ids or all, in the order of their ids."""
    table = directory_entity
    of_tenant = true() if tenant_id is None else table.c.tenant_id == tenant_id
    chosen = true() if entity_ids is None else table.c.entity_id == any_(array(entity_ids))
    return await _all(db, Entity, table, of_tenant, chosen)


async def sources(db: AsyncConnection, tenant_id: UUID) -> list[Source]:
    """The webhook sources of a tenant."""
    return await _all(db, Source, directory_source, directory_source.c.tenant_id == tenant_id)


async def bank_details(db: AsyncConnection, tenant_id: UUID, entity_id: UUID | None = None) -> list[BankDetails]:
    """The approved accounts of an entity, or of the whole tenant. Which are in effect, `effective_at` says."""
    table = directory_bank_details
    of_entity = true() if entity_id is None else table.c.entity_id == entity_id
    return await _all(db, BankDetails, table, table.c.tenant_id == tenant_id, of_entity)


def array(ids: Collection[UUID]) -> ColumnElement[list[UUID]]:
    """The ids as one parameter: a statement whose text does not change with their number."""
    return literal(list(ids), ARRAY(Uuid))
