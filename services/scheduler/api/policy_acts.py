"""What people do with policy versions: check, approve, activate, retire, and move running cases on purpose."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from libs.common.errors import Refused, SetChanged
from libs.common.http import Wire
from services.scheduler.api.findings import refuse
from services.scheduler.api.policies import PolicyOut, one, out
from services.scheduler.api.shared import Approves, In, Writes
from services.scheduler.commands import Asker
from services.scheduler.errors import PolicyInUse, WrongState
from services.scheduler.store import assignments, policies
from services.scheduler.versioning import ActName, next_state

routes = APIRouter(prefix="/v1/policies", tags=["policies"])
Why = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"\S")]


class Checking(Wire):
    """A remark on a check, if there is any."""

    why: Annotated[str, StringConstraints(max_length=500)] = ""


class Deciding(Wire):
    """Why somebody approves, activates or retires a version."""

    why: Why


class Migration(Wire):
    """Which running cases go on by this version: some, those on another version, those of an entity, or a mix.

    `count` is how many a dry run told; another number changes nothing.
    """

    why: Why
    case_ids: Annotated[list[UUID], Field(min_length=1, max_length=10_000)] | None = None
    from_version: UUID | None = None
    entity_id: UUID | None = None
    count: Annotated[int, Field(ge=0)] | None = None
    dry_run: bool = False

    def chosen(self) -> None:
        """Raises Refused when nobody says which cases, or a filter comes without the count that was seen."""
        if self.case_ids is None and self.from_version is None and self.entity_id is None:
            raise Refused("Say which cases: case_ids, from_version or entity_id.", field="from_version")
        if self.case_ids is None and self.count is None and not self.dry_run:
            raise Refused(
                "A filter goes with the count that was seen.", field="count", remedy="Ask with dry_run first."
            )


class Migrated(BaseModel):
    """How many cases were moved, or would be."""

    version_id: UUID
    count: int
    dry_run: bool


async def _act(act: ActName, version_id: UUID, asker: Asker, why: str) -> PolicyOut:
    row = await one(asker.db, asker.tenant, version_id)
    to = next_state(act, row["state"], row["author"], asker.subject)
    if act == "retire" and row["state"] == "active":
        calendar = await asker.calendar(None)
        if await assignments.followers(asker.db, asker.tenant, row["name"], calendar.today(asker.now)):
            raise PolicyInUse
    changed = await policies.become(asker.db, row, to, asker.subject, asker.now, why)
    return out(changed, await policies.acts(asker.db, asker.tenant, version_id))


@routes.post("/{version_id}/check")
async def check_version(version_id: UUID, told: Checking, caller: Writes, room: In) -> PolicyOut:
    """Have the linter look a draft over; 422 `policy_not_clean` with its findings leaves it a draft."""
    async with room.database.transaction(caller.tenant_id) as db:
        row = await one(db, caller.tenant_id, version_id)
    if row["state"] == "draft":
        await refuse(room, caller.tenant_id, row["body"])
    async with room.asking(caller) as asker:
        return await _act("check", version_id, asker, told.why)


@routes.post("/{version_id}/approve")
async def approve_version(version_id: UUID, told: Deciding, caller: Approves, room: In) -> PolicyOut:
    """Vouch for a checked version; its author cannot."""
    async with room.asking(caller) as asker:
        return await _act("approve", version_id, asker, told.why)


@routes.post("/{version_id}/activate")
async def activate_version(version_id: UUID, told: Deciding, caller: Approves, room: In) -> PolicyOut:
    """Make an approved version the one that new cases get; running cases stay on theirs until they are clear."""
    async with room.asking(caller) as asker:
        return await _act("activate", version_id, asker, told.why)


@routes.post("/{version_id}/retire")
async def retire_version(version_id: UUID, told: Deciding, caller: Approves, room: In) -> PolicyOut:
    """Take a version out of use; the active one only if nobody follows its policy."""
    async with room.asking(caller) as asker:
        return await _act("retire", version_id, asker, told.why)


@routes.post("/{version_id}/migrations")
async def migrate_cases(version_id: UUID, told: Migration, caller: Approves, room: In) -> Migrated:
    """Let running cases go on by this version, at the level they have reached; nothing is said twice."""
    async with room.asking(caller) as asker:
        row = await one(asker.db, asker.tenant, version_id)
        told.chosen()
        if row["state"] != "active":
            raise WrongState(f"This version is {row['state']}.", remedy="Cases are moved to an active version only.")
        found = await assignments.running(
            asker.db, asker.tenant, version_id, cases=told.case_ids, version=told.from_version, entity=told.entity_id
        )
        if told.dry_run:
            return Migrated(version_id=version_id, count=len(found), dry_run=True)
        if told.count is not None and told.count != len(found):
            raise SetChanged(f"{len(found)} cases fit now, not {told.count}.")
        await assignments.move(asker.db, found, version_id, asker.subject, asker.now, told.why)
    return Migrated(version_id=version_id, count=len(found), dry_run=False)
