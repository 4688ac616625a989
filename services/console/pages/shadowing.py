"""A company in shadow: the reminders that would have left, beside those that the system before this one did send.

The comparison is the scheduler's. Ours are decided and never sent while a company or its policy is in shadow; theirs
were imported (on the page of imports, or by `relance past-reminders import`), and their tones are the levels at which
the ladder goes on.
"""

from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common import directory
from libs.common.clock import today
from libs.common.errors import Unavailable
from services.console.pages.asking import Words, address, day_or, uuid_of
from services.console.pages.commands import ask, said_or_refused
from services.console.pages.guard import PageRoute, may
from services.console.pages.policies import OWNER
from services.console.pages.shell import shown
from services.console.pages.web import ZONE
from services.console.people.lookup import Person
from services.console.room import here
from services.console.store import payments

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("payments:read"))]
"""Who sees all customers: a comparison names the invoices of everybody."""
BACK = timedelta(days=30)
FOUND = ("same", "softer", "harder", "ours_only", "theirs_only")
"""Where a reminder is: on both sides, in the same tone or not, or on one side only."""


@routes.get("/shadow")
async def shadow(  # noqa: PLR0917 - the words of an address
    request: Request, person: Reader, entity: Words = "", first: Words = "", last: Words = "", found: Words = "",
    cursor: Words = "",
) -> Response:  # fmt: skip
    """What would have been sent beside what was, reminder by reminder, with the counts of each kind."""
    room, day = here(request), today(here(request).clock, ZONE)
    async with room.database.transaction(person.tenant_id) as db:
        known = await directory.entities(db, person.tenant_id)
    companies = _chosen(known, uuid_of(entity))
    begins, ends = day_or(first, day - BACK), day_or(last, day)
    facts: dict[str, Any] = {
        "company": companies[0] if companies else None,
        "first": begins,
        "last": ends,
        "which": found,
        "kinds": FOUND,
        "away": False,
    }
    told: dict[str, Any] | None = None
    refusal: dict[str, Any] = {}
    asked = {"first": begins.isoformat(), "last": ends.isoformat()}
    asked |= {name: word for name, word in (("found", found), ("cursor", cursor)) if word}
    try:
        for company in companies:
            params = asked | {"entity_id": str(company.entity_id)}
            answer, refusal = await said_or_refused(ask(room, person, OWNER, "GET", "/v1/shadow", params=params))
            if told is None or (answer and answer["items"]):
                told, facts["company"] = answer, company
            if refusal or (told and told["items"]):
                break
    except Unavailable:  # the page says so
        facts["away"] = True
    lines = [_line(each) for each in told["items"]] if told else []
    async with room.database.transaction(person.tenant_id) as db:
        invoices = await payments.invoices_of(db, person.tenant_id, {UUID(each["item_id"]) for each in lines})
    facts |= {
        "told": told,
        "refusal": refusal,
        "lines": [each | {"of": invoices.get(UUID(each["item_id"]))} for each in lines],
        "more": address(request, cursor=told["next"]) if told and told["next"] else None,
        "first_page": address(request, cursor=None) if cursor else None,
    }
    return await shown(request, "shadow.html", person, 422 if refusal else 200, **facts)


MOST = 10
"""Companies that are looked through for one that has something to compare."""


def _chosen(known: list[directory.Entity], wanted: UUID | None) -> list[directory.Entity]:
    """The company that is asked for; else those that may have something to compare, those in shadow first: a live
    one may have a policy in shadow."""
    if named := [each for each in known if each.entity_id == wanted]:
        return named
    return sorted(known, key=lambda each: (each.mode != "shadow", each.name))[:MOST]


def _line(told: dict[str, Any]) -> dict[str, Any]:
    """A line with days instead of their texts."""
    sides = {
        name: told[name] and told[name] | {"on": date.fromisoformat(told[name]["on"])} for name in ("ours", "theirs")
    }
    return told | sides
