"""A policy before it is used: what the linter finds in it, and what it would have said or would say.

Both are the scheduler's: it is asked when the page is drawn. The linter searches for seconds, so it has a page of its
own; a simulation goes through the customers some hundred at a time, and `next` leads on. A draft is played beside
the active version of its name unless somebody asks for another.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from libs.common.money import from_wire
from services.console.pages.asking import Words, address, day_or, uuid_of
from services.console.pages.commands import ask, said_or_refused
from services.console.pages.guard import PageRoute, allows, may
from services.console.pages.measures import step_named
from services.console.pages.policies import BACK, OWNER, active_of, step_name, versions
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, Texts, web_of
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import customers

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("reminders:read"))]
Player = Annotated[Person, Depends(may("payments:read"))]
"""Who sees all customers: a simulation names them, with what they owe."""
PARTIES = 300
"""Customers a page: what the scheduler plays in a second or two."""
SHOWN = 200
"""Contacts that stand on the page; the table of the command has all of them."""
SECONDS = 25.0
"""What a page waits for a simulation: sixty days of some hundred customers, by two versions."""


@routes.get("/policies/{version_id}/check")
async def findings(request: Request, person: Reader, version_id: UUID) -> Response:
    """What the linter finds in a version: errors keep it from use, warnings do not."""
    room, t = here(request), web_of(request).texts_for(request, person)
    version = await ask(room, person, OWNER, "GET", f"/v1/policies/{version_id}")
    told = await ask(room, person, OWNER, "GET", f"/v1/policies/{version_id}/findings")
    steps = {step["key"]: step_name(t, step) for step in version["policy"]["steps"]}
    lines = [
        {**each, "said": each[t.language], "step_name": steps.get(each["step"], each["step"])}
        for each in sorted(told["findings"], key=lambda each: (each["severity"], each["rule"]))
    ]
    return await shown(
        request,
        "findings.html",
        person,
        version=version,
        clean=told["clean"],
        findings=lines,
        may_simulate=allows(person, "payments:read"),
    )


@routes.get("/policies/{version_id}/simulate")
async def simulation(  # noqa: PLR0917 - the words of an address
    request: Request, person: Player, version_id: UUID, first: Words = "", last: Words = "", against: Words = "",
    cursor: Words = "",
) -> Response:  # fmt: skip
    """Play a version over days that have passed or lie ahead, beside another version or what was really sent."""
    room, t = here(request), web_of(request).texts_for(request, person)
    version = await ask(room, person, OWNER, "GET", f"/v1/policies/{version_id}")
    others = [each for each in await versions(room, person) if each["version_id"] != version["version_id"]]
    day = today(room.clock, ZONE)
    begins, ends = day_or(first, day - BACK), day_or(last, day - timedelta(days=1))
    chosen = next((each for each in others if uuid_of(against) == UUID(each["version_id"])), None)
    if not first and not against:
        chosen = active_of(others, version["name"])
    named = {step["key"]: step_name(t, step) for step in version["policy"]["steps"]}
    played: dict[str, Any] | None = None
    refusal: dict[str, Any] = {}
    if first:
        body = {"first": begins.isoformat(), "last": ends.isoformat(), "limit": PARTIES}
        body |= {"against": chosen["version_id"]} if chosen else {}
        body |= {"cursor": cursor} if cursor else {}
        played, refusal = await said_or_refused(played_by(room, person, version_id, body))
    facts: dict[str, Any] = {
        "version": version,
        "others": others,
        "against": chosen,
        "first": begins,
        "last": ends,
        "played": played,
        "refusal": refusal,
        "by_step": by_step(t, played, named) if played else [],
        "step_name": lambda contact: step_name(t, contact | {"key": contact["step"]}),
        "more": address(request, cursor=played["next"]) if played and played["next"] else None,
        "first_page": address(request, cursor=None) if cursor else None,
    }
    return await shown(request, "simulation.html", person, 422 if refusal else 200, **facts)


async def played_by(  # noqa: PLR0917 - who asks for what, and how much of it is told
    room: Room, person: Person, version_id: UUID, body: dict[str, Any], only: str = "", most: int = SHOWN
) -> dict[str, Any]:
    """The simulation with its first contacts' customers by name (`only` those that are found so); busiest day and
    steps are those of this page. Raises Unavailable or PeerRefused."""
    path = f"/v1/policies/{version_id}/simulations"
    told: dict[str, Any] = await ask(room, person, OWNER, "POST", path, json=body, timeout=SECONDS)
    meant = [each for each in told["contacts"] if only in ("", each["found"])]
    contacts = meant[:most]
    async with room.database.transaction(person.tenant_id) as db:
        names = await customers.names(db, person.tenant_id, {UUID(each["payer_id"]) for each in contacts})
    lines = [
        {**each, "name": names.get(UUID(each["payer_id"])), "asked": [from_wire(one) for one in each["asked"]]}
        for each in contacts
    ]
    return {**told, "lines": lines, "more_contacts": len(meant) - len(lines)}


def by_step(t: Texts, played: dict[str, Any], named: Mapping[str, str]) -> list[dict[str, Any]]:
    """How often each step would have been said, here and there; `there` is None where nothing is known of it."""
    here_, there = played["summary"]["by_step"], (played["other"] or {}).get("by_step")
    keys = [key for key in named if key in here_ or key in (there or {})]
    keys += sorted({*here_, *(there or {})} - {*keys})
    return [
        {
            "name": named.get(key) or step_named(t, key),
            "here": here_.get(key, 0),
            "there": None if there is None else there.get(key, 0),
        }
        for key in keys
    ]
