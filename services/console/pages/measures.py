"""Key figures of the follow-up over a period: collection, promises, reminders, what follows each step; and yesterday.

They are the scheduler's, counted from its facts when the page is drawn; one that does not answer is said to be away.
"""

import asyncio
from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from libs.common.errors import Unavailable
from services.console.pages.asking import Words, day_or, uuid_of
from services.console.pages.commands import ask, said_or_refused
from services.console.pages.guard import PageRoute, may
from services.console.pages.policies import OWNER
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, Texts, web_of
from services.console.people.lookup import Person
from services.console.room import Room, here

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("payments:read"))]
SPAN = timedelta(days=89)
FIGURES = ("collection", "promises", "reminders", "steps")
MOODS = {"said": "good", "unanswered": "bad", "failed": "bad", "rejected": "care", "uncertain": "care"}


@routes.get("/figures")
async def key_figures(
    request: Request, person: Reader, first: Words = "", last: Words = "", entity: Words = ""
) -> Response:
    """What the follow-up brought between two days, of one company or of all, and where yesterday's steps stand."""
    room, t = here(request), web_of(request).texts_for(request, person)
    now = today(room.clock, ZONE)
    begins, ends = day_or(first, now - SPAN), day_or(last, now)
    company = uuid_of(entity)
    told: dict[str, Any] | None = None
    refusal: dict[str, Any] = {}
    away = False
    try:
        told, refusal = await said_or_refused(_told(room, person, begins, ends, company))
    except Unavailable:  # the page says so
        away = True
    facts: dict[str, Any] = {
        "first": begins,
        "last": ends,
        "company": company,
        "away": away,
        "refusal": refusal,
        "told": told or {},
        "step_named": lambda key: step_named(t, key),
        "rate": lambda share: None if share is None else round(float(share) * 100),
        "moods": MOODS,
        "reason_of": lambda reason: t(f"balance.why.{reason}") if t.has(f"balance.why.{reason}") else reason,
    }
    return await shown(request, "figures.html", person, 422 if refusal else 200, **facts)


async def _told(room: Room, person: Person, first: date, last: date, company: UUID | None) -> dict[str, Any]:
    params = {"first": first.isoformat(), "last": last.isoformat()}
    of = {"entity_id": str(company)} if company else {}
    asked = [
        *(ask(room, person, OWNER, "GET", f"/v1/kpis/{name}", params=params | of) for name in FIGURES),
        ask(room, person, OWNER, "GET", "/v1/daily-balance", params=of),
    ]
    found = dict(zip((*FIGURES, "balance"), await asyncio.gather(*asked), strict=True))
    return found | {"steps": found["steps"] | {"figures": sorted(found["steps"]["figures"], key=_climbed)}}


_LADDER = ("courtesy", "friendly", "firm", "call", "sales_owner", "final", "visit", "formal", "hand_over", "monthly")


def _climbed(step: dict[str, Any]) -> tuple[int, str, str]:
    """As the ladder climbs, others behind."""
    key = step["step"]
    return (_LADDER.index(key) if key in _LADDER else len(_LADDER), key, step["currency"])


def step_named(t: Texts, key: str) -> str:
    known = (f"step.key.{key}", f"step.{key}")
    return next((t(each) for each in known if t.has(each)), key)
