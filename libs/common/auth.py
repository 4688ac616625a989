"""Who is calling: API keys of machines and short-lived tokens between our services. Signed webhooks: `webhooks.py`.

A route names the scope it needs; a key carries scopes, a person's roles give them. Every failed proof of identity is
the same 401. Time here is the machine's clock: a moved business clock opens no door.
"""

import asyncio
import base64
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
from starlette.requests import Request

from libs.common.db import Database
from libs.common.directory import credentials
from libs.common.directory.credentials import KnownKey, KnownSource
from libs.common.errors import Forbidden, QuotaExceeded, Unauthenticated
from libs.common.refusals import Refusals
from libs.common.settings import Settings

CACHE_SECONDS = 2.0
"""How long a looked-up credential is believed: a revocation that a service has heard takes hold after this."""
TOKEN_SECONDS = 60
_HEADER = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
_KNOWN_MOST = 10_000

SCOPES = frozenset(
    {
        "invoices:read",
        "invoices:write",
        "debtors:read",
        "debtors:write",
        "payments:read",
        "payments:write",
        "reminders:read",
        "reminders:write",
        "notices:read",
        "notices:write",
        "notices:approve",
        "directory:admin",
        "audit:read",
    }
)
_AUDIT = {scope for scope in SCOPES if scope.endswith(":read")}
_READ = _AUDIT - {"audit:read"}
ROLES: dict[str, frozenset[str]] = {
    "collector": frozenset(_READ | {"reminders:write", "notices:write", "notices:approve", "debtors:write"}),
    "sales_owner": frozenset({"invoices:read", "debtors:read", "reminders:read", "notices:read", "notices:write"}),
    "treasurer": frozenset(_READ | {"payments:write", "invoices:write"}),
    "manager": frozenset(SCOPES - {"directory:admin"}),
    "administrator": SCOPES,
    "auditor": frozenset(_AUDIT),
}
"""What each role of a person may do."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, and for which tenant. `service` is the calling service when no person or key is behind it."""

    tenant_id: UUID
    subject: str
    scopes: frozenset[str]
    roles: frozenset[str]
    service: str | None


def _sealed(settings: Settings, signed: str) -> str:
    mac = hmac.digest(settings.service_secret, signed.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def service_token(settings: Settings, *, audience: str, tenant: UUID, subject: str, roles: Collection[str] = ()) -> str:
    """A signed token of 60 s with which one service calls another.

    `subject` is `service:<name>` for a service's own business, else the person on whose behalf it calls.
    """
    now = int(time.time())
    claims = {"aud": audience, "ten": str(tenant), "sub": subject, "roles": sorted(roles), "iat": now}
    body = base64.urlsafe_b64encode(orjson.dumps(claims | {"exp": now + TOKEN_SECONDS})).rstrip(b"=").decode()
    return f"{_HEADER}.{body}.{_sealed(settings, f'{_HEADER}.{body}')}"


def opened_token(settings: Settings, token: str, *, audience: str, now: float | None = None) -> Caller:
    """The caller that a service token names. The algorithm is ours, never the token's. Raises Unauthenticated."""
    head, _, rest = token.partition(".")
    body, _, mac = rest.partition(".")
    genuine = hmac.compare_digest(_sealed(settings, f"{_HEADER}.{body}").encode(), mac.encode())
    if head != _HEADER or not genuine:
        raise Unauthenticated
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return _caller(claims, audience, time.time() if now is None else now)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unauthenticated from None


def _caller(claims: dict[str, Any], audience: str, now: float) -> Caller:
    if claims["aud"] != audience or not claims["iat"] - 30 <= now < claims["exp"] <= claims["iat"] + TOKEN_SECONDS:
        raise Unauthenticated
    roles = frozenset(str(role) for role in claims["roles"])
    scopes = frozenset[str]().union(*(ROLES.get(role, frozenset()) for role in roles))
    subject = str(claims["sub"])
    service = subject.removeprefix("service:") if subject.startswith("service:") else None
    return Caller(UUID(claims["ten"]), subject, scopes, roles, service)


Found = TypeVar("Found")


class Remembered(Generic[Found]):
    """The last few thousand look-ups, each believed for a few seconds. What was not found is remembered too.

    Whoever asks for what is being looked up waits for that one look: a forgotten credential of a busy client is
    asked for once, not by every request in hand.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.kept: OrderedDict[object, tuple[float, Found]] = OrderedDict()
        self._looking: dict[object, asyncio.Future[Found]] = {}

    async def get(self, key: object, look: Callable[[], Awaitable[Found]]) -> Found:
        """What was found under this key a moment ago, or what `look` finds now. Raises what `look` raises."""
        kept = self.kept.get(key)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        looking = self._looking.get(key)
        if looking is None:
            looking = self._looking[key] = asyncio.ensure_future(self._look(key, look))
        return await asyncio.shield(looking)

    async def _look(self, key: object, look: Callable[[], Awaitable[Found]]) -> Found:
        try:
            found = await look()
        finally:
            del self._looking[key]
        self.kept[key] = (time.monotonic() + self.seconds, found)
        self.kept.move_to_end(key)
        if len(self.kept) > _KNOWN_MOST:
            self.kept.popitem(last=False)
        return found


class Quota:
    """A token bucket a tenant, in this process: `rate` requests a second after a burst."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self.levels: dict[UUID, tuple[float, float]] = {}

    def take(self, tenant: UUID) -> None:
        """Count one request. Raises QuotaExceeded with the seconds to wait."""
        now = time.monotonic()
        level, since = self.levels.get(tenant, (self.burst, now))
        level = min(self.burst, level + (now - since) * self.rate)
        if level < 1:
            raise QuotaExceeded(retry_after=max(1, round((1 - level) / self.rate)))
        self.levels[tenant] = (level - 1, now)


class Doorkeeper:
    """Resolves what callers show, with a short memory, and counts them against their tenant's quota."""

    def __init__(self, settings: Settings, service: str, database: Database, quota: Quota) -> None:
        self.settings = settings
        self.service = service
        self.database = database
        self.quota = quota
        self.keys: Remembered[KnownKey | None] = Remembered(CACHE_SECONDS)
        self.sources: Remembered[KnownSource | None] = Remembered(CACHE_SECONDS)
        self.refusals = Refusals(database)
        self.opened: dict[str, bytes] = {}
        """Sealed secrets that were opened before; what is sealed anew has another text."""

    def forget(self) -> None:
        """Believe nothing from before: the directory has changed."""
        self.keys.kept.clear()
        self.sources.kept.clear()

    async def caller(self, authorization: str | None) -> Caller:
        """Whoever shows this `Authorization` header. Raises Unauthenticated."""
        scheme, _, shown = (authorization or "").partition(" ")
        shown = shown.strip()
        if scheme.lower() != "bearer" or not shown or not shown.isascii() or len(shown) > 4_000:
            raise Unauthenticated
        if shown.startswith("rk_"):
            return await self._machine(shown)
        return opened_token(self.settings, shown, audience=self.service)

    async def _machine(self, shown: str) -> Caller:
        parts = credentials.split_key(shown)
        if parts is None:
            raise Unauthenticated
        known = await self.keys.get(parts[0], lambda: self._key(parts[0]))
        if known is None or not known.opens(parts[1], datetime.now(UTC)):
            raise Unauthenticated
        return Caller(known.tenant_id, f"key:{known.key_id}", known.scopes, frozenset(), None)

    async def _key(self, prefix: str) -> KnownKey | None:
        async with self.database.transaction() as db:
            return await credentials.api_key(db, prefix)

    async def source(self, source_id: UUID) -> KnownSource | None:
        """A webhook source, of whichever tenant."""
        return await self.sources.get(source_id, lambda: self._source(source_id))

    async def _source(self, source_id: UUID) -> KnownSource | None:
        async with self.database.transaction() as db:
            return await credentials.source(db, source_id)


def doorkeeper(request: Request) -> Doorkeeper:
    """The doorkeeper of the application that serves this request."""
    found: Doorkeeper = request.app.state.doorkeeper
    return found


class Requires:
    """A dependency that gives the Caller if it has the scope. Raises Unauthenticated, Forbidden or QuotaExceeded."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> Caller:
        keeper = doorkeeper(request)
        caller = await keeper.caller(request.headers.get("authorization"))
        if self.scope not in caller.scopes:
            raise Forbidden(f"This needs the scope {self.scope}.")
        keeper.quota.take(caller.tenant_id)
        return caller


class RequiresService:
    """A dependency that gives the Caller of an internal route: only our own services' tokens pass."""

    async def __call__(self, request: Request) -> Caller:
        shown = request.headers.get("authorization") or ""
        if shown.partition(" ")[2].startswith("rk_"):
            raise Unauthenticated
        return await doorkeeper(request).caller(shown)


def requires(scope: str) -> Requires:
    """For routes of machines and people: `caller: Annotated[Caller, Depends(requires("invoices:write"))]`."""
    if scope not in SCOPES:
        raise ValueError(f"{scope} is no scope")
    return Requires(scope)


def requires_service() -> RequiresService:
    """For `/internal` routes: `caller: Annotated[Caller, Depends(requires_service())]`."""
    return RequiresService()
