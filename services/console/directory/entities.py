"""Entities: the creditor companies of a tenant. A new one starts in shadow: it decides and shows, and sends nothing."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from libs.common import directory
from libs.common.directory import Entity
from libs.common.errors import Refused
from libs.common.events.directory import EntityConfigured
from libs.common.ids import uuid7
from libs.common.workdays import regions
from services.console import audit
from services.console.directory.change import Change
from services.console.errors import NameTaken, StillInShadow

FACTS = (
    "name",
    "siren",
    "country",
    "region",
    "closed_days",
    "time_zone",
    "language",
    "currency",
    "sender_name",
    "sender_email",
    "reply_to",
    "phone",
    "mode",
    "policy",
    "feed_required",
    "approvals",
    "run_in",
    "settlement_master",
    "ledger_tolerance",
)
IN_SHADOW = timedelta(days=1)
"""How long an entity is watched before its first notice may leave."""


async def create(change: Change, facts: dict[str, Any]) -> EntityConfigured:
    """A new entity: in shadow, with its run-in before it, every notice confirmed by a person, whatever was asked."""
    known = await directory.entities(change.db, change.tenant_id)
    _check_name(known, facts["name"], None)
    _check_region(facts["country"], facts.get("region"))
    identity = uuid7()
    facts = {**facts, "mode": "shadow", "approvals": "confirm", "run_in": "required"}
    body = await change.tell(EntityConfigured, identity, entity_id=identity, **facts)
    await change.note("entity.created", "entity", identity, facts)
    return body


async def alter(change: Change, entity_id: UUID, wanted: dict[str, Any]) -> EntityConfigured:
    """Change some facts. Raises NotFound, NameTaken, or StillInShadow for an entity that nobody watched for a day."""
    found = await directory.entity(change.db, change.tenant_id, entity_id)
    before = {name: getattr(found, name) for name in FACTS}
    changed = {name: value for name, value in wanted.items() if before[name] != value}
    if "country" in changed and "region" not in changed:
        changed |= {"region": None} if before["region"] else {}
    if "name" in changed:
        _check_name(await directory.entities(change.db, change.tenant_id), changed["name"], entity_id)
    now = before | changed
    _check_region(now["country"], now["region"])
    if changed.get("mode") == "live" and now["run_in"] == "required":
        await _watched(change, entity_id)
    body = await change.tell(EntityConfigured, entity_id, entity_id=entity_id, **now)
    await change.note("entity.changed", "entity", entity_id, _differences(before, changed))
    return body


async def _watched(change: Change, entity_id: UUID) -> None:
    since = await audit.first(change.db, change.tenant_id, "entity.created", entity_id)
    if since is not None and change.at < since + IN_SHADOW:
        raise StillInShadow(
            f"The entity has been there since {since:%Y-%m-%d %H:%M} UTC only.",
            field="mode",
            live_from=(since + IN_SHADOW).isoformat(),
        )


def _check_region(country: str, region: str | None) -> None:
    if region is not None and region not in regions(country):
        known = ", ".join(f"{code} ({name})" for code, name in sorted(regions(country).items()))
        raise Refused(
            f"{country} has no region {region!r} with holidays of its own.",
            field="region",
            remedy=f"Use one of {known}." if known else "Leave it out.",
        )


def _differences(before: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    return {name: {"from": before[name], "to": value} for name, value in changed.items()}


def _check_name(known: list[Entity], name: str, mine: UUID | None) -> None:
    if any(other.name.casefold() == name.casefold() and other.entity_id != mine for other in known):
        raise NameTaken(f"There is an entity {name!r} already.", field="name")
