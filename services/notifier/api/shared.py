"""What the notifier's routes share: their room, who may call, and how pages are cut."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request

from libs.common import paging
from libs.common.auth import Caller, requires
from libs.common.http import inline
from libs.common.settings import Settings
from services.notifier.room import Room


def here(request: Request) -> Room:
    """The collaborators of this process."""
    room: Room = request.app.state.room
    return room


Here = Annotated[Room, Depends(inline(here))]
Reads = Annotated[Caller, Depends(requires("notices:read"))]
Writes = Annotated[Caller, Depends(requires("notices:write"))]
Approves = Annotated[Caller, Depends(requires("notices:approve"))]


def after(settings: Settings, kind: str, cursor: str | None) -> UUID | None:
    """The id after which a page begins. Raises InvalidCursor."""
    place = paging.place(settings, kind, cursor)
    return place[0] if place else None


def cut(settings: Settings, kind: str, rows: Sequence[Any], limit: int, name: str) -> tuple[Sequence[Any], str | None]:
    """The page, and the cursor of the next one if there is more; `name` is the column that orders the list."""
    page, last = paging.cut(rows, limit)
    return page, None if last is None else paging.cursor(settings, kind, getattr(last, name))
