"""Calls between our services: one pooled client, short time-outs, a signed token a call. No answer is Unavailable."""

import time
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import httpx

from libs.common import metrics, tracing
from libs.common.auth import service_token
from libs.common.errors import RelanceError, Unavailable
from libs.common.settings import Settings

TIMEOUT = httpx.Timeout(5.0, connect=1.0, pool=2.0)
_BUSY = {408, 429, 502, 503, 504}


class PeerRefused(RelanceError):
    """Another service of ours refused the call."""

    code = "peer_refused"
    status = 502

    def __init__(self, peer: str, status: int, answer: Mapping[str, Any]) -> None:
        super().__init__(str(answer.get("detail", "")), field=answer.get("field"))
        self.peer = peer
        self.answered = status
        self.answer = dict(answer)

    def problem(self) -> dict[str, Any]:
        """The peer's own problem, so that its code and remedy reach whoever asked."""
        return {**super().problem(), **self.answer, "status": self.answered}


class Waiting(dict[str, Any]):
    """The answer of a peer that took something and has not done it yet: HTTP 202."""


class Peers:
    """The other services, by name, as this service calls them."""

    def __init__(self, settings: Settings, service: str, *, client: httpx.AsyncClient | None = None) -> None:
        self.settings = settings
        self.service = service
        limits = httpx.Limits(max_connections=50, max_keepalive_connections=20, keepalive_expiry=4.0)
        self.client = client or httpx.AsyncClient(timeout=TIMEOUT, limits=limits, trust_env=False)

    async def get(self, peer: str, path: str, *, tenant: UUID, **how: Any) -> Any:
        """GET a route of a peer; see `call`."""
        return await self.call("GET", peer, path, tenant=tenant, **how)

    async def post(self, peer: str, path: str, *, tenant: UUID, json: Any = None, **how: Any) -> Any:
        """POST to a route of a peer; see `call`."""
        return await self.call("POST", peer, path, tenant=tenant, json=json, **how)

    async def call(
        self,
        method: str,
        peer: str,
        path: str,
        *,
        tenant: UUID,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        subject: str | None = None,
        roles: Collection[str] = (),
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpx's own, a call
        sent: Mapping[str, Any] | None = None,
    ) -> Any:
        """The JSON answer of a peer (None when it is empty, text when it is a table), for a tenant, on behalf of
        `subject` with `roles`.

        Without them the service speaks for itself. `sent` is what is sent instead of JSON, as httpx names it:
        `content`, or `files` and `data` of a form. Raises Unavailable when the peer does not answer or is in trouble,
        PeerRefused with the peer's problem when it refuses.
        """
        who = subject or f"service:{self.service}"
        token = service_token(self.settings, audience=peer, tenant=tenant, subject=who, roles=roles)
        told = {"Authorization": f"Bearer {token}", "traceparent": tracing.traceparent() or "", **(headers or {})}
        patience = httpx.USE_CLIENT_DEFAULT if timeout is None else httpx.Timeout(timeout, connect=min(timeout, 1.0))
        how = {"json": json, "params": params, "headers": told, "timeout": patience, **(sent or {})}
        return _read(peer, await self._send(peer, method, path, **how))

    async def content(
        self,
        peer: str,
        path: str,
        *,
        tenant: UUID,
        subject: str | None = None,
        roles: Collection[str] = (),
        timeout: float | None = None,  # noqa: ASYNC109 - httpx's own, a call
    ) -> tuple[bytes, str]:
        """The bytes that a peer gives, on behalf of `subject` if named, and their media type. Raises Unavailable or
        PeerRefused."""
        who = subject or f"service:{self.service}"
        token = service_token(self.settings, audience=peer, tenant=tenant, subject=who, roles=roles)
        told = {"Authorization": f"Bearer {token}", "traceparent": tracing.traceparent() or ""}
        patience = httpx.USE_CLIENT_DEFAULT if timeout is None else httpx.Timeout(timeout, connect=min(timeout, 1.0))
        answer = await self._send(peer, "GET", path, headers=told, timeout=patience)
        if not answer.is_success:
            _read(peer, answer)
        return answer.content, answer.headers.get("content-type", "application/octet-stream")

    async def _send(self, peer: str, method: str, path: str, **how: Any) -> httpx.Response:
        began = time.perf_counter()
        try:
            answer = await self.client.request(method, self.settings.urls[peer] + path, **how)
        except httpx.HTTPError as error:
            _timed(peer, "silent", began)
            raise Unavailable(f"{peer} does not answer ({type(error).__name__}).") from error
        _timed(peer, str(answer.status_code), began)
        return answer

    async def close(self) -> None:
        """Give the connections back."""
        await self.client.aclose()


def _timed(peer: str, outcome: str, began: float) -> None:
    metrics.PEER_SECONDS.labels(peer, outcome).observe(time.perf_counter() - began)


def _read(peer: str, answer: httpx.Response) -> Any:
    if answer.status_code in _BUSY or answer.status_code >= 500:
        raise Unavailable(f"{peer} is in trouble (HTTP {answer.status_code}).")
    if answer.is_success and answer.headers.get("content-type", "").startswith("text/csv"):
        return answer.text
    try:
        body = answer.json() if answer.content else None
    except ValueError:
        raise Unavailable(f"{peer} answered something that is not JSON.") from None
    if answer.is_success:
        return Waiting(body) if answer.status_code == 202 and isinstance(body, dict) else body
    raise PeerRefused(peer, answer.status_code, body if isinstance(body, dict) else {})
