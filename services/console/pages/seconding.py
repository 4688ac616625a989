"""What waits for a second person: money given or written off by hand beyond an amount that an administrator sets.

Protects: whoever decides sees what would be done, to which invoices, for how much and who proposed it. Who may be the
second, payment_matching says: whoever proposed it is refused there, and may take it back.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.errors import RelanceError
from libs.common.money import Money, from_wire
from services.console.pages import forms
from services.console.pages.commands import Told, ask, done, key_of, once
from services.console.pages.guard import PageRoute, Posted, may
from services.console.pages.matching import OWNER, shown_left
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import payments as store
from services.console.store import people

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Treasurer = Annotated[Person, Depends(may("payments:write"))]
PATH = "/v1/matching/proposals"
MOST = 50
ACTS = ("approve", "refuse")
Line = dict[str, Any]


async def waiting(room: Room, person: Person) -> tuple[list[Line], bool]:
    """What waits, the newest first, and whether there is more of it; nothing when payment_matching does not answer."""
    with suppress(RelanceError):
        params = {"state": "waiting", "limit": MOST}
        told = await ask(room, person, OWNER, "GET", PATH, params=params)
        return await _read(room, person, told["proposals"]), told["next"] is not None
    return [], False


async def of_payment(room: Room, person: Person, identity: str, known: Sequence[Line]) -> Line | None:
    """What waits of a payment: one of those that are known, else asked for; None when it does not wait any more."""
    found = next((line for line in known if line["proposal_id"] == identity), None)
    if found is None:
        with suppress(RelanceError):
            told = await ask(room, person, OWNER, "GET", f"{PATH}/{identity}")
            if told["state"] == "waiting":
                [found] = await _read(room, person, [told])
    return found


async def _read(room: Room, person: Person, lines: Sequence[Line]) -> list[Line]:
    """The lines with what each item would get (`parts`), who proposed it (`who`), and whether this person did."""
    items = {UUID(part["item_id"]) for line in lines for part in _parts(line)}
    async with room.database.transaction(person.tenant_id) as db:
        of = await store.invoices_of(db, person.tenant_id, items)
        names = await people.names(db, person.tenant_id, {line["proposed_by"] for line in lines})
    return [
        line
        | {
            "parts": [part | {"of": of.get(UUID(part["item_id"]))} for part in _parts(line)],
            "credits": [Money(minor, line["amount"]["currency"]) for _, minor in line["wanted"].get("credits", [])],
            "who": names.get(line["proposed_by"], line["proposed_by"]),
            "mine": line["proposed_by"] == person.actor,
        }
        for line in lines
    ]


def _parts(line: Line) -> list[Line]:
    """What each item would get, None for all that it owes, what of the payment in another currency that takes, and
    what the rest would be written off as."""
    wanted = line["wanted"]
    if line["kind"] == "write_off":
        return [{"item_id": line["item_id"], "money": None, "paid": None, "off": wanted["kind"]}]
    return [
        {
            "item_id": part["item_id"],
            "money": from_wire(part["amount"]) if "amount" in part else None,
            "paid": from_wire(part["paid"]) if "paid" in part else None,
            "off": part.get("write_off"),
        }
        for part in wanted["allocations"]
    ]


@routes.post("/payments/proposals/{proposal_id}")
async def decide(request: Request, person: Treasurer, form: Posted, proposal_id: UUID) -> Response:
    """Do what another proposed, or let nothing come of it; whoever proposed it may take it back."""
    room, act = here(request), forms.one_of(form, "do", ACTS)
    body = {"why": forms.needed(form, "why", most=500)} if act == "refuse" else None
    path, key = f"{PATH}/{proposal_id}/{act}", once(key_of(form), act)
    told = await ask(room, person, OWNER, "POST", path, json=body, headers=key)
    if act == "approve" and told["payment_id"]:
        payment = await ask(room, person, OWNER, "GET", f"/v1/payments/{told['payment_id']}")
        await shown_left(room, person, UUID(told["payment_id"]), payment)
    return done(request, form, Told(f"done.proposal.{act}"))
