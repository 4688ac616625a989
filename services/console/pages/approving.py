"""Approving notices in two clicks: what is about to leave with its number and sums, then exactly that.

The sums are the notifier's own, read when the question is put; when anything changed until the answer, the notifier
refuses and says so. Formal notices are approved alone, never with others.
"""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from libs.common.errors import Refused
from libs.common.ids import uuid7
from libs.common.money import Money, from_wire, totals
from services.console.pages.asking import Narrowed
from services.console.pages.commands import ask, once
from services.console.pages.guard import PageRoute, Posted, may
from services.console.pages.shell import shown
from services.console.pages.web import path_of_ours
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import today as store

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Approver = Annotated[Person, Depends(may("notices:approve"))]
OWNER = "notifier"
MOST = 500


@routes.post("/notices/review")
async def review(request: Request, person: Approver, form: Posted, chosen: Narrowed) -> Response:
    """What is about to be approved: the ticked lines, or all that the filters show."""
    room = here(request)
    wanted = await _wanted(room, person, form, chosen)
    found, as_of = await _proposed(room, person, set(wanted))
    notices = [found[identity] for identity in wanted if identity in found]
    facts: dict[str, Any] = {
        "notices": notices,
        "gone": len(wanted) - len(notices),
        "sums": summed(notices),
        "seen_at": as_of,
        "key": uuid7(),
        "next": path_of_ours(str(form.get("next") or "")),
    }
    return await shown(request, "review.html", person, **facts)


async def _wanted(room: Room, person: Person, form: Any, chosen: Any) -> list[str]:
    """The ids that were ticked, or of everything that the filters show, at most 500 at a time."""
    if form.get("all") != "yes":
        return _ids(form)
    async with room.database.transaction(person.tenant_id) as db:
        return [str(each) for each in await store.proposed(db, person.tenant_id, chosen, MOST)]


def _ids(form: Any) -> list[str]:
    try:
        return [str(UUID(str(value))) for value in form.getlist("id")][:MOST]
    except ValueError:
        raise Refused("This is no list of notices.", field="id") from None


async def _proposed(room: Room, person: Person, wanted: set[str]) -> tuple[dict[str, dict[str, Any]], str]:
    """The wanted notices as the notifier has them now, and the instant of its first answer."""
    found: dict[str, dict[str, Any]] = {}
    cursor, as_of = None, ""
    while True:
        asked = {"state": "proposed", "limit": 200} | ({"cursor": cursor} if cursor else {})
        told = await ask(room, person, OWNER, "GET", "/v1/notices", params=asked)
        as_of = as_of or told["as_of"]
        found |= {each["id"]: each for each in told["notices"] if each["id"] in wanted}
        cursor = told["next"]
        if cursor is None or len(found) == len(wanted):
            return found, as_of


def summed(notices: Sequence[dict[str, Any]]) -> list[Money]:
    """One sum a currency of what the notices ask for, the largest first."""
    sums = totals(from_wire(amount) for notice in notices for amount in notice["sums"])
    return sorted(sums.values(), key=lambda amount: -amount.minor)


@routes.post("/notices/approve")
async def approve(request: Request, person: Approver, form: Posted) -> Response:
    """Approve exactly what was shown; the notifier refuses when it is no longer that."""
    currencies, amounts = form.getlist("currency"), form.getlist("amount")
    sums = [
        Money.parse(str(amount), str(currency)).wire() for amount, currency in zip(amounts, currencies, strict=False)
    ]
    ids = _ids(form)
    body = {"ids": ids, "as_of": str(form.get("as_of") or ""), "count": len(ids), "sums": sums}
    key = once(str(form.get("key") or "") or None)
    await ask(here(request), person, OWNER, "POST", "/v1/notices/approve", json=body, headers=key)
    return RedirectResponse(path_of_ours(str(form.get("next") or "")), 303)


@routes.post("/notices/{notice_id}/reject")
async def reject(request: Request, person: Approver, form: Posted, notice_id: UUID) -> Response:
    """Nobody sends this one."""
    reason = {"reason": str(form.get("reason") or "").strip()}
    await ask(here(request), person, OWNER, "POST", f"/v1/notices/{notice_id}/reject", json=reason, headers=once(None))
    return RedirectResponse(path_of_ours(str(form.get("next") or "")), 303)


@routes.post("/tasks/{task_id}/outcome")
async def task_done(
    request: Request, person: Annotated[Person, Depends(may("notices:write"))], form: Posted, task_id: UUID
) -> Response:
    """A call was made, a reply was read: this came of it."""
    told = {"outcome": str(form.get("outcome") or ""), "remark": str(form.get("remark") or "").strip() or None}
    await ask(here(request), person, OWNER, "POST", f"/v1/tasks/{task_id}/outcome", json=told, headers=once(None))
    return RedirectResponse(path_of_ours(str(form.get("next") or "")), 303)
