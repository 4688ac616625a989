"""Approving notices: what is about to leave with its number and sums, then exactly that; one alone at once.

The sums are the notifier's own, read when the question is put; when anything changed until the answer, the notifier
refuses and says so. All that the filters show is counted again before the first of it is approved. Formal notices
are approved alone, by two people, never with others.
"""

from collections.abc import Sequence
from html import escape
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from sqlalchemy import Table, select
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from libs.common.errors import NotFound, SetChanged
from libs.common.money import Money, from_wire, totals
from services.console.pages.acting import called
from services.console.pages.asking import Narrowed, limits
from services.console.pages.commands import Told, ask, done, heard, key_of, once
from services.console.pages.forms import FieldMissing, day, identities, needed, text
from services.console.pages.guard import PageRoute, Posted, may
from services.console.pages.shell import shown
from services.console.pages.web import path_of_ours
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import customers
from services.console.store import today as store
from services.console.store.ledger import Chosen
from services.console.tables import read_model as model

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Approver = Annotated[Person, Depends(may("notices:approve"))]
OWNER = "notifier"
BATCH = 500
"""Notices that the notifier takes in one approval."""
MOST = 5_000
"""Notices of one approval of all that is shown."""
FRAMED = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; "
    "frame-ancestors 'self'",
    "x-frame-options": "SAMEORIGIN",
    "cache-control": "no-store",
}
"""A message is somebody's words: nothing in it runs, loads or leads anywhere."""


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
        "whole": form.get("all") == "yes",
        "words": request.url.query,
        "next": path_of_ours(str(form.get("next") or "")),
    }
    return await shown(request, "review.html", person, **facts)


async def _wanted(room: Room, person: Person, form: FormData, chosen: Chosen) -> list[str]:
    """The ids that were ticked, or of everything that the filters show."""
    if form.get("all") != "yes":
        return [str(each) for each in identities(form, "id", most=BATCH)]
    async with room.database.transaction(person.tenant_id) as db:
        return [str(each) for each in await store.proposed(db, person.tenant_id, chosen, MOST)]


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
async def approve(request: Request, person: Approver, form: Posted, chosen: Narrowed) -> Response:
    """Approve exactly what was shown; refused when it is no longer that."""
    room, as_of, shown_sums = here(request), needed(form, "as_of"), _sums(form)
    wanted = await _wanted(room, person, form, chosen)
    batches = [wanted]
    if form.get("all") == "yes":
        found, _ = await _proposed(room, person, set(wanted))
        notices = [found[each] for each in wanted if each in found]
        if len(notices) != _count(form) or summed(notices) != shown_sums:
            raise SetChanged(f"There are {len(notices)} notices now.")
        batches = [[each["id"] for each in notices[at : at + BATCH]] for at in range(0, len(notices), BATCH)]
        sums = [summed(notices[at : at + BATCH]) for at in range(0, len(notices), BATCH)]
    else:
        sums = [shown_sums]
    told: list[str] = []
    for number, (ids, amounts) in enumerate(zip(batches, sums, strict=True)):
        body = {"ids": ids, "as_of": as_of, "count": len(ids), "sums": [each.wire() for each in amounts]}
        key = once(key_of(form), number or "")
        answer = await ask(room, person, OWNER, "POST", "/v1/notices/approve", json=body, headers=key)
        told += answer["awaiting_second"]
    if told or not wanted:
        return done(request, form, Told("done.first_approved"))
    await _heard(room, person, wanted[-1])
    return done(request, form, Told("done.approved", {"count": len(wanted)}))


async def _heard(room: Room, person: Person, notice_id: str, *, waits: bool = False) -> None:
    """Wait until the read model says that this notice waits for approval, or that it does so no more."""
    notice = model.notice
    state = notice.c.state == "proposed" if waits else notice.c.state != "proposed"
    mine = (notice.c.tenant_id == person.tenant_id, notice.c.notice_id == UUID(notice_id), state)
    await heard(room, person.tenant_id, select(notice.c.notice_id).where(*mine))


async def _told_of(room: Room, person: Person, table: Table, identity: UUID, column: str) -> UUID:
    """The case or payer that a notice or task is about. Raises NotFound, also outside what this person may see."""
    key = next(each for each in table.primary_key if each.name != "tenant_id")
    async with room.database.transaction(person.tenant_id) as db:
        asked = select(table.c[column], table.c.payer_id)
        mine = (table.c.tenant_id == person.tenant_id, key == identity)
        found = (await db.execute(asked.where(*mine))).one_or_none()
        if found is None:
            raise NotFound("There is no such thing here.")
        await customers.one(db, person.tenant_id, found.payer_id, limits(person))
    told: UUID = found[0]
    return told


def _sums(form: FormData) -> list[Money]:
    pairs = zip(form.getlist("amount"), form.getlist("currency"), strict=False)
    return [Money.parse(str(amount), str(currency)) for amount, currency in pairs]


def _count(form: FormData) -> int:
    count = str(form.get("count") or "")
    return int(count) if count.isdecimal() and len(count) < 7 else 0


@routes.post("/notices/{notice_id}/reject")
async def reject(request: Request, person: Approver, form: Posted, notice_id: UUID) -> Response:
    """Nobody sends this one."""
    room, reason = here(request), {"reason": text(form, "reason") or "rejected"}
    path = f"/v1/notices/{notice_id}/reject"
    await ask(room, person, OWNER, "POST", path, json=reason, headers=once(key_of(form)))
    await _heard(room, person, str(notice_id))
    return done(request, form, Told("done.rejected"))


@routes.post("/notices/{notice_id}/edit")
async def edit(request: Request, person: Approver, form: Posted, notice_id: UUID) -> Response:
    """Say one notice otherwise, or to others: a new one takes its place and waits for approval."""
    room = here(request)
    others = [each.strip() for each in text(form, "other", most=600).replace(";", ",").split(",") if each.strip()]
    recipients = list(dict.fromkeys([*(str(each) for each in form.getlist("recipient")), *others]))
    if not recipients:
        raise FieldMissing("Somebody must get it.", field="recipient")
    told = {"recipients": recipients, "note": text(form, "note", most=4_000)}
    match = {"If-Match": f'"{form["version"]}"'} if form.get("version") else {}
    new = await ask(room, person, OWNER, "PATCH", f"/v1/notices/{notice_id}", json=told, headers=match)
    await _heard(room, person, new["id"], waits=True)
    tab = "formal" if form.get("kind") == "formal_notice" else "send"
    return done(request, form, Told("done.edited"), to=f"/?tab={tab}&line={new['id']}")


@routes.post("/notices/{notice_id}/postpone")
async def postpone(
    request: Request, person: Annotated[Person, Depends(may("reminders:write"))], form: Posted, notice_id: UUID
) -> Response:
    """Not now: the case pauses until a day, and goes on by itself."""
    room = here(request)
    case = await _told_of(room, person, model.notice, notice_id, "case_id")
    told = {"scope": "case", "scope_id": str(case), "kind": "manual", "lift_at_review": True}
    told |= {"reason": text(form, "reason") or "postponed", "review_on": day(form, "review_on").isoformat()}
    made = await ask(room, person, "scheduler", "POST", "/v1/holds", json=told, headers=once(key_of(form)))
    await _heard(room, person, str(notice_id))
    return done(request, form, Told("done.postponed", {}, f"/holds/lift?id={made['hold_id']}"))


@routes.get("/notices/{notice_id}/message")
async def message(
    request: Request, person: Annotated[Person, Depends(may("notices:read"))], notice_id: UUID
) -> Response:
    """What a payer would read, alone in a frame where nothing runs."""
    room = here(request)
    await _told_of(room, person, model.notice, notice_id, "payer_id")
    told = await ask(room, person, OWNER, "GET", f"/v1/notices/{notice_id}")
    plain = f"<!doctype html><title>.</title><pre>{escape(told['text'] or '')}</pre>"
    return HTMLResponse(told["html"] or plain, headers=FRAMED)


@routes.post("/tasks/{task_id}/outcome")
async def task_done(
    request: Request, person: Annotated[Person, Depends(may("notices:write"))], form: Posted, task_id: UUID
) -> Response:
    """A call was made, a reply was read: this came of it; a promise is noted with it."""
    room = here(request)
    payer = await _told_of(room, person, model.task, task_id, "payer_id")

    async def note(told: dict[str, Any]) -> Any:
        path, key = f"/v1/tasks/{task_id}/outcome", once(key_of(form), "call")
        return await ask(room, person, OWNER, "POST", path, json=told, headers=key)

    return await called(request, person, form, payer, note)
