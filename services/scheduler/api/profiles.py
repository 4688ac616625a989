"""Payer profiles over HTTP: what they are on a day, and the figures and the formula that they follow from."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from libs.common.events.debtors import PayerProfile
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.scheduler.api.shared import In, Reads
from services.scheduler.profiling import ENOUGH, GOOD_DELAY, GOOD_SHARE, GRACE, SLOW_DELAY, SLOW_SHARE, Profile, since
from services.scheduler.store import cases, facts, profiles
from services.scheduler.store.zones import calendar, calendars

routes = APIRouter(prefix="/v1/payer-profiles", tags=["payer-profiles"])


class Formula(BaseModel):
    """How a profile follows from its figures: strategic and public_body are told; then, with enough items, this."""

    from_items: int = ENOUGH
    late_after_days: int = GRACE
    good_delay_to: int = GOOD_DELAY
    good_late_share_to: int = GOOD_SHARE
    slow_delay_over: int = SLOW_DELAY
    slow_late_share_over: int = SLOW_SHARE
    otherwise: PayerProfile = "regular"


class ProfileOut(BaseModel):
    """How a payer pays on a day. `delay` in days and `late_share` in percent are null without items."""

    payer_id: UUID
    entity_id: UUID
    on: date
    since: date
    """Payments after this day count."""
    profile: PayerProfile
    told: PayerProfile
    """What the debtor's file says."""
    items: int
    delay: int | None
    late_share: int | None


class OneProfile(ProfileOut):
    """One payer's, with the formula."""

    formula: Formula = Formula()


class ProfilePage(BaseModel):
    """One page of payers, in the order of their cases' ids."""

    formula: Formula = Formula()
    items: list[ProfileOut]
    next: str | None


On = Annotated[date | None, Query(description="Today if it is left out.", ge=date(2000, 1, 1), le=date(2100, 1, 1))]


@routes.get("")
async def list_profiles(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    entity_id: UUID | None = None,
    on: On = None,
) -> ProfilePage:
    """The payers of the tenant as they are, or were, on a day."""
    start = place(room.settings, "profiles", after)
    async with room.database.transaction(caller.tenant_id) as db:
        found = await cases.page(db, caller.tenant_id, limit + 1, after=start[0] if start else None, entity=entity_id)
        rows, last = cut(found, limit)
        shown = await _shown(db, caller.tenant_id, rows, room.clock.now(), on)
    more = cursor(room.settings, "profiles", last["case_id"]) if last else None
    return ProfilePage(items=[ProfileOut(**each) for each in shown], next=more)


@routes.get("/{payer_id}")
async def show_profile(payer_id: UUID, caller: Reads, room: In, on: On = None) -> OneProfile:
    """How one payer pays, with the formula."""
    async with room.database.transaction(caller.tenant_id) as db:
        row = await cases.one(db, caller.tenant_id, cases.case_id(caller.tenant_id, payer_id))
        if row is None:
            raise NotFound(f"Nothing is known of a payer {payer_id}.")
        shown = await _shown(db, caller.tenant_id, [row], room.clock.now(), on)
    return OneProfile(**shown[0])


async def _shown(
    db: AsyncConnection, tenant: UUID, rows: Sequence[dict[str, Any]], now: datetime, on: date | None
) -> list[dict[str, Any]]:
    """The fields of ProfileOut, of these cases."""
    zones = await calendars(db, {tenant})
    files = await facts.files(db, {(tenant, row["payer_id"]) for row in rows})
    days = {
        row["case_id"]: on or zones.get((tenant, row["entity_id"]), calendar("FR", "Europe/Paris")).today(now)
        for row in rows
    }
    told: dict[UUID, PayerProfile] = {row["case_id"]: _told(files.get((tenant, row["payer_id"]))) for row in rows}
    known = await profiles.of_cases(db, {(tenant, case): (told[case], day) for case, day in days.items()})
    return [_fields(row, known[tenant, row["case_id"]], days[row["case_id"]]) for row in rows]


def _told(file: Any) -> PayerProfile:
    told: PayerProfile = file.profile if file is not None else "regular"
    return told


def _fields(row: dict[str, Any], found: Profile, day: date) -> dict[str, Any]:
    return {
        "payer_id": row["payer_id"],
        "entity_id": row["entity_id"],
        "on": day,
        "since": since(day),
        "profile": found.name,
        "told": found.told,
        "items": found.items,
        "delay": found.delay,
        "late_share": found.late_share,
    }
