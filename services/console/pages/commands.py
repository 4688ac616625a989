"""Commands: a button calls the owner's HTTP API as the person who pressed it; the console changes nothing itself.

Every form that changes something carries a key of its own (the macro `command` of `_forms.html`), so a double click,
a repeated request or a page sent again is one command. What was done is told once on the next page, with an undo
where the domain has one; what was refused is told at the form, with its remedy, and the form keeps what was typed.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

import orjson
from sqlalchemy import Select
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from libs.common.calls import PeerRefused
from libs.common.ids import NAMESPACE, uuid7
from services.console.pages import deeds
from services.console.pages.guard import quiet
from services.console.pages.web import Web, path_of_ours, web_of
from services.console.people.lookup import Person
from services.console.room import Room

LOOKS = 0.05
"""Seconds between two looks at what the read model has heard."""


async def ask(room: Room, person: Person, owner: str, method: str, path: str, **how: Any) -> Any:
    """Call an owner as this person; what it did is written into the audit.

    Raises Unavailable, or PeerRefused with the owner's own words and remedy.
    """
    tenant, roles = person.tenant_id, sorted(person.roles)
    told = await room.peers.call(method, owner, path, tenant=tenant, subject=person.actor, roles=roles, **how)
    await deeds.note(room, person, (owner, method, path), how, told)
    return told


async def said_or_refused(asked: Awaitable[dict[str, Any]]) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """What owners answer, or the problem why one refuses, for the page where it was asked. Raises Unavailable."""
    try:
        return await asked, {}
    except PeerRefused as refused:
        return None, refused.problem()


def once(key: str | None, part: object = "") -> dict[str, str]:
    """The header that makes a repeated command one; `part` tells the calls of one form apart."""
    if key and part != "":
        key = str(uuid5(NAMESPACE, f"{key}:{part}"))
    return {"Idempotency-Key": key or str(uuid7())}


def key_of(form: FormData) -> str | None:
    """The key that a form was given when its page was drawn."""
    found = str(form.get("key") or "")
    return found if found.isascii() and found.isprintable() and len(found) <= 100 else None


@dataclass(frozen=True)
class Told:
    """What the next page tells of a command: a text with its facts, and where its undo is posted to, if anywhere."""

    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    undo: str = ""


def done(request: Request, form: FormData, told: Told, *, to: str = "") -> Response:
    """The answer to a command that was carried out: on to the next page, which tells it once."""
    web = web_of(request)
    onward = path_of_ours(to or str(form.get("next") or ""))
    answer: Response = JSONResponse({"next": onward}) if quiet(request) else RedirectResponse(onward, 303)
    web.cookies.set(answer, web.cookies.said, sealed(web, told), age=60)
    return answer


def sealed(web: Web, told: Told) -> str:
    """What was done as a cookie that only we can make."""
    body = base64.urlsafe_b64encode(orjson.dumps([told.text, dict(told.facts), told.undo])).decode()
    return f"{body}.{_mac(web, body)}"


def opened(web: Web, shown: str | None) -> Told | None:
    """What the cookie of `sealed` says; None for anything else."""
    body, _, mac = (shown or "").partition(".")
    if not body or not hmac.compare_digest(mac.encode(), _mac(web, body).encode()):
        return None
    try:
        return Told(*orjson.loads(base64.urlsafe_b64decode(body)))
    except (binascii.Error, orjson.JSONDecodeError, TypeError):
        return None


def _mac(web: Web, body: str) -> str:
    return hmac.new(web.settings.service_secret, b"said:" + body.encode(), hashlib.sha256).hexdigest()[:32]


async def heard(room: Room, tenant_id: UUID, asked: Select[Any]) -> None:
    """Wait until the read model has heard what the owner has just done, so that the next page shows it.

    Never longer than the room's patience: the command is done whether the page shows it yet or not.
    """
    until = time.monotonic() + room.patience
    while time.monotonic() < until:
        async with room.database.transaction(tenant_id) as db:
            if (await db.execute(asked.limit(1))).first() is not None:
                return
        await asyncio.sleep(LOOKS)
