"""The other services as the console sees them: what was asked, as whom, under which key, and what they answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any
from uuid import UUID

import httpx
import orjson

from libs.common.auth import opened_token
from libs.common.calls import Peers
from libs.common.ids import named
from libs.common.settings import Settings
from services.console.room import Room
from tests.integration.console.conftest import Console, csrf

Answer = dict[str, Any] | httpx.Response
KEYS = {"/v1/holds": "hold_id", "/v1/promises": "promise_id", "/v1/disputes": "dispute_id", "/v1/calls": "task_id"}


@dataclass(frozen=True)
class Asked:
    """One call of an owner's API."""

    owner: str
    method: str
    path: str
    body: Any
    key: str | None
    subject: str
    roles: frozenset[str]
    params: dict[str, str]


def refusal(status: int, code: str, **facts: Any) -> httpx.Response:
    """A problem as an owner tells it."""
    told = {"type": f"urn:relance:problem:{code}", "title": code, "status": status, "code": code, "detail": "No."}
    return httpx.Response(status, json=told | facts)


def fit(path: str, pattern: str) -> bool:
    """Whether a path is meant by a pattern with stars."""
    return "*" in pattern and fnmatchcase(path, pattern)


@dataclass
class Owners:
    """Answers every call under its key once; `says` is what a path answers, or a function of what was asked."""

    settings: Settings
    asked: list[Asked] = field(default_factory=list)
    says: dict[tuple[str, str], Answer | Callable[[Asked], Answer]] = field(default_factory=dict)
    kept: dict[tuple[str, str], httpx.Response] = field(default_factory=dict)
    done: list[Asked] = field(default_factory=list)
    """What was carried out: calls without those repeated under their key."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        owner = next(name for name, url in self.settings.urls.items() if str(request.url).startswith(url))
        caller = opened_token(self.settings, request.headers["authorization"].partition(" ")[2], audience=owner)
        body = orjson.loads(request.content) if request.content else None
        key = request.headers.get("idempotency-key")
        params = dict(request.url.params)
        one = Asked(owner, request.method, request.url.path, body, key, caller.subject, caller.roles, params)
        self.asked.append(one)
        known = self.kept.get((one.path, key)) if key else None
        if known is not None:
            return httpx.Response(
                known.status_code, content=known.content, headers={"content-type": "application/json"}
            )
        answer = self._answer(one)
        if answer.is_success and one.method != "GET" and not one.path.startswith("/internal/"):
            self.done.append(one)
            if key:
                self.kept[one.path, key] = answer
        return answer

    def _answer(self, one: Asked) -> httpx.Response:
        said = self.says.get((one.method, one.path))
        if said is None:
            alike = (told for (method, path), told in self.says.items() if method == one.method and fit(one.path, path))
            said = next(alike, None)
        if callable(said):
            said = said(one)
        if isinstance(said, httpx.Response):
            return said
        if said is None and one.method == "POST" and one.path in KEYS:
            said = {KEYS[one.path]: str(named(one.path, one.key))}
        if said is None and one.path == "/internal/v1/lookups":
            said = {kind: {} for kind in one.body}
        if said is None and one.method == "GET":
            return refusal(404, "not_found")
        return httpx.Response(200, json=said or {})

    def did(self, path: str) -> list[Asked]:
        """What was carried out at paths that begin so."""
        return [one for one in self.done if one.path.startswith(path)]


@contextmanager
def owners(console: Console, settings: Settings) -> Iterator[Owners]:
    """The console with these owners in place of the other services; commands wait for no projection."""
    before: Room = console.app.http.state.room
    played = Owners(settings)
    client = httpx.AsyncClient(transport=httpx.MockTransport(played))
    console.app.http.state.room = replace(before, peers=Peers(settings, "console", client=client), patience=0.0)
    try:
        yield played
    finally:
        console.app.http.state.room = before


@dataclass
class Browser:
    """A signed-in person who sends forms as the pages draw them."""

    client: httpx.AsyncClient
    origin: str
    debtor: UUID
    payer: UUID
    items: list[UUID]

    async def send(self, path: str, fields: dict[str, Any], *, at: str = "", quiet: bool = False) -> httpx.Response:
        """Open a page, take its token, and send a form to `path` under a key of its own."""
        page = await self.client.get(at or f"/customers/{self.debtor}")
        told = {"csrf": csrf(page), "key": "form-1", "next": at or f"/customers/{self.debtor}", **fields}
        headers = {"origin": self.origin} | ({"x-relance-act": "1"} if quiet else {})
        return await self.client.post(path, data=told, headers=headers)
