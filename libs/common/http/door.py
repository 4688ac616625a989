"""The door: one ASGI layer that every request passes, so that no route can forget what it guards.

Request id and trace, the body's size and time, strict JSON, Idempotency-Key, security headers, timing by route
template, and a problem for every error, known or not.
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common import logs, metrics, tracing
from libs.common.auth import Doorkeeper
from libs.common.errors import RelanceError, Unavailable
from libs.common.http import problems
from libs.common.http.bodies import Gone, drain, header, is_json, read_body, read_json
from libs.common.idempotency import Answer, claim_of, once
from libs.common.ids import uuid7

HELD_MOST = 256_000_000
"""Bytes of bodies in hand at once in this process."""
UNSIGNED = "/v1/webhooks/"
DOCS = "/docs"
"""The one page that needs scripts of others; it exists in development only."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}", re.ASCII)
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_CONTROL_TEXT = re.compile("[\x00-\x1f\x7f]")
_SAFE = {"GET", "HEAD", "OPTIONS"}

Closed = Callable[[], Awaitable[str | None]]
"""Answers a sentence while nothing may be taken in, such as a full outbox; None else."""


@dataclass(frozen=True)
class Rules:
    """What one application's door lets in. `long_bodies` maps a path, or its beginning, to its own limit in bytes."""

    max_body: int
    long_bodies: Mapping[str, int]
    production: bool
    closed: Closed | None = None
    guarded: tuple[tuple[bytes, bytes], ...] = field(init=False)

    def __post_init__(self) -> None:
        told = {
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "x-frame-options": "DENY",
            "cross-origin-resource-policy": "same-origin",
            "cache-control": "no-store",
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        }
        if self.production:
            told["strict-transport-security"] = "max-age=63072000; includeSubDomains"
        object.__setattr__(self, "guarded", tuple((name.encode(), text.encode()) for name, text in told.items()))

    def most(self, path: str) -> int:
        """The limit of a path: the longest beginning that is named, else the application's."""
        named = [prefix for prefix in self.long_bodies if path == prefix or path.startswith(prefix.rstrip("/") + "/")]
        return self.long_bodies[max(named, key=len)] if named else self.max_body


class Visit:
    """One request on its way out: completes its headers, remembers its status."""

    def __init__(self, scope: Scope, send: Send, rules: Rules) -> None:
        self.scope = scope
        self.out = send
        self.rules = rules
        self.started = time.perf_counter()
        shown = header(scope, b"x-request-id") or ""
        self.request_id = shown if _REQUEST_ID.fullmatch(shown) else uuid7().hex
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            present = {name.lower() for name, _ in headers}
            guarded = () if self.scope["path"] == DOCS and not self.rules.production else self.rules.guarded
            headers.extend(pair for pair in guarded if pair[0] not in present)
            headers.append((b"x-request-id", self.request_id.encode()))
            message = {**message, "headers": headers}
        await self.out(message)

    async def refuse(self, error: RelanceError, *, hang_up: bool) -> None:
        """Answer with a problem, unless an answer has begun. `hang_up` leaves the rest of the body unread."""
        if not self.status:
            told = {"Connection": "close"} if hang_up else None
            await problems.respond(error, told)(self.scope, _nothing, self.send)

    def count(self) -> None:
        """Time it under its route's template; what matched no route counts as one."""
        route = getattr(self.scope.get("route"), "path", "none")
        seconds = time.perf_counter() - self.started
        metrics.REQUEST_SECONDS.labels(self.scope["method"], route, str(self.status)).observe(seconds)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


class Door:
    """The ASGI layer itself."""

    def __init__(self, app: ASGIApp, rules: Rules, keeper: Doorkeeper) -> None:
        self.app = app
        self.rules = rules
        self.keeper = keeper
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        visit = Visit(scope, send, self.rules)
        with tracing.within(header(scope, b"traceparent")), logs.about(request_id=visit.request_id):
            try:
                await self._admit(visit, receive)
            except Gone:
                visit.status = visit.status or 499
            except RelanceError as error:
                await self._refuse(visit, receive, error)
            except Exception as error:
                await self._fault(visit, error)
            finally:
                visit.count()

    async def _refuse(self, visit: Visit, receive: Receive, error: RelanceError) -> None:
        """What the door itself refuses; after a body that was not read to its end the connection is closed."""
        unread = error.status in (408, 413, 415)
        if error.status == 413 and header(visit.scope, b"expect") is None:
            await drain(receive)
        await visit.refuse(error, hang_up=unread)

    async def _fault(self, visit: Visit, error: Exception) -> None:
        ours = problems.as_ours(error)
        if isinstance(ours, problems.Fault):
            path = getattr(visit.scope.get("route"), "path", "none")
            logs.logger().error("request failed", method=visit.scope["method"], route=path, exc_info=error)
        await visit.refuse(ours, hang_up=False)

    async def _admit(self, visit: Visit, receive: Receive) -> None:
        scope = visit.scope
        if b"%" in scope["query_string"] and _CONTROL.search(unquote_to_bytes(scope["query_string"])):
            raise problems.InvalidRequest("The query holds control characters.")
        if _CONTROL_TEXT.search(scope["path"]):
            raise problems.NoSuchRoute
        if self.rules.closed is not None and scope["method"] not in _SAFE and scope["path"].startswith("/v1/"):
            await self._open(self.rules.closed)
        most = self.rules.most(scope["path"])
        if self.held > HELD_MOST:
            raise Unavailable("Too many large bodies are being read.")
        body = await read_body(scope, receive, most)
        self.held += len(body)
        try:
            await self._through(visit, receive, body)
        finally:
            self.held -= len(body)

    async def _open(self, closed: Closed) -> None:
        why = await closed()
        if why is not None:
            raise Unavailable(why)

    async def _through(self, visit: Visit, receive: Receive, body: bytes) -> None:
        scope = visit.scope
        if body and not scope["path"].startswith(UNSIGNED) and is_json(header(scope, b"content-type")):
            scope["relance.json"] = read_json(body)
        key = header(scope, b"idempotency-key") if scope["method"] == "POST" else None
        authorization = header(scope, b"authorization")
        if key is None or authorization is None or not scope["path"].startswith("/v1/"):
            await self.app(scope, _replay(body, receive), visit.send)
            return
        caller = await self.keeper.caller(authorization)
        asked = scope["path"] + "?" + scope["query_string"].decode("latin-1")
        claim = claim_of(caller, "POST", asked, key, body)
        answer, again = await once(self.keeper.database, claim, lambda: self._caught(visit, receive, body))
        if again:
            await visit.send({"type": "http.response.start", "status": answer.status, "headers": _headers(answer)})
            await visit.send({"type": "http.response.body", "body": answer.body})

    async def _caught(self, visit: Visit, receive: Receive, body: bytes) -> Answer:
        """Carry the request out and send its answer once it is whole. It is kept afterwards: an answer that cannot
        be kept is still the truth."""
        messages: list[Message] = []

        async def catch(message: Message) -> None:
            messages.append(message)

        await self.app(visit.scope, _replay(body, receive), catch)
        start = messages[0]
        said = b"".join(message.get("body", b"") for message in messages[1:])
        told = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
        await visit.send(start)
        await visit.send({"type": "http.response.body", "body": said})
        return Answer(
            start["status"], told.get("content-type"), said, secret="no-store" in told.get("cache-control", "")
        )


def _headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    told = [(b"content-length", str(len(answer.body)).encode()), (b"idempotency-replayed", b"true")]
    return [*told, (b"content-type", answer.content_type.encode())] if answer.content_type else told


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body again, in one piece; after it, whatever the connection says."""
    waiting = True

    async def again() -> Message:
        nonlocal waiting
        if waiting:
            waiting = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again
