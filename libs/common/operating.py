"""The door every service opens for the console's people: what it set aside, what stopped it, and deciding about both.

A person sees and decides the dead letters of their own tenant. Letting a stopped consumer go on concerns the service
as a whole, so it needs an administrator, as replaying and dropping do.
"""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import breaker, dead_letters
from libs.common.auth import Caller, requires_service
from libs.common.db import Database
from libs.common.errors import Forbidden, NotFound
from libs.common.http.bodies import Line, Wire
from libs.common.tables import NOBODY

Anybody = Annotated[Caller, Depends(requires_service())]
MOST = 100
SCOPE = "directory:admin"


class LetterShown(BaseModel):
    """An event that could not be handled; `behind` counts those that wait for it. Its body stays where it is."""

    letter_id: UUID
    consumer: str
    type: str | None
    topic: str
    key: str | None
    error: str
    attempts: int
    state: dead_letters.State
    set_aside_at: datetime
    behind: int


class StoppedShown(BaseModel):
    """A consumer or relay that stands still, and why."""

    consumer: str
    opened_at: datetime
    cause: str
    detail: str


class Troubles(BaseModel):
    """What a person has to decide about this service."""

    service: str
    letters: list[LetterShown]
    stopped: list[StoppedShown]


class Reason(Wire):
    """Why nothing is lost without it; it is kept."""

    reason: Line


class Resumed(BaseModel):
    """The consumers that go on."""

    resumed: list[str]


def router(service: str, database: Database) -> APIRouter:
    """The routes, for every service to mount."""
    routes = APIRouter(prefix="/internal/v1/operations", tags=["internal"])

    @routes.get("")
    async def troubles(caller: Anybody) -> Troubles:
        """What was set aside for this tenant, and what of the service stands still."""
        async with database.transaction(caller.tenant_id, NOBODY) as db:
            found = await dead_letters.letters(db, states=["open", "replay", "drop"], limit=MOST)
            stopped = await breaker.opened(db)
        names = set(LetterShown.model_fields)
        letters = [LetterShown(**{name: getattr(each, name) for name in names}) for each in found]
        told = [StoppedShown(**{k: v for k, v in asdict(each).items() if k != "release"}) for each in stopped]
        return Troubles(service=service, letters=letters, stopped=told)

    @routes.post("/letters/{letter_id}/replay")
    async def replay(caller: Anybody, letter_id: UUID) -> dict[str, str]:
        """Try it again, then what waits behind it."""
        _check(caller)
        async with database.transaction(caller.tenant_id) as db:
            await _mine(db, caller, letter_id)
            await dead_letters.replay(db, letter_id, caller.subject)
        return {"state": "replay"}

    @routes.post("/letters/{letter_id}/drop")
    async def drop(caller: Anybody, letter_id: UUID, why: Reason) -> dict[str, str]:
        """Forget it for good and go on with what waits behind it."""
        _check(caller)
        async with database.transaction(caller.tenant_id) as db:
            await _mine(db, caller, letter_id)
            await dead_letters.drop(db, letter_id, caller.subject, why.reason)
        return {"state": "drop"}

    @routes.post("/resume")
    async def resume(caller: Anybody) -> Resumed:
        """Let what its letters stopped go on."""
        _check(caller)
        async with database.transaction(caller.tenant_id, NOBODY) as db:
            stopped = [each.consumer for each in await breaker.opened(db)]
            return Resumed(resumed=[name for name in stopped if await breaker.close(db, name, "letters")])

    return routes


def _check(caller: Caller) -> None:
    if SCOPE not in caller.scopes:
        raise Forbidden(f"This needs the scope {SCOPE}.")


async def _mine(db: AsyncConnection, caller: Caller, letter_id: UUID) -> None:
    """Raises NotFound for a letter of another tenant."""
    letter, _, _ = await dead_letters.letter(db, letter_id)
    if letter.tenant_id != caller.tenant_id:
        raise NotFound(f"There is no dead letter {letter_id}.")
