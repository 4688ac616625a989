"""What takes two people: from which amount on, our own bank details, and how much waits for this person's word.

Protects: nobody is told to decide what they proposed themselves, or may not decide. The amounts are payment_matching's
and an administrator's to set; whoever may not change them sees them.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.errors import RelanceError, Unavailable
from libs.common.money import from_wire
from services.console.directory import bank_details
from services.console.pages import forms
from services.console.pages.commands import Told, ask, done, key_of, once
from services.console.pages.credit import CREDIT, grants
from services.console.pages.guard import PageRoute, Posted, allows, may
from services.console.pages.matching import OWNER as MATCHING
from services.console.pages.policies import OWNER as SCHEDULER
from services.console.pages.seconding import PATH as PROPOSALS
from services.console.pages.shell import shown
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import people

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("payments:read"))]
Administrator = Annotated[Person, Depends(may("directory:admin"))]
AT = "/payments/two-people"
LIMITS = "/v1/matching/two-people"
ACTS = ("approve", "reject")
SOON = 1.0
"""Seconds that Today waits for a count."""
Line = dict[str, Any]


@dataclass(frozen=True)
class Waits:
    """How much of one kind waits for somebody's word, and where it is decided; None while its owner is silent."""

    kind: str
    at: str
    count: int | None


async def waiting_for(room: Room, person: Person) -> list[Waits]:
    """What this person may decide and has not proposed, kind by kind; kinds of which nothing waits are left out."""
    asked: list[Awaitable[Waits]] = []
    if allows(person, "payments:write"):
        asked.append(_counted("matches", "/payments", _of_others(room, person, MATCHING, PROPOSALS)))
    if grants(person):
        asked.append(_counted("credit", "/credit/requests", _of_others(room, person, SCHEDULER, CREDIT)))
    if allows(person, "notices:approve"):
        asked.append(_counted("policies", "/policies", _of_others(room, person, SCHEDULER, "/v1/policies")))
    if allows(person, "directory:admin"):
        asked.append(_counted("accounts", AT, _accounts(room, person)))
    return [each for each in await asyncio.gather(*asked) if each.count != 0]


async def _counted(kind: str, at: str, asked: Awaitable[int]) -> Waits:
    try:
        async with asyncio.timeout(SOON):
            return Waits(kind, at, await asked)
    except (RelanceError, TimeoutError):  # the page says so
        return Waits(kind, at, None)


async def _of_others(room: Room, person: Person, owner: str, path: str) -> int:
    """How many requests another person made, as their owner counts them."""
    return int((await ask(room, person, owner, "GET", f"{path}/undecided"))["by_others"])


async def _accounts(room: Room, person: Person) -> int:
    async with room.database.transaction(person.tenant_id) as db:
        return await bank_details.undecided(db, person.tenant_id, person.actor)


async def _proposed(room: Room, person: Person) -> list[Line]:
    """Bank details that nobody has decided, the newest first."""
    async with room.database.transaction(person.tenant_id) as db:
        return [each for each in await bank_details.listed(db, person.tenant_id) if each["state"] == "proposed"]


@routes.get(AT)
async def amounts(request: Request, person: Reader) -> Response:
    """The amounts beyond which two people decide; to administrators also the bank details that wait."""
    room, rules = here(request), allows(person, "directory:admin")
    limits: list[Line] | None = None
    try:
        told = await ask(room, person, MATCHING, "GET", LIMITS)
        limits = [
            each | {"entity_id": UUID(each["entity_id"]), "above": from_wire(each["above"])} for each in told["limits"]
        ]
    except Unavailable:  # the page says so
        pass
    accounts = await _proposed(room, person) if rules else []
    actors = {each["set_by"] for each in limits or ()} | {each["proposed_by"] for each in accounts}
    async with room.database.transaction(person.tenant_id) as db:
        names = await people.names(db, person.tenant_id, actors)
    facts: dict[str, Any] = {"limits": limits, "accounts": accounts, "names": names, "may_rule": rules}
    return await shown(request, "two_people.html", person, **facts)


@routes.post(AT)
async def change(request: Request, person: Administrator, form: Posted) -> Response:
    """Set or change the amount of a company in one currency."""
    amount = forms.money(form, "above")
    if amount is None:
        raise forms.FieldMissing(field="above")
    chosen = forms.identities(form, "entity")
    body = {"entity_id": str(chosen[0]) if chosen else None, "above": amount.wire()}
    await ask(here(request), person, MATCHING, "PUT", LIMITS, json=body, headers=once(key_of(form)))
    return done(request, form, Told("done.two.set"))


@routes.post(f"{AT}/{{entity_id}}/{{currency}}/drop")
async def drop(request: Request, person: Administrator, form: Posted, entity_id: UUID, currency: str) -> Response:
    """One person is enough again; what waits waits on."""
    path = f"{LIMITS}/{entity_id}/{currency}"
    await ask(here(request), person, MATCHING, "DELETE", path, headers=once(key_of(form)))
    return done(request, form, Told("done.two.dropped"))


@routes.post(f"{AT}/accounts/{{proposal_id}}")
async def decide(request: Request, person: Administrator, form: Posted, proposal_id: UUID) -> Response:
    """Approve bank details that another proposed, or drop them; whoever proposed them may drop them too."""
    act = forms.one_of(form, "do", ACTS)
    async with here(request).changing(person.tenant_id, person.actor) as changing:
        await (bank_details.approve if act == "approve" else bank_details.reject)(changing, proposal_id)
    return done(request, form, Told(f"done.two.account.{act}"))
