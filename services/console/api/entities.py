"""Entities over HTTP: the creditor companies of a tenant."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import available_timezones

from fastapi import Request, Response
from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from stdnum.fr import siren as siren_rules

from libs.common import directory
from libs.common.errors import RelanceError
from libs.common.http import Line, Wire, check_match, tag
from libs.common.money import exponent
from libs.common.workdays import has_calendar
from services.console.api.shared import Administrator, Email, In, routes_of
from services.console.directory import entities

routes = routes_of("entities")


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("This is no time zone of the IANA list, such as Europe/Paris.")
    return name


def _country(code: str) -> str:
    if not has_calendar(code):
        raise ValueError("No calendar of public holidays is known for it; give the two letters of ISO 3166-1.")
    return code


def _currency(code: str) -> str:
    try:
        exponent(code)
    except RelanceError as unknown:
        raise ValueError(unknown.detail) from None
    return code


def _siren(text: str) -> str:
    if not siren_rules.is_valid(text):
        raise ValueError("This is no valid SIREN.")
    return str(siren_rules.compact(text))


Zone = Annotated[str, AfterValidator(_zone)]
Currency = Annotated[str, AfterValidator(_currency)]
Siren = Annotated[str, StringConstraints(max_length=14), AfterValidator(_siren)]
Country = Annotated[str, StringConstraints(pattern="^[A-Z]{2}$"), AfterValidator(_country)]
Region = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9-]{1,12}$")]
ClosedDays = Annotated[list[date], AfterValidator(lambda days: sorted(set(days))), Field(max_length=400)]
Tolerance = Annotated[int, Field(ge=0, le=1_000_000_000)]
Slug = Annotated[str, StringConstraints(pattern="^[a-z0-9][a-z0-9_-]{0,59}$")]


class NewEntity(Wire):
    """An entity to make; it starts in shadow."""

    name: Line
    siren: Siren | None = None
    country: Country = "FR"
    region: Region | None = None
    """The part of the country whose own public holidays count too, by its code in ISO 3166-2, such as 57."""
    closed_days: ClosedDays = []
    """Days on which the company does no business, besides weekends and public holidays."""
    time_zone: Zone = "Europe/Paris"
    language: Literal["fr", "en"] = "fr"
    currency: Currency = "EUR"
    sender_name: Line
    sender_email: Email
    reply_to: Email | None = None
    phone: Line | None = None
    policy: Slug = "standard"
    feed_required: bool = True
    settlement_master: Literal["erp", "relance"] = "relance"
    """`erp`: what a snapshot of its ledger no longer lists is settled; `relance`: our allocations are exported."""
    ledger_tolerance: Tolerance = 0
    """Whole units of the currency by which the two ledgers may differ before reminders wait."""


class EntityChange(Wire):
    """Facts of an entity to change; what is absent stays. `mode` live lets reminders leave, after a day in shadow.

    `run_in` waived: its reminders were proven before. It goes live at once, its steps need no more people than the
    policy says, and no bound doubles from day to day.
    """

    name: Line | None = None
    siren: Siren | None = None
    country: Country | None = None
    region: Region | None = None
    closed_days: ClosedDays | None = None
    time_zone: Zone | None = None
    language: Literal["fr", "en"] | None = None
    currency: Currency | None = None
    sender_name: Line | None = None
    sender_email: Email | None = None
    reply_to: Email | None = None
    phone: Line | None = None
    mode: Literal["shadow", "live"] | None = None
    policy: Slug | None = None
    feed_required: bool | None = None
    approvals: Literal["confirm", "policy"] | None = None
    run_in: Literal["required", "waived"] | None = None
    settlement_master: Literal["erp", "relance"] | None = None
    ledger_tolerance: Tolerance | None = None


class EntityOut(BaseModel):
    """An entity as it stands."""

    entity_id: UUID
    name: str
    siren: str | None
    country: str
    region: str | None
    closed_days: list[date]
    time_zone: str
    language: str
    currency: str
    sender_name: str
    sender_email: str
    reply_to: str | None
    phone: str | None
    mode: str
    policy: str
    feed_required: bool
    approvals: str
    run_in: str
    settlement_master: str
    ledger_tolerance: int
    version: int


EMPTY = ("siren", "region", "reply_to", "phone")
"""What an entity may be without."""


def _told(wanted: EntityChange) -> dict[str, Any]:
    """What was sent; only what may be empty can be emptied."""
    facts = wanted.model_dump(exclude_unset=True)
    return {name: value for name, value in facts.items() if value is not None or name in EMPTY}


def _shown(found: Any) -> EntityOut:
    return EntityOut.model_validate(found, from_attributes=True)


@routes.post("/entities", status_code=201)
async def create_entity(caller: Administrator, room: In, wanted: NewEntity) -> EntityOut:
    """Make an entity. It starts in shadow: it decides and shows, and sends nothing."""
    async with room.changing(caller.tenant_id, caller.subject) as change:
        return _shown(await entities.create(change, wanted.model_dump()))


@routes.get("/entities")
async def list_entities(caller: Administrator, room: In) -> list[EntityOut]:
    """The entities of the tenant."""
    async with room.database.transaction(caller.tenant_id) as db:
        return [_shown(found) for found in await directory.entities(db, caller.tenant_id)]


@routes.get("/entities/{entity_id}")
async def read_entity(caller: Administrator, room: In, entity_id: UUID, response: Response) -> EntityOut:
    """One entity; its ETag goes into If-Match of a change."""
    async with room.database.transaction(caller.tenant_id) as db:
        found = await directory.entity(db, caller.tenant_id, entity_id)
    tag(response, found.version)
    return _shown(found)


@routes.patch("/entities/{entity_id}")
async def change_entity(
    caller: Administrator, room: In, entity_id: UUID, wanted: EntityChange, *, request: Request, response: Response
) -> EntityOut:
    """Change an entity; with If-Match, only if nobody changed it since."""
    async with room.changing(caller.tenant_id, caller.subject) as change:
        check_match(request, (await directory.entity(change.db, caller.tenant_id, entity_id)).version)
        changed = await entities.alter(change, entity_id, _told(wanted))
    tag(response, changed.version)
    return _shown(changed)
