"""Recovery files: who is ripe, what was prepared, which proofs are there, the sealed zip, and what a court would bring.

Files are the scheduler's. Whoever prepared one does not hand it over; a look at the zip seals nothing.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.errors import RelanceError, Unavailable
from services.console.pages import forms
from services.console.pages.acting import Chaser, NothingChosen
from services.console.pages.asking import Words
from services.console.pages.commands import Told, ask, done, key_of, once
from services.console.pages.credit import grants
from services.console.pages.excel import Row, excel_of, headed
from services.console.pages.guard import PageRoute, Posted, allows, may
from services.console.pages.owned import OWNER, all_of, amounts, beside, named, one_page
from services.console.pages.shell import shown
from services.console.pages.web import Texts, web_of
from services.console.people.lookup import Person
from services.console.room import Room, here

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("payments:read"))]
FILES = "/v1/recovery-files"
HOME = "/hand-over/files"
STATES = ("all", "prepared", "handed_over", "judicial", "collected", "returned", "dropped")
MOODS = {"prepared": "care", "handed_over": "care", "judicial": "bad", "collected": "good"}
RECEIVERS = ("agency", "bailiff", "lawyer", "insurer", "court")
SEALING = 30.0
"""Seconds that the owner has for gathering and sealing every document of a file."""
MONEY = ("principal", "interest", "lump_sums", "total")


@routes.get(HOME)
async def files(request: Request, person: Reader, state: Words = "all", cursor: Words = "") -> Response:
    """Who is ripe to be handed over, and the files with where each is."""
    room, which = here(request), state if state in STATES else "all"
    facts: dict[str, Any] = {"lines": [], "proposals": [], "away": False, "more": None, "first_page": None, "names": {}}
    try:
        found, more = await one_page(room, person, FILES, cursor, state=None if which == "all" else which)
        told = await ask(room, person, OWNER, "GET", f"{FILES}/proposals")
        facts |= {"lines": found, "proposals": told["items"], **beside(request, more)}
        facts["names"] = await named(room, person, [*found, *told["items"]], "author", "handed_by")
    except Unavailable:  # the page says so
        facts["away"] = True
    facts |= {"state": which, "states": STATES, "moods": MOODS, "may_ask": allows(person, "reminders:write")}
    return await shown(request, "recovery_files.html", person, **facts)


@routes.get(f"{HOME}.xlsx")
async def files_file(request: Request, person: Reader, state: Words = "all") -> Response:
    """The files with where each is, as an Excel file."""
    room, t = here(request), web_of(request).texts_for(request, person)
    which = state if state in STATES else "all"
    lines = await all_of(room, person, FILES, state=None if which == "all" else which)
    names = await named(room, person, lines, "author", "handed_by")
    labels = ("customer", "customer.number", "recovery.prepared", "credit.why", "silence.who", "invoice.status",
              "recovery.to", "recovery.handed", "recovery.by", "recovery.sha", "excel.currency")  # fmt: skip
    kinds = ("name", "text", "moment", "name", "text", "text", "text", "moment", "text", "name", "number")
    columns = [(t(label), kind) for label, kind in zip(labels, kinds, strict=True)]
    filters = [(t("invoice.status"), t(f"recovery.state.{which}"))]
    sheet = headed(t, t("recovery.files"), filters, columns, as_of=room.clock.now())

    async def rows() -> AsyncIterator[Sequence[Row]]:
        yield [_row(t, line, names) for line in lines]

    return await excel_of(request).answer(sheet, rows())


def _row(t: Texts, line: dict[str, Any], names: Any) -> Row:
    handed = datetime.fromisoformat(line["handed_at"]) if line["handed_at"] else None
    prepared, who = datetime.fromisoformat(line["prepared_at"]), names.get(line["author"], line["author"])
    about = [line["name"] or t("customer.erased"), line["external_id"], prepared, line["reason"], who]
    by = names.get(line["handed_by"], line["handed_by"])
    return [
        *about,
        t(f"recovery.state.{line['state']}"),
        line["handed_to"],
        handed,
        by,
        line["sha256"],
        line["currency"],
    ]


@routes.post(HOME)
async def prepare(request: Request, person: Chaser, form: Posted) -> Response:
    """Prepare a file over the ticked invoices; nothing changes for them until somebody else hands it over."""
    items = forms.identities(form, "item", most=200)
    if not items:
        raise NothingChosen(field="item")
    body = {"item_ids": [str(each) for each in items], "reason": forms.needed(form, "reason")}
    made = await ask(here(request), person, OWNER, "POST", FILES, json=body, headers=once(key_of(form)))
    return done(request, form, Told("done.recovery.prepared"), to=f"{HOME}/{made['file_id']}")


@routes.get(HOME + "/{file_id}")
async def one_file(request: Request, person: Reader, file_id: UUID) -> Response:
    """One file: what may be claimed, its proofs and what is missing, its course, and what is to be done with it."""
    return await _page(request, person, file_id)


async def _page(request: Request, person: Person, file_id: UUID, **more: Any) -> Response:
    room = here(request)
    told = amounts(await ask(room, person, OWNER, "GET", f"{FILES}/{file_id}"), *MONEY)
    names = await named(room, person, [told, *(step | {"payer_id": told["payer_id"]} for step in told["steps"])], *BY)
    open_ = told["state"] == "prepared"
    facts: dict[str, Any] = {
        "file": told,
        "names": names,
        "held": await _check(room, person, file_id) if open_ else None,
        "mine": told["author"] == person.actor,
        "grants": grants(person),
        "may_ask": allows(person, "reminders:write"),
        "moods": MOODS,
        "receivers": RECEIVERS,
        "worth": None,
        "typed": {},
    }
    return await shown(request, "recovery_file.html", person, **(facts | more))


BY = ("author", "handed_by", "by")


async def _check(room: Room, person: Person, file_id: UUID) -> dict[str, Any] | None:
    """What would be sealed now and what is missing; None where the documents cannot be gathered now."""
    try:
        told: dict[str, Any] = await ask(room, person, OWNER, "GET", f"{FILES}/{file_id}/check", timeout=SEALING)
    except Unavailable:
        return None
    return told


@routes.get(HOME + "/{file_id}/file.zip")
async def download(request: Request, person: Reader, file_id: UUID) -> Response:
    """The sealed zip, byte for byte as its owner keeps it."""
    room = here(request)
    path, roles = f"{FILES}/{file_id}/file.zip", sorted(person.roles)
    data, _ = await room.peers.content(
        OWNER, path, tenant=person.tenant_id, subject=person.actor, roles=roles, timeout=SEALING
    )
    told = {"content-disposition": f'attachment; filename="recovery-{file_id}.zip"', "cache-control": "no-store"}
    return Response(data, media_type="application/zip", headers=told | {"x-content-type-options": "nosniff"})


@routes.post(HOME + "/{file_id}/hand-over")
async def hand_over(request: Request, person: Chaser, form: Posted, file_id: UUID) -> Response:
    """Seal what somebody else prepared and hand it over."""
    body = {
        "to": forms.needed(form, "to"),
        "kind": forms.one_of(form, "kind", RECEIVERS),
        "why": forms.needed(form, "why"),
    }
    path, how = f"{FILES}/{file_id}/hand-over", {"headers": once(key_of(form)), "timeout": SEALING}
    await ask(here(request), person, OWNER, "POST", path, json=body, **how)
    return done(request, form, Told("done.recovery.handed"))


def _estimate(form: Any) -> dict[str, Any]:
    cost = forms.money(form, "cost")
    if cost is None:
        raise forms.FieldMissing(field="cost")
    chance = forms.needed(form, "chance", most=3)
    if not chance.isascii() or not chance.isdecimal() or int(chance) > 100:
        raise forms.FieldInvalid("A whole number from 0 to 100.", field="chance")
    fee = (forms.text(form, "fee", most=6) or "0").replace(",", ".")
    return {"cost": cost.wire(), "fee_percent": fee, "chance_percent": int(chance)}


@routes.post(HOME + "/{file_id}/worth")
async def worth(request: Request, person: Reader, form: Posted, file_id: UUID) -> Response:
    """What a court would cost and bring: the page again, with the figures."""
    typed = {name: str(form.get(name) or "") for name in ("cost", "fee", "chance")}
    try:
        found = await ask(here(request), person, OWNER, "POST", f"{FILES}/{file_id}/worth", json=_estimate(form))
    except RelanceError as refused:
        return await _page(request, person, file_id, refusal=refused.problem(), typed=typed)
    return await _page(request, person, file_id, worth=found, typed=typed)


@routes.post(HOME + "/{file_id}/judicial")
async def judicial(request: Request, person: Chaser, form: Posted, file_id: UUID) -> Response:
    """On to the court, with the figures that were looked at."""
    body = _estimate(form) | {"despite": forms.text(form, "despite")}
    path = f"{FILES}/{file_id}/judicial"
    await ask(here(request), person, OWNER, "POST", path, json=body, headers=once(key_of(form)))
    return done(request, form, Told("done.recovery.judicial"), to=f"{HOME}/{file_id}")


@routes.post(HOME + "/{file_id}/{act}")
async def end(
    request: Request, person: Chaser, form: Posted, file_id: UUID, act: Literal["collect", "return", "drop"]
) -> Response:
    """It is over: all was paid, it came back, or it is not handed over after all."""
    body = {"why": forms.needed(form, "why", most=2_000)}
    if forms.text(form, "on"):
        body["on"] = forms.day(form, "on").isoformat()
    path = f"{FILES}/{file_id}/{act}"
    await ask(here(request), person, OWNER, "POST", path, json=body, headers=once(key_of(form)))
    return done(request, form, Told(f"done.recovery.{act}"))
