"""The charges sheet of an invoice: what late payment bears, the rows behind it with their rates, and what was claimed.

Counted by the scheduler when the page is drawn; whoever sees the invoice sees its sheet.
"""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.calls import PeerRefused
from libs.common.clock import today
from libs.common.errors import Unavailable
from services.console.pages.asking import Words, day_of, limits
from services.console.pages.commands import ask
from services.console.pages.guard import PageRoute, may
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, web_of
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import invoices

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("reminders:read"))]
OWNER = "scheduler"
NOT_FOUND = 404
MOODS = {"quoted": "care", "invoiced": "care", "collected": "good", "waived": ""}


@routes.get("/invoices/{invoice_id}/charges")
async def charges_sheet(request: Request, person: Reader, invoice_id: UUID, until: Words = "") -> Response:
    """Interest and lump sums of each instalment up to a day, to the row."""
    room, t = here(request), web_of(request).texts_for(request, person)
    day = day_of(until, today(room.clock, ZONE))
    async with room.database.transaction(person.tenant_id) as db:
        invoice = await invoices.one(db, person.tenant_id, invoice_id, limits(person))
        items = await invoices.items(db, person.tenant_id, invoice_id)
    sheets: list[dict[str, Any]] = []
    trouble = ""
    try:
        sheets = [await _sheet(room, person, item, day) for item in items if not item["gone"]]
    except Unavailable:  # the page says so
        trouble = "plans.away"
    except PeerRefused as refused:
        if refused.answered != NOT_FOUND:
            raise
        trouble = "charges.unknown"  # its event is still on its way
    facts: dict[str, Any] = {
        "invoice": invoice,
        "sheets": sheets,
        "trouble": trouble,
        "until": day,
        "moods": MOODS,
        "language": t.language,
    }
    return await shown(request, "charges.html", person, **facts)


async def _sheet(room: Room, person: Person, item: Any, until: date) -> dict[str, Any]:
    """What an instalment bears, and its proof."""
    path, params = f"/v1/items/{item['item_id']}/charges", {"until": until.isoformat()}
    told = await ask(room, person, OWNER, "GET", path, params=params)
    proof = await ask(room, person, OWNER, "GET", f"{path}/proof", params=params)
    return {"item": item, "told": told, "proof": proof}
