"""The day's volume, and letting a stopped tenant go on."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from libs.common.http import Wire
from services.notifier.room import Room
from services.notifier.store import volume

from .shared import Approves, Here, Reads

routes = APIRouter(prefix="/v1/volume", tags=["volume"])


class VolumeShown(BaseModel):
    """What left today without a person's approval, the bound, and when it stopped the tenant."""

    day: date
    sent: int
    most: int
    stopped_at: datetime | None
    resumed_by: str | None


class More(Wire):
    """How many more may leave today."""

    more: Annotated[int, Field(ge=1, le=100_000)]


def _today(room: Room) -> date:
    return volume.day_of(room.clock.now())


@routes.get("")
async def today(caller: Reads, room: Here) -> VolumeShown:
    """Today's volume."""
    async with room.database.transaction(caller.tenant_id) as db:
        row = await volume.today(db, caller.tenant_id, _today(room), room.floor)
    return VolumeShown(**{name: getattr(row, name) for name in VolumeShown.model_fields})


@routes.post("/resume")
async def resume(asked: More, caller: Approves, room: Here) -> VolumeShown:
    """A person has looked: so many more may leave today."""
    async with room.database.transaction(caller.tenant_id) as db:
        row = await volume.resume(
            db, caller.tenant_id, _today(room), floor=room.floor, more=asked.more, author=caller.subject
        )
    room.nudge()
    return VolumeShown(**{name: getattr(row, name) for name in VolumeShown.model_fields})
