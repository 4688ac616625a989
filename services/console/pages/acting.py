"""What people do about one customer: hold, exclude, promise, dispute, call, note. Each is a command to its owner.

A hold, a promise or a dispute is the scheduler's, a call the notifier's, a note ours. Its 2xx means that nothing more
leaves over its scope; the page comes back when the read model has heard it.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Table, select
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from libs.common.errors import Refused
from libs.common.ids import case_id
from libs.common.money import Money
from services.console.pages import forms
from services.console.pages.asking import limits
from services.console.pages.commands import Told, ask, done, heard, key_of, once
from services.console.pages.guard import PageRoute, Posted, allows, may
from services.console.pages.web import ZONE
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import customers, notes
from services.console.tables import read_model as model

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Chaser = Annotated[Person, Depends(may("reminders:write"))]
Noter = Annotated[Person, Depends(may("notices:write"))]
Ids = Annotated[list[UUID], Query(alias="id", max_length=200)]

DISPUTES = (
    "price", "quantity", "quality", "delivery", "not_ordered", "already_paid", "duplicate", "terms", "invoice_data",
    "other",
)  # fmt: skip
CALLS = ("reached", "promise", "dispute", "no_answer", "wrong_number")
RESOLUTIONS = ("upheld", "rejected", "withdrawn")
HOLDS = ("manual", "exclusion")
REMARK = 5_000


class NothingChosen(Refused):
    """No invoice is chosen."""

    code = "nothing_chosen"
    remedy = "Tick the invoices that it is about."


async def about_customer(room: Room, person: Person, debtor_id: UUID) -> dict[str, Any]:
    """The customer that a form is about. Raises NotFound, also outside what this person may see."""
    async with room.database.transaction(person.tenant_id) as db:
        return await customers.one(db, person.tenant_id, debtor_id, limits(person))


async def _heard(room: Room, person: Person, table: Table, identity: object, version: str) -> None:
    """Wait until the read model has the row that says so: `version` is the column of its beginning or its end."""
    key = next(column for column in table.primary_key if column.name != "tenant_id")
    mine = (table.c.tenant_id == person.tenant_id, key == UUID(str(identity)), table.c[version] >= 0)
    await heard(room, person.tenant_id, select(key).where(*mine))


def _undo(path: str, ids: Sequence[object], **more: str) -> str:
    words = [f"id={identity}" for identity in ids] + [f"{name}={value}" for name, value in more.items()]
    return f"{path}?{'&'.join(words)}"


@routes.post("/customers/{debtor_id}/hold")
async def hold(request: Request, person: Chaser, form: Posted, debtor_id: UUID) -> Response:
    """Pause a customer, or the chosen invoices of one, until somebody looks again."""
    room = here(request)
    debtor = await about_customer(room, person, debtor_id)
    kind = forms.one_of(form, "kind", HOLDS)
    told = {
        "kind": kind,
        "reason": forms.needed(form, "reason", most=REMARK),
        "review_on": forms.day(form, "review_on").isoformat(),
        "lift_at_review": form.get("lift_at_review") == "yes",
    }
    items = forms.identities(form, "item")
    pays = debtor["payer_id"] in (None, debtor_id)
    scopes = [("item", each) for each in items] or [("payer" if pays else "debtor", debtor_id)]
    made = []
    for scope, identity in scopes:
        key = once(key_of(form), identity)
        body = {**told, "scope": scope, "scope_id": str(identity)}
        answer = await ask(room, person, "scheduler", "POST", "/v1/holds", json=body, headers=key)
        made.append(answer["hold_id"])
    await _heard(room, person, model.hold, made[-1], "placed_version")
    return done(request, form, Told(f"done.hold.{kind}", {}, _undo("/holds/lift", made)))


@routes.post("/holds/lift")
async def lift(request: Request, person: Chaser, form: Posted, ids: Ids) -> Response:
    """Go on where it stood."""
    room = here(request)
    for identity in ids:
        key = once(key_of(form), identity)
        await ask(room, person, "scheduler", "POST", f"/v1/holds/{identity}/lift", headers=key)
    await _heard(room, person, model.hold, ids[-1], "lifted_version")
    return done(request, form, Told("done.lifted"))


async def promised(room: Room, person: Person, form: FormData, payer_id: UUID) -> Told:
    """Note the promise of a form with the scheduler: an amount by a day, of the chosen items or the oldest due."""
    amount = forms.money(form)
    if amount is None or amount.minor <= 0:
        raise forms.FieldMissing(field="amount")
    day = forms.day(form, "promised_for")
    body = {
        "case_id": str(case_id(person.tenant_id, payer_id)),
        "amount": amount.wire(),
        "promised_for": day.isoformat(),
        "item_ids": [str(each) for each in forms.identities(form, "item")],
        "pause": "part" if form.get("pause") == "part" else "case",
    }
    key = once(key_of(form), "promise")
    made = await ask(room, person, "scheduler", "POST", "/v1/promises", json=body, headers=key)
    identity = made["promise_id"]
    await _heard(room, person, model.promise, identity, "made_version")
    return Told("done.promise", {}, _undo("/promises/cancel", [identity]))


@routes.post("/customers/{debtor_id}/promise")
async def promise(request: Request, person: Chaser, form: Posted, debtor_id: UUID) -> Response:
    """The customer promised an amount by a day."""
    room = here(request)
    debtor = await about_customer(room, person, debtor_id)
    return done(request, form, await promised(room, person, form, debtor["payer_id"] or debtor_id))


@routes.post("/promises/cancel")
async def cancel(request: Request, person: Chaser, form: Posted, ids: Ids) -> Response:
    """The promise is off."""
    room = here(request)
    for identity in ids:
        key = once(key_of(form), identity)
        await ask(room, person, "scheduler", "POST", f"/v1/promises/{identity}/cancel", headers=key)
    await _heard(room, person, model.promise, ids[-1], "ended_version")
    return done(request, form, Told("done.cancelled"))


@routes.post("/customers/{debtor_id}/dispute")
async def dispute(request: Request, person: Chaser, form: Posted, debtor_id: UUID) -> Response:
    """The customer disputes the chosen invoices, or a part of one."""
    room = here(request)
    await about_customer(room, person, debtor_id)
    items = forms.identities(form, "item")
    if not items:
        raise NothingChosen(field="item")
    amount = forms.money(form)
    if amount is not None and len(items) > 1:
        raise Refused("An amount is for one invoice.", field="amount", remedy="Leave it out, or choose one invoice.")
    told: dict[str, Any] = {"reason": forms.one_of(form, "reason", DISPUTES)}
    told |= {"amount": amount.wire()} if amount else {}
    told |= {"review_on": forms.day(form, "review_on").isoformat()} if form.get("review_on") else {}
    made = []
    for each in items:
        body, key = {**told, "item_id": str(each)}, once(key_of(form), each)
        answer = await ask(room, person, "scheduler", "POST", "/v1/disputes", json=body, headers=key)
        made.append(answer["dispute_id"])
    await _heard(room, person, model.dispute, made[-1], "opened_version")
    return done(request, form, Told("done.dispute", {}, _undo("/disputes/resolve", made, outcome="withdrawn")))


@routes.post("/disputes/resolve")
async def resolve(request: Request, person: Chaser, form: Posted, ids: Ids, outcome: str = "") -> Response:
    """A dispute is over: upheld, rejected or withdrawn."""
    room = here(request)
    how = outcome if outcome in RESOLUTIONS else forms.one_of(form, "outcome", RESOLUTIONS)
    for identity in ids:
        path, key = f"/v1/disputes/{identity}/resolve", once(key_of(form), identity)
        await ask(room, person, "scheduler", "POST", path, json={"outcome": how}, headers=key)
    await _heard(room, person, model.dispute, ids[-1], "ended_version")
    return done(request, form, Told(f"done.dispute.{how}"))


@routes.post("/customers/{debtor_id}/call")
async def call(request: Request, person: Noter, form: Posted, debtor_id: UUID) -> Response:
    """Somebody called, and this came of it; a promise is noted with it."""
    room = here(request)
    debtor = await about_customer(room, person, debtor_id)
    payer = debtor["payer_id"] or debtor_id

    async def note(told: dict[str, Any]) -> Any:
        body, key = told | {"payer_id": str(payer)}, once(key_of(form), "call")
        return await ask(room, person, "notifier", "POST", "/v1/calls", json=body, headers=key)

    return await called(request, person, form, payer, note)


async def called(request: Request, person: Person, form: FormData, payer: UUID, note: Callable[..., Any]) -> Response:
    """Note the outcome of a call by `note(body)`; with a promise, that first: nothing is noted if it is refused."""
    room = here(request)
    outcome = forms.one_of(form, "outcome", (*CALLS, "done"))
    remark = forms.text(form, "remark", most=REMARK)
    told = Told("done.task" if outcome == "done" else "done.call")
    if outcome == "promise":
        if not allows(person, "reminders:write"):
            raise Refused("Your role does not note promises.", field="outcome")
        told = await promised(room, person, form, payer)
    answer = await note({"outcome": outcome} | ({"remark": remark} if remark else {}))
    await _heard(room, person, model.task, answer["task_id"], "done_version")
    onward = f"/customers/{payer}#dispute" if outcome == "dispute" else ""
    return done(request, form, told, to=onward)


@routes.post("/customers/{debtor_id}/note")
async def note(request: Request, person: Noter, form: Posted, debtor_id: UUID) -> Response:
    """Note something about a customer."""
    room = here(request)
    await about_customer(room, person, debtor_id)
    text, pinned = forms.needed(form, "text", most=notes.MOST), form.get("pinned") == "yes"
    async with room.changing(person.tenant_id, person.actor) as change:
        made = await notes.add(change.db, person, debtor_id, text, room.clock.now(), pinned=pinned)
        await change.note("note.added", "debtor", debtor_id, {"note_id": made})
    return done(request, form, Told("done.note", {}, f"/notes/{made}/remove"))


@routes.post("/notes/{note_id}/remove")
async def remove_note(request: Request, person: Noter, form: Posted, note_id: UUID) -> Response:
    """Take back a note of one's own."""
    async with here(request).changing(person.tenant_id, person.actor) as change:
        await notes.remove(change.db, person, note_id)
        await change.note("note.removed", "note", note_id)
    return done(request, form, Told("done.note.removed"))


def proposals(request: Request, overdue: Money | None) -> dict[str, Any]:
    """What the forms about a customer offer at first: the words to choose from, days and the amount."""
    day = today(here(request).clock, ZONE)
    return {
        "today_is": day,
        "dispute_reasons": DISPUTES,
        "call_outcomes": CALLS,
        "resolutions": RESOLUTIONS,
        "tomorrow": day + timedelta(days=1),
        "in_a_week": day + timedelta(days=7),
        "in_two_weeks": day + timedelta(days=14),
        "in_a_quarter": day + timedelta(days=90),
        "in_a_month": day + timedelta(days=30),
        "promise_amount": overdue,
    }
