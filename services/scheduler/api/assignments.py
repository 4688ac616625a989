"""Assignments over HTTP: which policy holds for an item, a debtor or a segment, why, and until when."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints

from libs.common.errors import NotFound, Refused
from libs.common.http import Wire
from libs.common.ids import uuid7
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.scheduler.api.policy_acts import Deciding, Why
from services.scheduler.api.shared import Approves, In, Reads
from services.scheduler.commands import Asker
from services.scheduler.condition import Condition
from services.scheduler.errors import AlreadyEnded, ExpiryInvalid, PolicyUnknown, ScopeUnknown
from services.scheduler.policy import Key
from services.scheduler.room import Room
from services.scheduler.store import assignments as store
from services.scheduler.vocabulary import OF_CASE

routes = APIRouter(prefix="/v1/policies/assignments", tags=["policies"])
LONGEST = timedelta(days=3 * 366)


class Segment(Wire):
    """Cases for which a condition holds: over fields of the case, the debtor and its profile."""

    name: Key
    when: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
    priority: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Of several segments that a case is of, the smallest counts."""


class NewAssignment(Wire):
    """A policy for an item, a debtor, or a segment. `at_once`: also for an item that was reminded already."""

    policy: Key
    reason: Why
    expires_on: date
    item_id: UUID | None = None
    debtor_id: UUID | None = None
    segment: Segment | None = None
    entity_id: UUID | None = None
    """Of a segment: only cases of this entity."""
    at_once: bool = False


class AssignmentOut(BaseModel):
    """An assignment; `in_force` until it expires or somebody ends it."""

    assignment_id: UUID
    scope: Literal["item", "debtor", "segment"]
    subject_id: UUID
    entity_id: UUID | None
    policy: str
    segment: str
    when: str
    priority: int
    at_once: bool
    reason: str
    author: str
    assigned_at: datetime
    expires_on: date
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None
    in_force: bool


class AssignmentPage(BaseModel):
    """One page of assignments."""

    items: list[AssignmentOut]
    next: str | None


def _out(row: Any, today: date) -> AssignmentOut:
    names = set(AssignmentOut.model_fields) - {"in_force"}
    in_force = row["ended_at"] is None and today < row["expires_on"]
    return AssignmentOut(in_force=in_force, **{name: row[name] for name in names})


@routes.post("", status_code=201)
async def assign_policy(told: NewAssignment, caller: Approves, room: In) -> AssignmentOut:
    """Item before debtor before segment before the entity's own; what is under way stays on its version."""
    given = [name for name in ("item_id", "debtor_id", "segment") if getattr(told, name) is not None]
    if len(given) != 1:
        raise Refused("Send one of item_id, debtor_id and segment.", field="item_id")
    async with room.asking(caller) as asker:
        today = (await asker.calendar(None)).today(asker.now)
        if not today < told.expires_on <= today + LONGEST:
            raise ExpiryInvalid(field="expires_on")
        row = await store.write(asker.db, await _row(told, asker, room))
        await store.look_over(asker.db, row, asker.now)
    return _out(row, today)


async def _row(told: NewAssignment, asker: Asker, room: Room) -> dict[str, Any]:
    """Raises PolicyUnknown, ScopeUnknown, ConditionInvalid."""
    if not await room.policies.active(asker.db, {(asker.tenant, told.policy)}, asker.now):
        raise PolicyUnknown(f"No version of {told.policy} is active.", field="policy")
    scope, subject = ("item", told.item_id) if told.item_id else ("debtor", told.debtor_id)
    segment = told.segment
    if segment is not None:
        scope, subject = "segment", asker.tenant
    elif subject is None or not await store.known(asker.db, asker.tenant, scope, subject):
        raise ScopeUnknown(f"There is no {scope} {subject} here.", field=f"{scope}_id")
    return {
        "tenant_id": asker.tenant,
        "assignment_id": uuid7(),
        "scope": scope,
        "subject_id": subject,
        "entity_id": told.entity_id if segment else None,
        "policy": told.policy,
        "segment": segment.name if segment else "",
        "when": Condition.of(segment.when, OF_CASE).text if segment else "",
        "priority": segment.priority if segment else 100,
        "at_once": told.at_once and scope == "item",
        "reason": told.reason,
        "author": asker.subject,
        "assigned_at": asker.now,
        "expires_on": told.expires_on,
    }


@routes.get("")
async def list_assignments(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    in_force: bool = True,
    subject_id: Annotated[UUID | None, Query(description="An item or a debtor.")] = None,
) -> AssignmentPage:
    """Assignments, those in force or all there ever were."""
    start = place(room.settings, "assignments", after)
    async with room.asking(caller) as asker:
        today = (await asker.calendar(None)).today(asker.now)
        found = await store.page(
            asker.db, asker.tenant, today if in_force else None, subject_id, start[0] if start else None, limit + 1
        )
    rows, last = cut(found, limit)
    more = cursor(room.settings, "assignments", last["assignment_id"]) if last else None
    return AssignmentPage(items=[_out(row, today) for row in rows], next=more)


@routes.post("/{assignment_id}/end")
async def end_assignment(assignment_id: UUID, told: Deciding, caller: Approves, room: In) -> AssignmentOut:
    """End it before its day; what was said by it stays said."""
    async with room.asking(caller) as asker:
        row = await store.one(asker.db, asker.tenant, assignment_id)
        if row is None:
            raise NotFound(f"There is no assignment {assignment_id}.")
        if row["ended_at"] is not None:
            raise AlreadyEnded("This assignment was ended before.")
        ended = await store.end(asker.db, row, asker.subject, asker.now, told.why)
        await store.look_over(asker.db, ended, asker.now)
        return _out(ended, (await asker.calendar(None)).today(asker.now))
