"""The notifier on a real database and a mail server of our own; the three services that give permits are played.

`Office` is one process of the service without its consumer: events are handed to the handlers as a batch would be.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import select, update

from libs.common.auth import service_token
from libs.common.calls import Peers
from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.events import TYPES, Event, event
from libs.common.events.debtors import Contact, DebtorChanged
from libs.common.events.directory import BankDetailsApproved, EntityConfigured, TenantConfigured
from libs.common.events.invoices import Instalment, InvoiceIssued
from libs.common.events.payments import PaymentMatched, Residual
from libs.common.events.reminders import Line, ReminderDue
from libs.common.ids import named, occurrence_id, reminder_id, uuid7
from libs.common.money import Money
from libs.common.runtime import App, Pulse
from libs.common.settings import Settings
from libs.common.tables import outbox, outbox_archive
from services.notifier.app import SERVICE, wire
from services.notifier.dispatch.recording import Waits
from services.notifier.handlers import Handlers
from services.notifier.tables import delivery, notice
from tests.support import eventually, fresh_tenant
from tests.support.smtp import MailSink

NOW = datetime(2026, 10, 1, 8, 0, tzinfo=UTC)
IBAN = "FR7630006000011234567890189"
PDF = b"%PDF-1.7 a copy"


@dataclass
class Granters:
    """invoice_ingest, scheduler and payment_matching, as far as the notifier sees them."""

    say: Callable[[str, dict[str, Any]], tuple[str, str | None]] = lambda service, ask: ("yes", None)
    documents: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    opens_at: datetime | None = None
    silent: set[str] = field(default_factory=set)

    def answer(self, settings: Settings, request: httpx.Request) -> httpx.Response:
        service = next(name for name, url in settings.urls.items() if str(request.url).startswith(url))
        if service in self.silent:
            raise httpx.ConnectError("nobody there", request=request)
        path = request.url.path
        if path.startswith("/internal/v1/documents/"):
            content = self.documents.get(path.rpartition("/")[2])
            return httpx.Response(404) if content is None else httpx.Response(200, content=content)
        body = json.loads(request.content)
        if path.endswith("/release"):
            self.released += body["delivery_ids"]
            return httpx.Response(204)
        answers = []
        for ask in body["deliveries"]:
            self.asked.append((service, ask))
            said, reason = self.say(service, ask)
            opens_at = self.opens_at.isoformat() if self.opens_at and said == "again" else None
            answers.append({"delivery_id": ask["delivery_id"], "answer": said, "reason": reason, "opens_at": opens_at})
        return httpx.Response(200, json={"answers": answers})


@dataclass
class Office:
    """One company, its payers, and the notifier that works for it."""

    settings: Settings
    app: App
    handlers: Handlers
    sink: MailSink
    clock: FixedClock
    granters: Granters
    loops: Database
    peers: Peers
    slow: Callable[[httpx.Request], Awaitable[httpx.Response]] | None = None
    tenant: UUID = field(default_factory=fresh_tenant)
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    @property
    def entity(self) -> UUID:
        return named("entity", self.tenant)

    def payer(self, n: int = 1) -> UUID:
        return named("payer", self.tenant, n)

    def address(self, n: int = 1) -> str:
        return f"compta{n}@client-{self.tenant.hex[-12:]}.fr"

    # Hearing

    async def hear(self, *bodies: Any) -> list[Event]:
        """Hand these to the handlers, one transaction for all, as the consumer would."""
        events = [each if isinstance(each, Event) else event(each, self.clock.now()) for each in bodies]
        by_type = self.handlers.by_type()
        async with self.loops.transaction() as db:
            for each in events:
                if type(each.body) in by_type:
                    await by_type[type(each.body)](db, [each])
        self.wake()
        return events

    def wake(self) -> None:
        for pulse in self.app.pulses.values():
            pulse.nudge()

    async def found(self, **entity: Any) -> None:
        """The tenant, its entity and its account."""
        common = {"tenant_id": self.tenant, "version": 1, "directory_version": 1}
        told = {
            "name": "Verrerie du Léman SAS",
            "sender_name": "Verrerie du Léman",
            "sender_email": "compta@verrerie-leman.fr",
            "mode": "live",
            "approvals": "policy",
        } | entity
        await self.hear(
            TenantConfigured(**common, name="Léman"),
            EntityConfigured(**common, entity_id=self.entity, **told),
            self.account(IBAN),
        )

    def account(self, iban: str, version: int = 1) -> BankDetailsApproved:
        return BankDetailsApproved(
            tenant_id=self.tenant,
            version=version,
            directory_version=version,
            bank_account_id=named("account", self.tenant),
            entity_id=self.entity,
            iban=iban,
            holder="Verrerie du Léman",
            effective_at=NOW - timedelta(days=30),
        )

    def debtor(self, n: int = 1, *, version: int = 1, emails: Sequence[str] | None = None) -> DebtorChanged:
        addresses = [self.address(n)] if emails is None else emails
        return DebtorChanged(
            tenant_id=self.tenant,
            version=version,
            entity_id=self.entity,
            debtor_id=self.payer(n),
            external_id=f"C{n}",
            name=f"Hôtel Beau Rivage {n}",
            party_id=named("party", self.payer(n)),
            payer_id=self.payer(n),
            contacts=[
                Contact(contact_id=named("contact", self.payer(n), i), name=f"Contact {i}", email=each)
                for i, each in enumerate(addresses)
            ],
        )

    def line(self, n: int, *, residual: int = 100_000, tone: int = 2, completes: bool = True, release: int = 1) -> Line:
        invoice = named("invoice", self.tenant, n)
        item = named("item", invoice)
        return Line(
            occurrence_id=occurrence_id(self.tenant, item, 1, f"step{tone}"),
            release=release,
            item_id=item,
            item_version=1,
            invoice_id=invoice,
            invoice_version=1,
            debtor_id=self.payer(1),
            number=f"FA-2026-{n:04}",
            issue_date=date(2026, 8, 1),
            due_date=date(2026, 9, 1) + timedelta(days=n % 20),
            amount=Money(100_000, "EUR"),
            residual=Money(residual, "EUR"),
            step_key=f"step{tone}",
            tone=tone,
            completes=completes,
        )

    def due(self, *lines: Line, payer: int = 1, **changes: Any) -> ReminderDue:
        lines = lines or (self.line(1),)
        told = {
            "tenant_id": self.tenant,
            "version": 1,
            "entity_id": self.entity,
            "case_id": named("case", self.payer(payer)),
            "payer_id": self.payer(payer),
            "reminder_id": reminder_id((line.occurrence_id, line.release) for line in lines),
            "policy_version_id": named("policy"),
            "kind": "reminder",
            "step_key": lines[0].step_key,
            "tone": lines[0].tone,
            "anchor_item_id": lines[0].item_id,
            "lines": list(lines),
            "channels": ["email"],
            "audience": ["accounts_payable"],
            "template": "friendly",
            "language": "fr",
            "approval": "none",
            "window_ends_at": NOW + timedelta(hours=9),
            "party_id": named("party", self.payer(payer)),
        }
        return ReminderDue(**told | changes)

    def owes(self, n: int, minor: int, version: int = 2) -> PaymentMatched:
        """A payment after which invoice n owes so much."""
        invoice = named("invoice", self.tenant, n)
        residual = Residual(
            item_id=named("item", invoice), invoice_id=invoice, residual=Money(minor, "EUR"), item_version=version
        )
        return PaymentMatched(
            tenant_id=self.tenant,
            version=1,
            entity_id=self.entity,
            payment_id=uuid7(),
            payer_id=self.payer(1),
            amount=Money(100, "EUR"),
            value_date=date(2026, 10, 1),
            unapplied=Money(0, "EUR"),
            how="auto",
            allocations=[],
            residuals=[residual],
        )

    def issued(self, n: int, version: int = 1, kind: type[InvoiceIssued] = InvoiceIssued, **changes: Any) -> Any:
        invoice = named("invoice", self.tenant, n)
        instalment = Instalment(
            item_id=named("item", invoice), sequence=1, due_date=date(2026, 9, 1), amount=Money(100_000, "EUR")
        )
        told = {
            "tenant_id": self.tenant,
            "version": version,
            "entity_id": self.entity,
            "invoice_id": invoice,
            "debtor_id": self.payer(1),
            "payer_id": self.payer(1),
            "number": f"FA-2026-{n:04}",
            "issue_date": date(2026, 8, 1),
            "payable": Money(100_000, "EUR"),
            "instalments": [instalment],
            "due_source": "structured",
        }
        return kind(**told | changes)

    # Looking

    async def said(self, *names: str) -> list[Any]:
        """The bodies recorded for this tenant, in order, of these types or of all."""
        async with self.app.http.state.room.database.transaction(self.tenant) as db:
            rows = []
            for table in (outbox, outbox_archive):
                query = select(table.c.seq, table.c.headers, table.c.body).where(table.c.tenant_id == self.tenant)
                rows += list(await db.execute(query))
        found = []
        for row in sorted(rows, key=lambda each: each.seq):
            name = json.loads(row.headers)["ce_type"].split(".")[1]
            if not names or name in names:
                found.append(TYPES[name].model_validate_json(row.body))
        return found

    async def names(self) -> list[str]:
        return [type(each).__name__ for each in await self.said()]

    async def until(self, *names: str, count: int = 1, within: float = 20) -> list[Any]:
        """The events of these types, once there are so many of them."""

        async def enough() -> list[Any] | None:
            found = await self.said(*names)
            return found if len(found) >= count else None

        return await eventually(enough, timeout=within)

    async def call(
        self, method: str, path: str, *, who: str = "anne", roles: Sequence[str] = ("manager",), **how: Any
    ) -> httpx.Response:
        """One request of a person with these roles."""
        token = service_token(self.settings, audience=SERVICE, tenant=self.tenant, subject=who, roles=roles)
        headers = {"Authorization": f"Bearer {token}"} | how.pop("headers", {})
        transport = httpx.ASGITransport(self.app.http)
        async with httpx.AsyncClient(transport=transport, base_url="http://notifier") as client:
            return await client.request(method, path, headers=headers, **how)

    async def get(self, path: str, **how: Any) -> Any:
        answer = await self.call("GET", path, **how)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, *loops: str) -> None:
        """Start these loops, as the runtime would."""
        for name in loops:
            self.app.pulses[name] = Pulse()
            self.tasks[name] = asyncio.create_task(self.app.loops[name](self.app.pulses[name]))

    async def stop(self) -> None:
        for pulse in self.app.pulses.values():
            pulse.stopping.set()
            pulse.nudge()
        results = await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        async with self.loops.transaction() as db:
            # What is left must not leave through the next test's mail server.
            for table in (notice, delivery):
                mine = update(table).where(table.c.tenant_id == self.tenant, table.c.state.in_(("due", "ready")))
                await db.execute(mine.values(state="stopped"))
        for close in [*self.app.close, self.loops.close]:
            await close()
        for result in results:
            if isinstance(result, Exception):
                raise result


LANES = 8
FAST = Waits(refused=(0.05,), unsent=(0.05,))


@asynccontextmanager
async def office(
    settings: Settings, *, final_seconds: float = 600.0, loops: Sequence[str] = ("writing", "dispatch"), **entity: Any
) -> AsyncIterator[Office]:
    """An office with a tenant, an entity, one payer and a mail server, its loops running."""
    sink = await MailSink().start()
    own = replace(settings, smtp_host=sink.host, smtp_port=sink.port)
    clock, granters = FixedClock(NOW), Granters()
    made: Office

    async def answer(request: httpx.Request) -> httpx.Response:
        return await made.slow(request) if made.slow else granters.answer(own, request)

    transport = httpx.MockTransport(answer)
    peers = Peers(own, SERVICE, client=httpx.AsyncClient(transport=transport))
    app = wire(own, clock, peers=peers, waits=FAST, final_seconds=final_seconds, lanes=LANES)
    made = Office(own, app, Handlers(clock, lambda: None), sink, clock, granters, Database(own, SERVICE, "loop"), peers)
    await made.found(**entity)
    await made.hear(made.debtor())
    made.run(*loops)
    try:
        yield made
    finally:
        await made.stop()
        await sink.stop()
