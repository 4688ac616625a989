"""Whom decisions of credit control are told: the tenant's endpoints, what was posted to them, and every try.

The secret of an endpoint is on one page, once. A message that was given up is posted again under the same id.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.errors import Unavailable
from services.console.pages import forms
from services.console.pages.acting import Chaser
from services.console.pages.asking import Words
from services.console.pages.commands import Told, ask, done, key_of, once
from services.console.pages.credit import grants
from services.console.pages.excel import Row, excel_of, headed
from services.console.pages.guard import PageRoute, Posted, allows, may
from services.console.pages.owned import OWNER, all_of, beside, one_page
from services.console.pages.shell import shown
from services.console.pages.web import web_of
from services.console.people.lookup import Person
from services.console.room import here

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("payments:read"))]
MESSAGES, ENDPOINTS = "/v1/credit/messages", "/v1/credit/endpoints"
STATES = ("all", "waiting", "delivered", "given_up")
MOODS = {"waiting": "care", "delivered": "good", "given_up": "bad"}


def _read(line: dict[str, Any]) -> dict[str, Any]:
    """A message with its instants, and what came of its last try."""
    last = line["attempts"][-1] if line["attempts"] else None
    ended = datetime.fromisoformat(line["ended_at"]) if line["ended_at"] else None
    answer = (last["status"] or last["error"]) if last else None
    return line | {"queued_at": datetime.fromisoformat(line["queued_at"]), "ended_at": ended, "answer": answer}


@routes.get("/credit/messages")
async def messages(request: Request, person: Reader, state: Words = "all", cursor: Words = "") -> Response:
    """The endpoints, and what was posted to them."""
    room, which = here(request), state if state in STATES else "all"
    facts: dict[str, Any] = {"lines": [], "endpoints": [], "away": False, "more": None, "first_page": None}
    try:
        told = await ask(room, person, OWNER, "GET", ENDPOINTS)
        found, more = await one_page(room, person, MESSAGES, cursor, state=None if which == "all" else which)
        facts |= {"endpoints": told["items"], "lines": [_read(line) for line in found], **beside(request, more)}
    except Unavailable:  # the page says so
        facts["away"] = True
    facts |= {"urls": {each["endpoint_id"]: each["url"] for each in facts["endpoints"]}, "state": which}
    facts |= {"states": STATES, "moods": MOODS, "grants": grants(person), "may_ask": allows(person, "reminders:write")}
    return await shown(request, "messages.html", person, **facts)


@routes.get("/credit/messages.xlsx")
async def messages_file(request: Request, person: Reader, state: Words = "all") -> Response:
    """Every message with what came of it, as an Excel file."""
    room, t = here(request), web_of(request).texts_for(request, person)
    which = state if state in STATES else "all"
    told = await ask(room, person, OWNER, "GET", ENDPOINTS)
    urls = {each["endpoint_id"]: each["url"] for each in told["items"]}
    lines = [_read(line) for line in await all_of(room, person, MESSAGES, state=None if which == "all" else which)]
    names = ("queued", "kind", "endpoint", "state", "tries", "answer", "ended", "id")
    kinds = ("moment", "text", "name", "text", "number", "text", "moment", "name")
    columns = [(t(f"message.{name}"), kind) for name, kind in zip(names, kinds, strict=True)]
    filters = [(t("message.state"), t(f"message.{which}"))]
    sheet = headed(t, t("credit.messages"), filters, columns, as_of=room.clock.now())

    async def rows() -> AsyncIterator[Sequence[Row]]:
        yield [
            [
                line["queued_at"],
                t.words.get(f"message.kind.{line['kind']}", line["kind"]),
                urls.get(line["endpoint_id"], line["endpoint_id"]),
                t(f"message.{line['state']}"),
                len(line["attempts"]),
                str(line["answer"] or ""),
                line["ended_at"],
                line["message_id"],
            ]
            for line in lines
        ]

    return await excel_of(request).answer(sheet, rows())


@routes.post("/credit/endpoints")
async def open_endpoint(request: Request, person: Chaser, form: Posted) -> Response:
    """A new endpoint; its signing secret is on this page and nowhere else."""
    body: dict[str, Any] = {"url": forms.needed(form, "url", most=500)}
    entity = forms.identities(form, "entity") if form.get("entity") else []
    body |= {"entity_id": str(entity[0])} if entity else {}
    made = await ask(here(request), person, OWNER, "POST", ENDPOINTS, json=body, headers=once(key_of(form)))
    facts = {"kind": "endpoint", "name": made["url"], "secret": made["secret"], "laggards": (), "path": ""}
    return await shown(request, "secret.html", person, **facts)


@routes.post("/credit/endpoints/{endpoint_id}/close")
async def close_endpoint(request: Request, person: Chaser, form: Posted, endpoint_id: UUID) -> Response:
    """Nothing is posted there any more."""
    await ask(here(request), person, OWNER, "POST", f"{ENDPOINTS}/{endpoint_id}/close", headers=once(key_of(form)))
    return done(request, form, Told("done.endpoint.closed"))


@routes.post("/credit/messages/{message_id}/retry")
async def retry(request: Request, person: Chaser, form: Posted, message_id: UUID) -> Response:
    """Post again what was given up."""
    await ask(here(request), person, OWNER, "POST", f"{MESSAGES}/{message_id}/retry", headers=once(key_of(form)))
    return done(request, form, Told("done.message.retry"))
