"""The service as its neighbours see it: events heard, requests answered, money tried, and what it recorded."""

import base64
import json
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import select, text

from libs.common import directory, ids
from libs.common.auth import service_token
from libs.common.clock import FixedClock
from libs.common.consumer.rounds import runs
from libs.common.db import Database
from libs.common.events import event
from libs.common.events.debtors import DebtorChanged
from libs.common.events.directory import ApiKeyIssued, BankDetailsApproved, EntityConfigured, SourceConfigured
from libs.common.events.envelope import Body
from libs.common.events.invoices import (
    CreditedInvoice,
    CreditNoteIssued,
    Instalment,
    InvoiceAmended,
    InvoiceCancelled,
    InvoiceIssued,
)
from libs.common.ids import uuid7
from libs.common.money import Money, from_wire
from libs.common.runtime import App
from libs.common.seal import seal
from libs.common.settings import Settings
from libs.common.tables import outbox
from libs.common.webhooks import sign
from services.payment_matching.app import wire
from services.payment_matching.handlers import Hearing, lock
from services.payment_matching.work import Matching
from tests.support import fresh_tenant

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
DUE = date(2026, 11, 10)
IBAN = "FR7630006000011234567890189"
SCOPES = ["payments:read", "payments:write"]


def eur(cents: int) -> dict[str, str]:
    return Money(cents, "EUR").wire()


@dataclass
class Till:
    """One tenant's view of the service."""

    settings: Settings
    app: App
    clock: FixedClock
    loops: Database
    client: httpx.AsyncClient
    tenant: UUID = field(default_factory=uuid7)
    entity: UUID = field(default_factory=uuid7)
    source: UUID = field(default_factory=uuid7)
    account: UUID = field(default_factory=uuid7)
    secret: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    versions: dict[UUID, int] = field(default_factory=dict)

    @asynccontextmanager
    async def for_a_tenant(self) -> AsyncIterator["Till"]:
        """A tenant of its own with one entity, one approved account, one key and one webhook source."""
        secret = "whsec_" + base64.b64encode(os.urandom(24)).decode()
        mine = replace(
            self,
            tenant=fresh_tenant(),
            entity=uuid7(),
            source=uuid7(),
            account=uuid7(),
            secret=secret,
            versions={},
            clock=self.clock,
        )
        await mine.furnish()
        yield mine

    async def furnish(self) -> None:
        key = directory.new_key("test")
        facts = {"tenant_id": self.tenant, "version": 1, "directory_version": 1}
        await self.hear(
            self.entity_configured(self.entity),
            ApiKeyIssued(**facts, key_id=uuid7(), prefix=key.prefix, secret_sha256=key.secret_sha256, scopes=SCOPES),
            SourceConfigured(
                **facts,
                source_id=self.source,
                entity_id=self.entity,
                slug="bank",
                purpose="payments",
                sealed_secrets=[seal(self.settings.seal_keys, self.secret)],
            ),
            self.bank_details(),
        )
        self.headers = {"Authorization": f"Bearer {key.token}"}

    def entity_configured(self, entity: UUID) -> EntityConfigured:
        """A creditor company of this tenant."""
        return EntityConfigured(
            tenant_id=self.tenant,
            version=1,
            directory_version=1,
            entity_id=entity,
            name="Nous SA",
            sender_name="Nous",
            sender_email="compta@nous.example",
        )

    def bank_details(self, iban: str = IBAN, *, required: bool = True) -> BankDetailsApproved:
        return BankDetailsApproved(
            tenant_id=self.tenant,
            version=1,
            directory_version=1,
            bank_account_id=self.account if iban == IBAN else uuid7(),
            entity_id=self.entity,
            iban=iban,
            holder="Nous SA",
            required=required,
            effective_at=NOW - timedelta(days=30),
        )

    # What the neighbours say

    async def hear(self, *bodies: Body) -> None:
        """Let the service hear these, as its consumer would: in one transaction, locked, in rounds."""
        events = [event(body, self.clock.now()) for body in bodies]
        handlers = {kind.__name__: handler for kind, handler in Hearing(self.clock).handlers().items()}
        async with self.loops.transaction() as db:
            await lock(db, events)
            for some in runs(events):
                await handlers[some[0].type](db, some)

    def debtor(self, name: str) -> UUID:
        return ids.debtor_id(self.tenant, self.entity, name)

    def invoice_id(self, number: str) -> UUID:
        return ids.invoice_id(self.tenant, self.entity, "invoice", number, 2026)

    def item_id(self, number: str, sequence: int = 1) -> UUID:
        return ids.item_id(self.invoice_id(number), sequence)

    def _version(self, of: UUID) -> int:
        self.versions[of] = self.versions.get(of, 0) + 1
        return self.versions[of]

    def customer(self, name: str, *, payer: str | None = None, iban: str | None = None) -> DebtorChanged:
        """A debtor's file."""
        debtor = self.debtor(name)
        return DebtorChanged(
            tenant_id=self.tenant,
            version=self._version(debtor),
            entity_id=self.entity,
            debtor_id=debtor,
            external_id=name,
            name=f"{name} SARL",
            party_id=debtor,
            payer_id=self.debtor(payer or name),
            ibans=[iban] if iban else [],
        )

    def issued(self, number: str, customer: str, *parts: int, **facts: Any) -> InvoiceIssued:
        """An invoice, in one or several instalments a month apart."""
        return InvoiceIssued(**self._invoice(number, customer, parts or (10_000,), facts))

    def amended(self, number: str, customer: str, *parts: int, **facts: Any) -> InvoiceAmended:
        return InvoiceAmended(**self._invoice(number, customer, parts, facts))

    def _invoice(self, number: str, customer: str, parts: Sequence[int], facts: dict[str, Any]) -> dict[str, Any]:
        due, currency = facts.pop("due", DUE), facts.pop("currency", "EUR")
        instalments = [
            Instalment(
                item_id=self.item_id(number, n),
                sequence=n,
                due_date=due + timedelta(days=30 * (n - 1)),
                amount=Money(cents, currency),
            )
            for n, cents in enumerate(parts, 1)
        ]
        return {
            "tenant_id": self.tenant,
            "version": self._version(self.invoice_id(number)),
            "entity_id": self.entity,
            "invoice_id": self.invoice_id(number),
            "debtor_id": self.debtor(customer),
            "payer_id": self.debtor(customer),
            "number": number,
            "issue_date": due - timedelta(days=30),
            "payable": Money(sum(parts), currency),
            "instalments": instalments,
            "due_source": "structured",
        } | facts

    def cancelled(self, number: str, customer: str) -> InvoiceCancelled:
        return InvoiceCancelled(
            tenant_id=self.tenant,
            version=self._version(self.invoice_id(number)),
            entity_id=self.entity,
            invoice_id=self.invoice_id(number),
            debtor_id=self.debtor(customer),
            payer_id=self.debtor(customer),
            item_ids=[self.item_id(number)],
        )

    def credit(self, number: str, customer: str, cents: int, *named: str, version: int = 1) -> CreditNoteIssued:
        return CreditNoteIssued(
            tenant_id=self.tenant,
            version=version,
            entity_id=self.entity,
            credit_note_id=ids.invoice_id(self.tenant, self.entity, "credit", number, 2026),
            debtor_id=self.debtor(customer),
            payer_id=self.debtor(customer),
            number=number,
            issue_date=DUE,
            amount=Money(cents, "EUR"),
            invoices=[CreditedInvoice(invoice_id=self.invoice_id(one)) for one in named],
        )

    # What clients send

    def payment(self, name: str, cents: int, text_: str = "", **facts: Any) -> dict[str, Any]:
        return {
            "external_id": name,
            "value_date": "2026-11-19",
            "amount": eur(cents),
            **({"remittance": text_} if text_ else {}),
        } | facts

    async def pay(self, name: str, cents: int, text_: str = "", **facts: Any) -> UUID:
        """Money told by the API, and tried; its id."""
        told = await self.post("/v1/payments", self.payment(name, cents, text_, **facts), 201)
        await self.settle()
        return UUID(told["id"])

    async def settle(self) -> None:
        """Turn the matching loop until nothing waits."""
        loop = Matching(self.loops, self.clock)
        turns = [await loop.turn()]
        while turns[-1]:
            turns.append(await loop.turn())

    async def post(self, path: str, told: Any, status: int = 200, **how: Any) -> Any:
        answer = await self.client.post(path, json=told, headers=self.headers | how.pop("headers", {}), **how)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json()

    async def get(self, path: str, status: int = 200, **params: Any) -> Any:
        answer = await self.client.get(path, params=params, headers=self.headers)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json()

    async def delete(self, path: str, status: int = 200) -> Any:
        answer = await self.client.delete(path, headers=self.headers)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json()

    async def upload(self, body: bytes, status: int = 201, **params: Any) -> Any:
        headers = self.headers | {"content-type": "application/xml"}
        answer = await self.client.post("/v1/statements", content=body, headers=headers, params=params)
        assert answer.status_code == status, (answer.status_code, answer.text)
        await self.settle()
        return answer.json()

    async def webhook(self, told: Any, *, secret: str | None = None) -> httpx.Response:
        body, name, at = json.dumps(told).encode(), f"msg_{uuid7().hex}", int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(at),
            "webhook-signature": sign(secret or self.secret, name, at, body),
        }
        return await self.client.post(f"/v1/webhooks/payments/{self.source}", content=body, headers=headers)

    async def ask(self, path: str, told: Any) -> Any:
        """POST as another service of ours."""
        token = service_token(
            self.settings, audience="payment_matching", tenant=self.tenant, subject="service:notifier", roles=()
        )
        answer = await self.client.post(path, json=told, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    async def permit(
        self, number: str, customer: str, cents: int, kind: str = "reminder", currency: str = "EUR"
    ) -> tuple[str, str | None]:
        """May a notice about this item, printed with this amount, leave now?"""
        item = {
            "occurrence_id": str(uuid7()),
            "release": 1,
            "item_id": str(self.item_id(number)),
            "invoice_id": str(self.invoice_id(number)),
            "invoice_version": 1,
            "debtor_id": str(self.debtor(customer)),
            "amount": Money(cents, currency).wire(),
        }
        ask = {
            "delivery_id": str(uuid7()),
            "notice_id": str(uuid7()),
            "reminder_id": str(uuid7()),
            "entity_id": str(self.entity),
            "payer_id": str(self.debtor(customer)),
            "party_id": str(self.debtor(customer)),
            "kind": kind,
            "tone": 1,
            "debtor_version": 1,
            "items": [item],
        }
        found = (await self.ask("/internal/v1/permits", {"deliveries": [ask]}))["answers"][0]
        return found["answer"], found["reason"]

    # What is seen

    async def owed(self, number: str, sequence: int = 1) -> int:
        """What an item owes, in minor units of its currency."""
        found = await self.get(f"/v1/open-items/{self.item_id(number, sequence)}")
        return from_wire(found["residual"]).minor

    async def state(self, payment: UUID) -> str:
        return str((await self.get(f"/v1/payments/{payment}"))["state"])

    async def events(self, *types: str) -> list[Mapping[str, Any]]:
        """The bodies recorded for this tenant, of these types or all, in their order; each with its `type`."""
        asked = select(outbox.c.headers, outbox.c.body).where(outbox.c.tenant_id == self.tenant).order_by(outbox.c.seq)
        async with self.loops.transaction() as db:
            rows = (await db.execute(asked)).all()
        told = [{"type": json.loads(row.headers)["ce_type"].split(".")[1]} | json.loads(row.body) for row in rows]
        return [each for each in told if not types or each["type"] in types]

    async def balanced(self) -> None:
        """Invariant I5, read from the tables."""
        async with self.loops.transaction() as db:
            wrong = await db.scalar(_UNBALANCED, {"tenant": self.tenant})
        assert wrong == 0, f"{wrong} payments or items do not add up"

    async def close(self) -> None:
        await self.client.aclose()
        for each in self.app.close:
            await each()
        await self.loops.close()


_UNBALANCED = text("""
    select (select count(*) from payment p
             where p.tenant_id = :tenant and p.amount_minor <> p.unapplied_minor + p.returned_minor + coalesce((
                   select sum(a.paid_minor) from allocation a where a.tenant_id = p.tenant_id
                      and a.source_id = p.payment_id and a.kind is null and a.undone_at is null), 0))
         + (select count(*) from open_item i
             where i.tenant_id = :tenant and i.amount_minor <> i.residual_minor + coalesce((
                   select sum(a.amount_minor) from allocation a where a.tenant_id = i.tenant_id
                      and a.item_id = i.item_id and a.undone_at is null), 0))
         + (select count(*) from credit_note c
             where c.tenant_id = :tenant and c.amount_minor <> c.unapplied_minor + coalesce((
                   select sum(a.amount_minor) from allocation a where a.tenant_id = c.tenant_id
                      and a.source_id = c.credit_note_id and a.undone_at is null), 0))
""")


def open_till(settings: Settings, clock: FixedClock) -> Till:
    """The service wired in this process; its loops do not run."""
    app = wire(settings, clock)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app.http), base_url="http://matching", timeout=60)
    return Till(settings, app, clock, Database(settings, "payment_matching", "loop"), client)
