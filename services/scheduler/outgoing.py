"""Signed messages to the systems of the tenant (Standard Webhooks 1.0), posted by loops of their own, door by door.

The rules it protects: a message is queued in the transaction of the act it tells of; it carries the same webhook-id at
every try and is never posted again after a 2xx; every try is noted. A door takes its messages one at a time and in
their order; one that fails waits by itself, longer each time, and holds no other door back. An installation that sends
to the world posts to public addresses only, any other one to its own machine and network only; the address is looked up
once and used.
"""

import asyncio
import ipaddress
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import orjson
import structlog

from libs.common import restoring
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.errors import Refused
from libs.common.ids import uuid7
from libs.common.runtime import Pulse
from libs.common.seal import SealBroken, unseal
from libs.common.settings import Settings
from libs.common.turning import turning
from libs.common.webhooks import sign
from services.scheduler.commands import Asker
from services.scheduler.store import outgoing as store

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
TRY_SECONDS = 20.0
"""A whole try, from before its claim to the head of the answer: a process that was frozen longer posts nothing."""
TRIES = 12
"""Then a message is given up: a day and a half after the first try at a door that was open before."""
FIRST, LONGEST = 5.0, 6 * 3600.0
"""Seconds that a door waits after a failure, and the most; each pause is four times the one before."""
REST = 5.0
DOORS_AT_ONCE = 4
"""Couriers of one process: so many doors may be slow before another one has to wait for their time-out."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[[str, int], Awaitable[list[str]]]

log = structlog.get_logger(__name__)


class AddressRefused(Refused):
    """Nothing may be posted to this address from here."""

    code = "address_refused"
    remedy = "Use https to a public address; an installation that sends nothing to the world posts to its own network."


async def queue(asker: Asker, kind: str, entity: UUID, subject: UUID, data: Mapping[str, Any]) -> None:
    """Tell every open door of the company, in this transaction: {type, timestamp, data}."""
    body = orjson.dumps({"type": kind, "timestamp": asker.now, "data": data}).decode()
    rows = [
        {
            "tenant_id": asker.tenant, "message_id": uuid7(), "endpoint_id": door["endpoint_id"], "kind": kind,
            "subject_id": subject, "body": body,
        }
        for door in await store.endpoints(asker.db, asker.tenant, entity)
    ]  # fmt: skip
    await store.queue(asker.db, rows)


def pause(failures: int) -> float:
    """Seconds that a door waits after so many failures in a row."""
    return min(LONGEST, FIRST * 4.0 ** (min(failures, TRIES) - 1))


def allowed(address: Address, *, live: bool) -> bool:
    """Whether this installation may post there; multicast, link-local and reserved addresses never."""
    told = getattr(address, "ipv4_mapped", None) or address
    if told.is_loopback:
        return not live
    if told.is_multicast or told.is_reserved or told.is_unspecified or told.is_link_local:
        return False
    return bool(told.is_global) == live


def checked_url(url: str, *, live: bool) -> str:
    """The URL of a door, without credentials and fragment; https when the installation sends. Raises AddressRefused."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise AddressRefused("This is no URL.", field="url") from None
    plain = parts.scheme == "http" and not live
    if not (parts.hostname and (parts.scheme == "https" or plain)) or parts.username or parts.fragment:
        raise AddressRefused(f"{parts.scheme}://{parts.hostname} is not an address for messages.", field="url")
    return url


async def lookup(host: str, port: int) -> list[str]:
    """The addresses of a host."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Courier:
    """One loop of several; safe to run any number of times in any number of processes."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        *,
        client: httpx.AsyncClient | None = None,
        look_up: Lookup = lookup,
        seconds: float = TRY_SECONDS,
    ) -> None:
        self.settings = settings
        self.database = database
        self.clock = clock
        self.client = client or httpx.AsyncClient(timeout=TIMEOUT, trust_env=False, follow_redirects=False)
        self.look_up = look_up
        self.seconds = seconds

    async def run(self, pulse: Pulse) -> None:
        """Post until the process stops; troubles of the database are waited out."""

        async def turn() -> float:
            return 0.0 if await self.once() else REST

        await turning(pulse, "courier", turn)
        await self.client.aclose()

    async def once(self) -> bool:
        """Post the next message of the next door; whether there was one."""
        until = asyncio.get_running_loop().time() + self.seconds
        async with self.database.transaction() as db:
            row = None if await restoring.under_way(db) else await store.claim(db)
        if row is None:
            return False
        began = time.perf_counter()
        status, error = await self._posted(row, until)
        took = round((time.perf_counter() - began) * 1000)
        over = row["closed"] or status == 410 or row["tries"] >= TRIES
        waits = 0.0 if row["closed"] or error is None else pause(row["failures"] + 1)
        async with self.database.transaction() as db:
            await store.tried(db, row, store.Try(status, error, took, over, waits))
        log.info("courier.posted", message=str(row["message_id"]), status=status, error=error, tries=row["tries"])
        return True

    async def _posted(self, row: store.Row, until: float) -> tuple[int | None, str | None]:
        """(status of the answer, None), or (None, why there is none)."""
        if row["closed"]:
            return None, "door_closed"
        try:
            async with asyncio.timeout_at(until):
                url, host = await self._address(row["url"])
                headers, named = self._signed(row) | {"host": host}, {"sni_hostname": host.partition(":")[0]}
                # What a door answers is never read: it may be endless.
                told = {"content": row["body"], "headers": headers, "extensions": named}
                async with self.client.stream("POST", url, **told) as answer:
                    status, good = answer.status_code, answer.is_success
        except (AddressRefused, SealBroken) as error:
            return None, error.code
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return None, type(error).__name__
        return status, None if good else f"HTTP {status}"

    async def _address(self, url: str) -> tuple[httpx.URL, str]:
        """The URL with its host looked up, and that host. Raises AddressRefused."""
        live = self.settings.sending == "live"
        told = httpx.URL(checked_url(url, live=live))
        port = told.port or (443 if told.scheme == "https" else 80)
        found = [ipaddress.ip_address(each.partition("%")[0]) for each in await self.look_up(told.host, port)]
        if not found or not all(allowed(each, live=live) for each in found):
            raise AddressRefused
        return told.copy_with(host=str(found[0])), told.netloc.decode()

    def _signed(self, row: store.Row) -> dict[str, str]:
        """The three headers; the stamp is the machine's clock, which is what a receiver compares with its own."""
        secret, stamp = unseal(self.settings.seal_keys, row["sealed_secret"]), int(time.time())
        signature = sign(secret, str(row["message_id"]), stamp, row["body"].encode())
        return {
            "content-type": "application/json",
            "webhook-id": str(row["message_id"]),
            "webhook-timestamp": str(stamp),
            "webhook-signature": signature,
        }
