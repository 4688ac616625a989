"""Portfolios: whose accounts are mine, and who looks after them while I am away."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from libs.common.errors import Forbidden
from services.console.pages import forms
from services.console.pages.commands import Told, done
from services.console.pages.guard import PageRoute, Posted, allows, may
from services.console.pages.shell import shown
from services.console.pages.web import ZONE
from services.console.people import portfolios
from services.console.people.lookup import Person
from services.console.people.portfolios import Cover
from services.console.room import here
from services.console.store import customers

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("debtors:read"))]
Noter = Annotated[Person, Depends(may("notices:write"))]
TEAM = "audit:read"
"""The scope of who answers for the work of others."""


@routes.get("/portfolio")
async def portfolio(request: Request, person: Reader) -> Response:
    """My portfolio and its substitutes; who answers for a team sees everybody's."""
    room = here(request)
    day, every = today(room.clock, ZONE), allows(person, TEAM)
    async with room.database.transaction(person.tenant_id) as db:
        facts: dict[str, Any] = {
            "covers": await portfolios.listed(db, person, day, everybodys=every),
            "colleagues": await portfolios.colleagues(db, person),
            "names": await customers.collectors(db, person.tenant_id) if every else [],
        }
    facts |= {"day": day, "every": every, "may_name": allows(person, "notices:write")}
    return await shown(request, "portfolio.html", person, **facts)


@routes.post("/portfolio/substitutes")
async def name_substitute(request: Request, person: Noter, form: Posted) -> Response:
    """Somebody looks after my portfolio, or, as a manager names it, after another."""
    whose = forms.text(form, "portfolio") or person.portfolio or ""
    if not whose:
        raise forms.FieldMissing(field="portfolio")
    if whose != person.portfolio and not allows(person, TEAM):
        raise Forbidden("Only a manager names substitutes of others.", remedy="Ask a person with the role manager.")
    who = forms.identities(form, "user_id")
    if not who:
        raise forms.FieldMissing(field="user_id")
    cover = Cover(whose, who[0], forms.day(form, "from_on"), forms.day(form, "until_on"))
    async with here(request).changing(person.tenant_id, person.actor) as change:
        made = await portfolios.name(change, cover)
    return done(request, form, Told("done.substitute", {}, f"/portfolio/substitutes/{made}/end"))


@routes.post("/portfolio/substitutes/{substitute_id}/end")
async def end_substitute(request: Request, person: Noter, form: Posted, substitute_id: UUID) -> Response:
    """Nobody stands in any more."""
    own = None if allows(person, TEAM) else person.portfolio or ""
    async with here(request).changing(person.tenant_id, person.actor) as change:
        await portfolios.end(change, substitute_id, own)
    return done(request, form, Told("done.substitute.ended"))
