"""Policies over HTTP: written as YAML or JSON, kept as versions, shown, exported, compared."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from libs.common.errors import NotFound, Refused
from libs.common.http import Wire
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.scheduler import policy_diff, policy_file
from services.scheduler.api.shared import In, Reads, Writes
from services.scheduler.condition import Kind
from services.scheduler.policy import Policy, check, parse, version_id_of
from services.scheduler.store import policies as store
from services.scheduler.versioning import State
from services.scheduler.vocabulary import FIELDS

routes = APIRouter(prefix="/v1/policies", tags=["policies"])
Against = Annotated[UUID | None, Query(description="Another version; the one numbered before it if it is left out.")]
YAML: dict[int | str, dict[str, Any]] = {200: {"content": {"application/yaml": {"schema": {}}}}}


class NewPolicy(Wire):
    """A policy as YAML text, or as the same in JSON."""

    yaml: Annotated[str, Field(max_length=100_000)] | None = None
    policy: dict[str, Any] | None = None

    def read(self) -> Policy:
        """Raises PolicyInvalid with the place of every error, or Refused."""
        if (self.yaml is None) == (self.policy is None):
            raise Refused("Send either yaml or policy.", field="yaml")
        return parse(self.yaml) if self.yaml is not None else check(self.policy)


class ActOut(BaseModel):
    """What somebody did with a version."""

    was: State
    became: State
    by: str
    at: datetime
    why: str


class PolicyOut(BaseModel):
    """One version of a policy. `history` is there when one version is asked for."""

    version_id: UUID
    name: str
    number: int
    state: State
    author: str
    written_at: datetime
    activated_by: str | None
    activated_at: datetime | None
    policy: Policy
    history: list[ActOut] = []


class PolicyPage(BaseModel):
    """One page of versions."""

    items: list[PolicyOut]
    next: str | None


class FieldOut(BaseModel):
    """What a condition may ask for; `values` are all the texts it can be, none when it can be any."""

    name: str
    kind: Kind
    fr: str
    en: str
    values: list[str]


class FieldList(BaseModel):
    """Every field that the condition of a step may name."""

    items: list[FieldOut]


class ChangeOut(BaseModel):
    """One difference between two versions; `place` like `steps.firm.offset`."""

    place: str
    what: policy_diff.What
    before: Any
    after: Any


class Diff(BaseModel):
    """What differs from one version to another; nothing when they say the same."""

    before: UUID
    after: UUID
    changes: list[ChangeOut]


def out(row: Any, acts: Any = ()) -> PolicyOut:
    """A version's row as it is shown."""
    names = set(PolicyOut.model_fields) - {"policy", "history"}
    history = [ActOut(**{name: act[name] for name in ActOut.model_fields}) for act in acts]
    return PolicyOut(policy=check(row["body"]), history=history, **{name: row[name] for name in names})


async def one(db: Any, tenant: UUID, version_id: UUID) -> dict[str, Any]:
    """A version's row, locked. Raises NotFound."""
    row = await store.one(db, tenant, version_id)
    if row is None:
        raise NotFound(f"There is no policy version {version_id}.")
    return row


@routes.get("")
async def list_policies(
    *, caller: Reads, room: In, limit: Limit = 50, after: Annotated[Cursor, Query(alias="cursor")] = None
) -> PolicyPage:
    """Every version, by name and number; the product's own ones are there for everybody."""
    start = place(room.settings, "policies", after)
    async with room.database.transaction(caller.tenant_id) as db:
        await room.policies.active(
            db, {(caller.tenant_id, name) for name in room.policies.products()}, room.clock.now()
        )
        found = await store.page(db, caller.tenant_id, (start[0], start[1]) if start else None, limit + 1)
    rows, last = cut(found, limit)
    more = cursor(room.settings, "policies", last["name"], last["number"]) if last else None
    return PolicyPage(items=[out(row) for row in rows], next=more)


@routes.post("", status_code=201)
async def write_policy(told: NewPolicy, caller: Writes, room: In) -> PolicyOut:
    """A new draft; the next number of its name. Every mistake is named with its place."""
    policy = told.read()
    async with room.asking(caller) as asker:
        if policy.name in room.policies.products():
            await room.policies.active(asker.db, {(asker.tenant, policy.name)}, asker.now)
        return out(await store.write(asker.db, asker.tenant, policy, asker.subject, asker.now))


@routes.get("/schema")
async def show_schema(caller: Reads) -> dict[str, Any]:
    """The JSON Schema of policy files."""
    return policy_file.schema()


@routes.get("/fields")
async def list_fields(caller: Reads) -> FieldList:
    """The fields of conditions, with what they are in both languages."""
    names = FieldOut.model_fields
    return FieldList(items=[FieldOut(**{name: getattr(fact, name) for name in names}) for fact in FIELDS.values()])


@routes.get("/{version_id}")
async def show_policy(version_id: UUID, caller: Reads, room: In) -> PolicyOut:
    """One version, with what people did with it."""
    async with room.asking(caller) as asker:
        row = await one(asker.db, caller.tenant_id, version_id)
        return out(row, await store.acts(asker.db, caller.tenant_id, version_id))


@routes.get("/{version_id}/yaml", response_class=Response, responses=YAML)
async def export_policy(version_id: UUID, caller: Reads, room: In) -> Response:
    """One version as a file; `POST /v1/policies` takes it again."""
    async with room.asking(caller) as asker:
        row = await one(asker.db, caller.tenant_id, version_id)
    name = f"{row['name']}-{row['number']}.yaml"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(policy_file.written(check(row["body"])), media_type="application/yaml", headers=headers)


@routes.get("/{version_id}/diff")
async def compare_policies(version_id: UUID, caller: Reads, room: In, against: Against = None) -> Diff:
    """What a version says otherwise than another one, which comes before it."""
    async with room.asking(caller) as asker:
        after = await one(asker.db, caller.tenant_id, version_id)
        known = against or version_id_of(caller.tenant_id, after["name"], after["number"] - 1)
        before = await one(asker.db, caller.tenant_id, known)
    found = policy_diff.changes(check(before["body"]), check(after["body"]))
    told = [ChangeOut(place=e.place, what=e.what, before=e.before, after=e.after) for e in found]
    return Diff(before=before["version_id"], after=version_id, changes=told)
