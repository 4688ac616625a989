"""The search page: what `/` finds."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from services.console.pages.asking import Words, limits
from services.console.pages.guard import PageRoute, allows, may
from services.console.pages.shell import shown
from services.console.people.lookup import Person
from services.console.room import here
from services.console.store import finding

routes = APIRouter(route_class=PageRoute, include_in_schema=False)


@routes.get("/search")
async def search(request: Request, person: Annotated[Person, Depends(may("invoices:read"))], q: Words = "") -> Response:
    """Customers, invoices and payments that fit the words."""
    found: dict[str, Any] = {"customers": [], "invoices": [], "payments": []}
    words, only = q.strip(), limits(person)
    if words:
        async with here(request).database.transaction(person.tenant_id) as db:
            found["customers"] = await finding.customers(db, person.tenant_id, words, only)
            found["invoices"] = await finding.invoices(db, person.tenant_id, words, only)
            if allows(person, "payments:read"):
                found["payments"] = await finding.payments(db, person.tenant_id, words)
    return await shown(request, "search.html", person, words=words, found=found)
