"""Policies over HTTP: written as YAML or JSON, kept as versions, activated by another person."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from libs.common.errors import NotFound, Refused
from libs.common.http import Wire
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.scheduler.api.shared import Approves, In, Reads, Writes
from services.scheduler.errors import AlreadyEnded, FourEyes
from services.scheduler.policy import Policy, check, parse
from services.scheduler.store import policies as store

routes = APIRouter(prefix="/v1/policies", tags=["policies"])


class NewPolicy(Wire):
    """A policy as YAML text, or as the same in JSON."""

    yaml: Annotated[str, Field(max_length=100_000)] | None = None
    policy: dict[str, Any] | None = None

    def read(self) -> Policy:
        """Raises PolicyInvalid with the place of every error, or Refused."""
        if (self.yaml is None) == (self.policy is None):
            raise Refused("Send either yaml or policy.", field="yaml")
        return parse(self.yaml) if self.yaml is not None else check(self.policy)


class PolicyOut(BaseModel):
    """One version of a policy."""

    version_id: UUID
    name: str
    number: int
    state: Literal["draft", "active", "retired"]
    author: str
    written_at: datetime
    activated_by: str | None
    activated_at: datetime | None
    policy: Policy


class PolicyPage(BaseModel):
    """One page of versions."""

    items: list[PolicyOut]
    next: str | None


def out(row: Any) -> PolicyOut:
    """A version's row as it is shown."""
    names = set(PolicyOut.model_fields) - {"policy"}
    return PolicyOut(policy=check(row["body"]), **{name: row[name] for name in names})


@routes.get("")
async def list_policies(
    *, caller: Reads, room: In, limit: Limit = 50, after: Annotated[Cursor, Query(alias="cursor")] = None
) -> PolicyPage:
    """Every version, by name and number; the standard one is there for everybody."""
    start = place(room.settings, "policies", after)
    async with room.database.transaction(caller.tenant_id) as db:
        await room.policies.active(db, {(caller.tenant_id, store.STANDARD)}, room.clock.now())
        found = await store.page(db, caller.tenant_id, (start[0], start[1]) if start else None, limit + 1)
    rows, last = cut(found, limit)
    more = cursor(room.settings, "policies", last["name"], last["number"]) if last else None
    return PolicyPage(items=[out(row) for row in rows], next=more)


@routes.post("", status_code=201)
async def write_policy(told: NewPolicy, caller: Writes, room: In) -> PolicyOut:
    """A new draft; the next number of its name. Every mistake is named with its place."""
    policy = told.read()
    async with room.asking(caller) as asker:
        await room.policies.active(asker.db, {(asker.tenant, store.STANDARD)}, asker.now)
        return out(await store.write(asker.db, asker.tenant, policy, asker.subject, asker.now))


@routes.post("/check")
async def check_policy(told: NewPolicy, caller: Reads) -> Policy:
    """Read a policy without keeping it."""
    return told.read()


@routes.get("/{version_id}")
async def show_policy(version_id: UUID, caller: Reads, room: In) -> PolicyOut:
    """One version."""
    async with room.asking(caller) as asker:
        return out(await _one(asker.db, caller.tenant_id, version_id))


@routes.post("/{version_id}/activate")
async def activate_policy(version_id: UUID, caller: Approves, room: In) -> PolicyOut:
    """Make a draft the version that new cases get; running cases stay on theirs until they are clear."""
    async with room.asking(caller) as asker:
        row = await _one(asker.db, caller.tenant_id, version_id)
        if row["state"] != "draft":
            raise AlreadyEnded(f"This version is {row['state']}.")
        if row["author"] == caller.subject:
            raise FourEyes
        return out(await store.activate(asker.db, asker.tenant, row, asker.subject, asker.now))


async def _one(db: Any, tenant: UUID, version_id: UUID) -> dict[str, Any]:
    row = await store.one(db, tenant, version_id)
    if row is None:
        raise NotFound(f"There is no policy version {version_id}.")
    return row
