"""A finance department at its desk: the services' HTTP API as people and machines of one tenant use it."""

import asyncio
import json
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx

from libs.common.auth import service_token
from libs.common.demo.listening import Listening
from libs.common.directory import INSTALLATION
from libs.common.errors import RelanceError
from libs.common.settings import PORTS, Settings
from libs.common.webhooks import sign

STEP = 0.02
"""Seconds between looks at services that are still busy: looking costs them as much as working."""


class Answered(RelanceError):
    """A service answered with an error that the caller did not expect."""

    code = "answered"

    def __init__(self, response: httpx.Response) -> None:
        request = response.request
        super().__init__(f"{request.method} {request.url} answered {response.status_code}: {response.text[:2000]}")
        self.response = response


@dataclass(frozen=True)
class Person:
    """Somebody with a role; the subject that audit trails name."""

    subject: str
    roles: tuple[str, ...]


ADMINISTRATOR = Person("helene.lacombe", ("administrator",))
MANAGER = Person("claire.vasseur", ("manager",))
TREASURER = Person("bruno.imbert", ("treasurer",))
COLLECTOR = Person("nadia.ferrand", ("collector",))


@dataclass(frozen=True)
class Source:
    """A webhook source as its ERP knows it."""

    path: str
    secret: str


class Office:
    """One tenant's desk. `call` is any request as a person; the rest are the things done all day."""

    def __init__(self, settings: Settings, tenant: UUID = INSTALLATION) -> None:
        self.settings = settings
        self.tenant = tenant
        self.accounts: dict[str, str] = {}
        """Person → how the console calls its account, so that the pages show a name."""
        limits = httpx.Limits(max_connections=60, max_keepalive_connections=30, keepalive_expiry=3)
        self.listening = Listening(settings)
        self.client = httpx.AsyncClient(timeout=60, limits=limits, trust_env=False)

    async def close(self) -> None:
        await self.client.aclose()
        await self.listening.close()

    async def ask(self, method: str, service: str, path: str, *, by: Person = MANAGER, **more: Any) -> httpx.Response:
        """The raw answer, whatever its status."""
        who = self.accounts.get(by.subject, by.subject)
        token = service_token(self.settings, audience=service, tenant=self.tenant, subject=who, roles=by.roles)
        headers = {"authorization": f"Bearer {token}"} | dict(more.pop("headers", {}))
        return await self.client.request(method, self.settings.urls[service] + path, headers=headers, **more)

    async def call(self, method: str, service: str, path: str, *, by: Person = MANAGER, **more: Any) -> Any:
        """The JSON of a good answer. Raises Answered for any other."""
        response = await self.ask(method, service, path, by=by, **more)
        if response.is_error:
            raise Answered(response)
        return response.json() if response.content else None

    async def get(self, service: str, path: str, **more: Any) -> Any:
        return await self.call("GET", service, path, **more)

    async def post(self, service: str, path: str, body: Any = None, **more: Any) -> Any:
        return await self.call("POST", service, path, **({"json": body} if body is not None else {}), **more)

    async def signed(self, source: Source, body: Any, *, webhook_id: str | None = None) -> httpx.Response:
        """A Standard Webhooks request as an ERP sends it."""
        raw = json.dumps(body).encode()
        identity, now = webhook_id or f"msg_{uuid4().hex}", int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(source.secret, identity, now, raw),
        }
        service = "invoice_ingest" if "/invoices/" in source.path else "payment_matching"
        return await self.client.post(self.settings.urls[service] + source.path, content=raw, headers=headers)

    # What an administrator sets up

    async def open_tenant(self, name: str, administrator: dict[str, str] | None = None) -> dict[str, Any]:
        """Make a tenant and sit down at its desk."""
        body = {"name": name} | ({"administrator": administrator} if administrator else {})
        made: dict[str, Any] = await self.post("console", "/v1/directory/tenants", body, by=ADMINISTRATOR)
        self.tenant = UUID(made["tenant_id"])
        return made

    async def open_entity(self, name: str, *, live: bool = True, approvals: str = "policy", **facts: Any) -> UUID:
        """An entity; `live` lets its reminders leave at once, as those of a company that has sent them for years, with
        `approvals` as the policy says or each confirmed by a person."""
        mail = facts.pop("sender_email", "compta@entity.example")
        body = {"name": name, "sender_name": name, "sender_email": mail} | facts
        made = await self.post("console", "/v1/directory/entities", body, by=ADMINISTRATOR)
        if live:
            change = {"mode": "live", "approvals": approvals, "run_in": "waived"}
            path = f"/v1/directory/entities/{made['entity_id']}"
            await self.call("PATCH", "console", path, json=change, by=ADMINISTRATOR)
        return UUID(made["entity_id"])

    async def open_account(self, entity: UUID, iban: str, holder: str, *, required: bool = True) -> UUID:
        """Bank details, proposed by one person and approved by another."""
        body = {"entity_id": str(entity), "iban": iban, "holder": holder, "required": required}
        made = await self.post("console", "/v1/directory/bank-details", body, by=ADMINISTRATOR)
        path = f"/v1/directory/bank-details/{made['proposal_id']}/approve"
        second = Person("laurent.joly", ("administrator",))
        return UUID((await self.post("console", path, by=second))["bank_account_id"])

    async def add_source(self, entity: UUID, slug: str, purpose: str) -> Source:
        """A webhook source with its secret."""
        body = {"entity_id": str(entity), "slug": slug, "purpose": purpose}
        made = await self.post("console", "/v1/directory/sources", body, by=ADMINISTRATOR)
        return Source(made["path"], made["secret"])

    # Waiting until everything that was said has been heard

    async def work(self) -> dict[str, dict[str, Any]]:
        """What each service has left to do; a service that does not answer is absent."""
        return await self._of_each(PORTS, "GET", "/internal/v1/work")

    async def _of_each(self, names: Collection[str], method: str, path: str) -> dict[str, dict[str, Any]]:
        answers = await asyncio.gather(*(self._internal(method, name, path) for name in names), return_exceptions=True)
        return {
            name: found.json()
            for name, found in zip(names, answers, strict=True)
            if isinstance(found, httpx.Response) and found.is_success
        }

    async def _internal(self, method: str, service: str, path: str) -> httpx.Response:
        token = service_token(self.settings, audience=service, tenant=self.tenant, subject="service:console")
        url = self.settings.urls[service] + path
        return await self.client.request(method, url, headers={"authorization": f"Bearer {token}"})

    async def settled(
        self,
        timeout: float = 30,  # noqa: ASYNC109 - a deadline, not a cancellation
        names: Collection[str] = tuple(PORTS),
    ) -> None:
        """Return when all that was recorded is handled by these services and nothing comes of it any more.

        Quiet means: no outbox, no lag, nothing in hand, and not one new record while every loop made a whole pass.
        Raises TimeoutError with what is left.
        """
        end = time.monotonic() + timeout
        while not await self._quiet(names):
            if time.monotonic() > end:
                raise TimeoutError(f"Not settled in {timeout} s: {await self.work()}")
            await asyncio.sleep(STEP)

    async def _quiet(self, names: Collection[str]) -> bool:
        """Whether nothing came of a whole pass. The loops are only woken when all that was said has been heard."""
        lag, recorded = await self.listening.look(names)
        if lag:
            return False
        work = await self._of_each(names, "POST", "/internal/v1/work/rest")
        busy = len(work) < len(names) or any(_busy(left) for left in work.values())
        return not busy and await self.listening.look(names) == (0, recorded)


def _busy(left: dict[str, Any]) -> bool:
    return bool(left["outbox"]) or any(state["held"] for state in left["loops"].values())
