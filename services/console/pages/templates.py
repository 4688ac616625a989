"""Templates: the texts in both languages, with a preview on a real customer's notice while they are written.

What a text becomes is the notifier's to say. A preview stands in a frame that runs nothing and loads nothing.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from libs.common.errors import NotFound, RelanceError
from services.console.pages import forms
from services.console.pages.asking import Words
from services.console.pages.commands import Told, ask, done, key_of, once
from services.console.pages.guard import PageRoute, Posted, allows, may
from services.console.pages.shell import shown
from services.console.pages.web import HEADERS, web_of
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import notices, people

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("notices:read"))]
Writer = Annotated[Person, Depends(may("notices:write"))]
OWNER = "notifier"
BODY = 20_000
Key = Annotated[str, Path(pattern="^[a-z][a-z0-9_]{0,39}$")]
Language = Annotated[str, Path(pattern="^(fr|en)$")]
FRAMED = HEADERS | {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; "
    "frame-ancestors 'self'"
}
"""A letter brings its own styles; it may do nothing else."""


def in_short(subject: str) -> str:
    """A subject as people read it: of each choice the first, words in brackets."""
    first = re.sub(r"{%-?\s*els.*?{%-?\s*endif\s*-?%}", "", subject, flags=re.S)
    return re.sub(r"{{-?\s*(\w+).*?}}", r"[\1]", re.sub(r"{%.*?%}", "", first, flags=re.S)).strip()


@routes.get("/templates")
async def template_list(request: Request, person: Reader) -> Response:
    """Every text, in both languages."""
    told = await ask(here(request), person, OWNER, "GET", "/v1/templates")
    texts: dict[str, dict[str, Any]] = {}
    for each in told["templates"]:
        texts.setdefault(each["key"], {})[each["language"]] = each | {"short": in_short(each["subject"])}
    return await shown(request, "templates.html", person, texts=dict(sorted(texts.items(), key=_order)))


_LADDER = (
    "courtesy",
    "friendly",
    "firm",
    "final",
    "formal",
    "statement",
    "thanks",
    "call",
    "visit",
    "internal",
    "hand_over",
)


_KINDS = {"final": "final_notice", "formal": "formal_notice", "thanks": "acknowledge", "courtesy": "pre_due",
          "statement": "statement"}  # fmt: skip
_TONES = {"friendly": 2, "firm": 3}


def fits(key: str, notice: Mapping[str, Any]) -> bool:
    """Whether a notice is what a text is for: it is looked at on such a one first."""
    if key in _TONES:
        return bool(notice["kind"] == "reminder" and notice["tone"] == _TONES[key])
    return bool(notice["kind"] == _KINDS.get(key, "reminder"))


def _order(pair: tuple[str, Any]) -> tuple[int, str]:
    """As the ladder climbs, others behind."""
    return (_LADDER.index(pair[0]) if pair[0] in _LADDER else len(_LADDER), pair[0])


@routes.get("/templates/{key}/{language}")
async def one_template(request: Request, person: Reader, key: Key, language: Language, notice: Words = "") -> Response:
    """One text, its versions, and how it reads to somebody."""
    room, path = here(request), f"/v1/templates/{key}/{language}"
    text = await ask(room, person, OWNER, "GET", path)
    every = await ask(room, person, OWNER, "GET", "/v1/templates")
    versions = (await ask(room, person, OWNER, "GET", f"{path}/versions"))["versions"]
    async with room.database.transaction(person.tenant_id) as db:
        latest = await notices.latest(db, person.tenant_id)
        names = await people.names(db, person.tenant_id, [each["author"] for each in versions])
    fitting = [each for each in latest if fits(key, each)]
    latest = [*fitting, *(each for each in latest if each not in fitting)]
    chosen = next((each for each in latest if str(each["notice_id"]) == notice), latest[0] if latest else None)
    facts: dict[str, Any] = {
        "text": text,
        "words": every["words"],
        "blocks": every["blocks"],
        "versions": versions,
        "names": names,
        "latest": latest,
        "notice": chosen,
        "may_write": allows(person, "notices:write"),
    }
    return await shown(request, "template.html", person, **facts)


@routes.get("/templates/{key}/{language}/preview")
async def preview(request: Request, person: Reader, key: Key, language: Language, notice: Words = "") -> Response:
    """How the text in use reads, for a frame."""
    room = here(request)
    text = await ask(room, person, OWNER, "GET", f"/v1/templates/{key}/{language}")
    return await _framed(request, room, person, text | {"notice_id": notice})


@routes.post("/templates/{key}/{language}/preview")
async def preview_draft(request: Request, person: Reader, form: Posted, key: Key, language: Language) -> Response:
    """How a text that is being written would read, for a frame. Nothing is kept."""
    told = {name: str(form.get(name) or "") for name in ("subject", "body", "notice_id")}
    return await _framed(request, here(request), person, told | {"language": language})


async def _framed(request: Request, room: Room, person: Person, text: dict[str, Any]) -> Response:
    asked = {name: text[name] for name in ("subject", "body", "language")}
    if text["notice_id"]:
        asked["notice_id"] = str(_uuid(text["notice_id"]))
    web = web_of(request)
    try:
        seen = await ask(room, person, OWNER, "POST", "/v1/templates/preview", json=asked)
    except RelanceError as error:
        # Told where it would be read: what is wrong with the text, while it is being written.
        told = error.problem()
        wrong = {"detail": told.get("detail", ""), "remedy": told.get("remedy", "")}
        return HTMLResponse(web.page(request, "preview.html", person, **wrong).body, 200, FRAMED)
    return HTMLResponse(seen["html"], 200, FRAMED)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("There is no such notice.") from None


@routes.post("/templates/{key}/{language}")
async def save(request: Request, person: Writer, form: Posted, key: Key, language: Language) -> Response:
    """Keep the next version: what is written from now on uses it."""
    body = {"subject": forms.needed(form, "subject", most=2_000), "body": forms.needed(form, "body", most=BODY)}
    path = f"/v1/templates/{key}/{language}/versions"
    made = await ask(here(request), person, OWNER, "POST", path, json=body, headers=once(key_of(form)))
    return done(request, form, Told("done.template", {"number": made["version"]}))
