"""Run-ins over HTTP: what an entity still has to earn before notices leave without a person, and how many may leave."""

from datetime import date
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from services.scheduler.api.shared import In, Reads
from services.scheduler.running_in import WANTED, RunIn
from services.scheduler.store import facts
from services.scheduler.store.zones import of
from services.scheduler.trusting import Started, run_ins, waiting

routes = APIRouter(prefix="/v1/run-ins", tags=["run-ins"])


class StepRecord(BaseModel):
    """How people decided about the last notices of a step; `trusted` ones need no person any more."""

    step: str
    approved: int
    wanted: int
    decided: int
    marred: int
    trusted: bool


class RunInOut(BaseModel):
    """How far an entity is. `most` is today's bound of notices; null: none any more, or nothing leaves yet."""

    entity_id: UUID
    run_in: Literal["required", "waived"]
    mode: Literal["shadow", "live"]
    today: date
    most: int | None
    released: int
    steps: list[StepRecord]


class RunIns(BaseModel):
    """Every entity of the tenant."""

    items: list[RunInOut]


@routes.get("")
async def list_run_ins(caller: Reads, room: In) -> RunIns:
    """How far the entities of the tenant are on their run-in."""
    now = room.clock.now()
    async with room.database.transaction(caller.tenant_id) as db:
        known = await facts.entities(db, {caller.tenant_id})
        names = {(caller.tenant_id, row.policy) for row in known.values()}
        active = await room.policies.active(db, names, now)
        started = {
            key: Started(
                of(row).today(now),
                row.mode == "live" and row.run_in == "required",
                waiting(active.get((key[0], row.policy))),
            )
            for key, row in known.items()
        }
        found = await run_ins(db, started) if started else {}
    return RunIns(items=[_out(known[key], started[key], found[key]) for key in sorted(found)])


def _out(row: Any, started: Started, found: RunIn) -> RunInOut:
    return RunInOut(
        entity_id=row.entity_id,
        run_in=row.run_in,
        mode=row.mode,
        today=started.today,
        most=found.cap,
        released=found.released,
        steps=[_record(step, found, row.run_in == "waived") for step in sorted(started.steps)],
    )


def _record(step: str, found: RunIn, waived: bool) -> StepRecord:
    told = found.record(step)
    return StepRecord(
        step=step,
        approved=told.approved,
        wanted=WANTED,
        decided=told.decided,
        marred=told.marred,
        trusted=waived or found.trusts(step),
    )
