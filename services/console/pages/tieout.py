"""The tie-out: our balance against the ERP's customer accounts, for each company and customer, to the cent.

Both ledgers are payment_matching's: it is asked for its last comparison, and told what a person decides about a list
that waits. The page shows what differs and why; it adds nothing up itself.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.errors import Unavailable
from libs.common.money import from_wire
from services.console.pages.asking import Words, address
from services.console.pages.commands import Told, ask, done, key_of, once
from services.console.pages.guard import PageRoute, Posted, allows, may
from services.console.pages.shell import shown
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import customers

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("payments:read"))]
Decider = Annotated[Person, Depends(may("payments:write"))]
OWNER = "payment_matching"
SNAPSHOTS = "/v1/open-items/snapshots"
MOODS = {"taken": "good", "accepted": "good", "waiting": "bad", "rejected": ""}
KINDS = {"missing": "bad", "extra": "bad", "amount": "bad", "ahead": "care"}
PAGE = 100
ITEMS = 50
"""Differing items shown; the rest is in the API and `relance ledger differences`."""


@routes.get("/tie-out")
async def tie_out(
    request: Request, person: Reader, entity: Words = "", every: Words = "", cursor: Words = ""
) -> Response:
    """Each company's last comparison; of one, the customers and items that differ."""
    room = here(request)
    facts: dict[str, Any] = {
        "companies": [],
        "open": None,
        "away": False,
        "every": every == "yes",
        "moods": MOODS,
        "kinds": KINDS,
        "may_decide": allows(person, "payments:write"),
        "more": None,
        "first_page": address(request, cursor=None) if cursor else None,
    }
    try:
        facts["companies"] = [_read(one) for one in await ask(room, person, OWNER, "GET", "/v1/tie-out")]
        if which := _chosen(facts["companies"], entity):
            facts["open"] = await _detail(room, person, which, cursor=cursor, every=every == "yes")
            following = facts["open"]["next"]
            facts["more"] = address(request, cursor=following) if following else None
    except Unavailable:  # the page says so
        facts["away"] = True
    return await shown(request, "tieout.html", person, **facts)


def _chosen(companies: list[dict[str, Any]], entity: str) -> dict[str, Any] | None:
    """The company asked for, or the only one, or the first whose reminders wait."""
    asked = [one for one in companies if one["entity_id"] == entity]
    held = [one for one in companies if one["held"]]
    return next(iter([*asked, *held, *companies]), None)


def _read(told: dict[str, Any]) -> dict[str, Any]:
    names = ("ours", "theirs", "difference", "control_account", "control_difference")
    balances = [
        each | {name: from_wire(each[name]) if each[name] else None for name in names} for each in told["balances"]
    ]
    differences = [
        each | {"amount": from_wire(each["amount"]) if each["amount"] else None} for each in told["differences"]
    ]
    return told | {"balances": balances, "differences": differences}


async def _detail(room: Room, person: Person, company: dict[str, Any], *, cursor: str, every: bool) -> dict[str, Any]:
    """The customers of one company with their names, and the first items that differ."""
    params = {"limit": str(PAGE), "every": str(every).lower()} | ({"cursor": cursor} if cursor else {})
    told = await ask(room, person, OWNER, "GET", f"/v1/tie-out/{company['entity_id']}", params=params)
    path = f"{SNAPSHOTS}/{company['snapshot_id']}/differences"
    found = await ask(room, person, OWNER, "GET", path, params={"limit": str(ITEMS)})
    accounts = {UUID(one["debtor_id"]) for one in told["customers"] if one["debtor_id"]}
    async with room.database.transaction(person.tenant_id) as db:
        names = await customers.names(db, person.tenant_id, accounts)
    return {
        "company": company,
        "customers": [_customer(one, names) for one in told["customers"]],
        "items": [_item(one) for one in found["differences"]],
        "more_items": found["next"] is not None,
        "next": told["next"],
    }


def _customer(told: dict[str, Any], names: dict[UUID, str | None]) -> dict[str, Any]:
    debtor = UUID(told["debtor_id"]) if told["debtor_id"] else None
    money = {name: from_wire(told[name]) for name in ("ours", "theirs", "difference")}
    return told | money | {"debtor_id": debtor, "name": names.get(debtor) if debtor else None}


def _item(told: dict[str, Any]) -> dict[str, Any]:
    return told | {name: from_wire(told[name]) for name in ("ours", "theirs")}


@routes.post("/tie-out/{snapshot_id}/accept")
async def accept(request: Request, person: Decider, form: Posted, snapshot_id: UUID) -> Response:
    """The list is right: it is carried out."""
    return await _decide(request, person, form, f"{SNAPSHOTS}/{snapshot_id}/accept", "done.tieout.accepted")


@routes.post("/tie-out/{snapshot_id}/reject")
async def reject(request: Request, person: Decider, form: Posted, snapshot_id: UUID) -> Response:
    """The list is wrong: the one before holds."""
    return await _decide(request, person, form, f"{SNAPSHOTS}/{snapshot_id}/reject", "done.tieout.rejected")


async def _decide(request: Request, person: Person, form: Any, path: str, said: str) -> Response:
    await ask(here(request), person, OWNER, "POST", path, headers=once(key_of(form)))
    return done(request, form, Told(said))
