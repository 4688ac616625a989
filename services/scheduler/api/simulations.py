"""Simulations over HTTP: what a version would have said over past days, or would say over days ahead."""

import asyncio
import csv
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from io import StringIO
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from libs.common.http import Wire
from libs.common.paging import cursor, place
from services.scheduler.api.policies import one
from services.scheduler.api.shared import AmountOut, In, Reads, amount_of
from services.scheduler.case import NOTICES
from services.scheduler.errors import DaysMixed, DaysOutOfReach, DaysReversed, DaysTooMany
from services.scheduler.playing import most_within
from services.scheduler.policy import CALLS, GAPPED, PolicyVersion, check
from services.scheduler.room import Room
from services.scheduler.simulating import Contact, Sent, ahead, replayed, situations_now, speaking
from services.scheduler.store import simulations as store
from services.scheduler.store.zones import calendar

routes = APIRouter(prefix="/v1/policies", tags=["policies"])
LONGEST = {"past": timedelta(days=186), "ahead": timedelta(days=366)}
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 1, 1)
Mode = Literal["past", "ahead"]
TABLE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {}}}}}
COLUMNS = ("date", "case_id", "payer_id", "step", "kind", "tone", "channel", "approval", "items", "lines", "asked",
           "paid_already", "disputed", "found")  # fmt: skip


class Simulate(Wire):
    """Days that have all passed, or that all lie ahead; `against` another version, else what was really sent."""

    first: date
    last: date
    entity_id: UUID | None = None
    against: UUID | None = None
    policy: dict[str, Any] | None = None
    """Played instead of the version: the same ladder as somebody changes it, which nobody keeps yet."""
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    """Parties a call; `next` goes on with the others."""
    cursor: Annotated[str, Field(max_length=1_000)] | None = None


class ContactOut(BaseModel):
    """One notice, call or word to a colleague. `found`: in this version only, in the other only, or in both."""

    date: date
    case_id: UUID
    payer_id: UUID
    step: str
    kind: str
    tone: int
    channel: str
    approval: str
    items: list[str]
    lines: int
    asked: list[AmountOut]
    """What the items whose step ends with it owe, one sum a currency."""
    paid_already: bool
    disputed: bool
    found: Literal["here", "there", "both"] | None


class Summary(BaseModel):
    """Counts over all contacts of a page."""

    notices: int
    """Messages to payers that ask for money."""
    by_step: dict[str, int]
    tasks_by_day: dict[date, int]
    busiest_day: date | None
    approvals: int
    paid_already: int
    disputed: int
    most_in_30_days: int
    """Reminders and statements to one payer."""


class Agreement(BaseModel):
    """How far both sides say the same: messages to payers of the same items and steps, on the same day."""

    both: int
    here: int
    there: int


class Simulation(BaseModel):
    """One page: all cases of some parties."""

    version_id: UUID
    mode: Mode
    compared_with: Literal["version", "sent"] | None
    cases: int
    summary: Summary
    other: Summary | None
    agreement: Agreement | None
    contacts: list[ContactOut]
    next: str | None


@dataclass(frozen=True)
class _Played:
    mode: Mode
    cases: int
    contacts: list[Contact]
    other: list[Contact] | None
    sent: list[Sent] | None
    next: str | None


@routes.post("/{version_id}/simulations")
async def simulate_policy(version_id: UUID, told: Simulate, caller: Reads, room: In) -> Simulation:
    """Play a version over days that have passed or lie ahead; nothing is written and nothing leaves."""
    played = await _played(version_id, told, caller.tenant_id, room)
    keys = {_key(contact) for contact in played.contacts if contact.step.kind in NOTICES}
    theirs = _theirs(played)
    contacts = [_out(each, _found(each, theirs)) for each in played.contacts]
    return Simulation(
        version_id=version_id,
        mode=played.mode,
        compared_with=None if theirs is None else "version" if played.other is not None else "sent",
        cases=played.cases,
        summary=_summary(played.contacts),
        other=_summary(played.other) if played.other is not None else None,
        agreement=Agreement(both=len(keys & theirs), here=len(keys - theirs), there=len(theirs - keys))
        if theirs is not None
        else None,
        contacts=contacts,
        next=played.next,
    )


@routes.post("/{version_id}/simulations/table", response_class=Response, responses=TABLE)
async def simulate_as_table(version_id: UUID, told: Simulate, caller: Reads, room: In) -> Response:
    """The contacts of the same as a table (CSV); the header `Relance-Next` holds the cursor of the next page."""
    played = await _played(version_id, told, caller.tenant_id, room)
    theirs = _theirs(played)
    written = StringIO()
    table = csv.DictWriter(written, COLUMNS)
    table.writeheader()
    for each in played.contacts:
        row = _out(each, _found(each, theirs)).model_dump(mode="json")
        asked = " + ".join(f"{amount['amount']} {amount['currency']}" for amount in row["asked"])
        table.writerow({**row, "items": " ".join(row["items"]), "asked": asked})
    headers = {"content-disposition": 'attachment; filename="simulation.csv"'}
    headers |= {"relance-next": played.next} if played.next else {}
    return Response(written.getvalue(), media_type="text/csv", headers=headers)


async def _played(version_id: UUID, told: Simulate, tenant: UUID, room: Room) -> _Played:
    now = room.clock.now()
    start = place(room.settings, "simulation", told.cursor)
    async with room.database.transaction(tenant) as db:
        version = _instead(await _version(db, tenant, version_id), told.policy)
        other = await _version(db, tenant, told.against) if told.against is not None else None
        mode = _mode(told, now)
        rows, last = await store.parties(db, tenant, start[0] if start else None, told.entity_id, told.limit)
        found = [
            await _contacts(db, rows, room, each, told, mode, now) if each is not None else None
            for each in (version, other)
        ]
        sent = None
        if mode == "past" and other is None:
            left = await store.notices(db, {(tenant, row["case_id"]) for row in rows})
            sent = [
                Sent(each.said_on, each.case_id, each.reminder_id, each.step_key, each.kind) for each in left.values()
            ]
    more = cursor(room.settings, "simulation", last) if last else None
    in_range = [each for each in sent if told.first <= each.on <= told.last] if sent is not None else None
    return _Played(mode, len(rows), found[0] or [], found[1], in_range, more)


async def _contacts(  # noqa: PLR0917 - which cases, by which version, over which days
    db: Any, rows: Sequence[Any], room: Room, version: PolicyVersion, told: Simulate, mode: Mode, now: datetime
) -> list[Contact]:
    if mode == "past":
        return await replayed(db, rows, room.policies, version, told.first, told.last, now)
    situations = await situations_now(db, rows, room.policies, version, now)
    zone = situations[0].calendar if situations else calendar("FR", "Europe/Paris")
    begins = max(now, zone.instant(told.first, time(0)))
    ends = zone.instant(told.last + timedelta(days=1), time(0)) - timedelta(seconds=1)
    return await asyncio.to_thread(ahead, situations, version, begins, ends)


async def _version(db: Any, tenant: UUID, version_id: UUID) -> PolicyVersion:
    row = await one(db, tenant, version_id)
    return speaking(PolicyVersion(version_id=row["version_id"], number=row["number"], policy=check(row["body"])))


def _instead(version: PolicyVersion, policy: dict[str, Any] | None) -> PolicyVersion:
    """The version, or what is played in its place. Raises PolicyInvalid with the place of every error."""
    return version if policy is None else speaking(version.model_copy(update={"policy": check(policy)}))


def _mode(told: Simulate, now: datetime) -> Mode:
    mode: Mode = "past" if told.last < now.date() else "ahead"
    if beyond := [name for name, day in (("first", told.first), ("last", told.last)) if not EARLIEST <= day <= LATEST]:
        raise DaysOutOfReach(field=beyond[0])
    if told.last < told.first:
        raise DaysReversed(field="last")
    if mode == "ahead" and told.first < now.date():
        raise DaysMixed(field="first")
    if told.last - told.first > LONGEST[mode] or told.last - now.date() > 2 * LONGEST[mode]:
        raise DaysTooMany(f"At most {LONGEST[mode].days} days.", field="last")
    return mode


def _key(contact: Contact) -> tuple[UUID, date]:
    return contact.reminder_id, contact.on


def _theirs(played: _Played) -> set[tuple[UUID, date]] | None:
    if played.other is not None:
        return {_key(each) for each in played.other if each.step.kind in NOTICES}
    if played.sent is None:
        return None
    return {(each.reminder_id, each.on) for each in played.sent if each.kind in NOTICES}


def _found(contact: Contact, theirs: set[tuple[UUID, date]] | None) -> Literal["here", "both"] | None:
    if theirs is None or contact.step.kind not in NOTICES:
        return None
    return "both" if _key(contact) in theirs else "here"


def _out(contact: Contact, found: Literal["here", "there", "both"] | None) -> ContactOut:
    sums: dict[str, int] = defaultdict(int)
    for item in contact.items:
        sums[item.currency] += item.residual - item.paused()
    return ContactOut(
        date=contact.on,
        case_id=contact.case["case_id"],
        payer_id=contact.case["payer_id"],
        step=contact.step.key,
        kind=contact.step.kind,
        tone=contact.step.tone,
        channel=contact.step.channels[0],
        approval=contact.approval,
        items=[item.number for item in contact.items],
        lines=contact.listed,
        asked=[amount_of(minor, currency) for currency, minor in sorted(sums.items())],
        paid_already=contact.paid_already,
        disputed=contact.disputed,
        found=found,
    )


def _summary(contacts: Sequence[Contact]) -> Summary:
    tasks = Counter(each.on for each in contacts if each.step.kind in CALLS)
    days: dict[UUID, list[date]] = defaultdict(list)
    for each in contacts:
        if each.step.kind in GAPPED:
            days[each.case["party_id"]].append(each.on)
    return Summary(
        notices=sum(each.step.kind in NOTICES for each in contacts),
        by_step=dict(Counter(each.step.key for each in contacts)),
        tasks_by_day=dict(sorted(tasks.items())),
        busiest_day=max(tasks, key=lambda day: (tasks[day], -day.toordinal()), default=None),
        approvals=sum(each.approval != "none" for each in contacts),
        paid_already=sum(each.paid_already for each in contacts),
        disputed=sum(each.disputed for each in contacts),
        most_in_30_days=max((most_within(on, 30)[0] for on in days.values()), default=0),
    )
