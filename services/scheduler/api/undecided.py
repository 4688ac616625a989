"""How much waits for a second person over HTTP, for whoever may be that person."""

from fastapi import APIRouter
from pydantic import BaseModel

from services.scheduler.api.shared import In, Reads
from services.scheduler.store import undecided as store

routes = APIRouter(tags=["credit control"])


class Undecided(BaseModel):
    """How many wait, and how many of them somebody else than the caller asked for."""

    count: int
    by_others: int


@routes.get("/v1/credit/undecided")
async def count_credit_requests(caller: Reads, room: In) -> Undecided:
    """Limits, blocks and write-offs that nobody has decided, together."""
    async with room.database.transaction(caller.tenant_id) as db:
        count, others = await store.credit_requests(db, caller.tenant_id, caller.subject)
    return Undecided(count=count, by_others=others)


@routes.get("/v1/policies/undecided")
async def count_policy_drafts(caller: Reads, room: In) -> Undecided:
    """Versions of policies that are drafts, checked or approved, and not active yet."""
    async with room.database.transaction(caller.tenant_id) as db:
        count, others = await store.policies(db, caller.tenant_id, caller.subject)
    return Undecided(count=count, by_others=others)
