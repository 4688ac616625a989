"""A company with debtors and invoices, told by events straight into the scheduler's handlers on the real Postgres."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.clock import FixedClock
from libs.common.consumer.rounds import runs
from libs.common.db import Database
from libs.common.events import TYPES, Event, event
from libs.common.events.debtors import DebtorChanged
from libs.common.events.deliveries import (
    Covered,
    ReminderBounced,
    ReminderFailed,
    ReminderProposed,
    ReminderSent,
    ReminderStopped,
    ReminderUncertain,
    ReplyReceived,
    TaskDone,
)
from libs.common.events.directory import EntityConfigured, TenantConfigured
from libs.common.events.envelope import Body
from libs.common.events.invoices import Instalment, InvoiceAmended, InvoiceCancelled, InvoiceIssued
from libs.common.events.payments import (
    Allocation,
    FeedAdvanced,
    InvoiceReopened,
    InvoiceSettled,
    PaymentMatched,
    PaymentReceived,
    Residual,
)
from libs.common.events.reminders import ReminderDue
from libs.common.ids import item_id, named
from libs.common.money import Money
from libs.common.tables import outbox
from services.scheduler import handlers
from services.scheduler.store.cases import case_id
from services.scheduler.store.policies import Policies
from services.scheduler.sweep import Sweep
from services.scheduler.tables import item, occurrence, payer_case

START = datetime(2026, 9, 1, 8, tzinfo=UTC)


@dataclass
class World:
    """One tenant of a test. `clock` is the business clock; events carry it."""

    database: Database
    tenant: UUID
    clock: FixedClock = field(default_factory=lambda: FixedClock(START))
    policies: Policies = field(default_factory=Policies)
    versions: dict[UUID, int] = field(default_factory=dict)

    @property
    def entity(self) -> UUID:
        return named("entity", self.tenant)

    def debtor(self, name: str) -> UUID:
        return named("debtor", self.tenant, name)

    def invoice(self, number: str) -> UUID:
        return named("invoice", self.tenant, number)

    def item(self, number: str) -> UUID:
        return item_id(self.invoice(number), 1)

    def case(self, payer: str) -> UUID:
        return case_id(self.tenant, self.debtor(payer))

    def version(self, of: UUID) -> int:
        self.versions[of] = self.versions.get(of, 0) + 1
        return self.versions[of]

    def told(self, body: Body, at: datetime | None = None) -> Event:
        return event(body, at or self.clock.now())

    async def tell(self, *bodies: Body) -> None:
        await self.hear([self.told(body) for body in bodies])

    async def hear(self, events: Sequence[Event]) -> None:
        """One batch of the consumer: lock, rounds, handlers, commit."""
        async with self.database.transaction() as db:
            await self.hear_in(db, events)

    async def hear_in(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        """The same within a transaction of the test's."""
        known = handlers.handlers()
        await handlers.lock(db, events)
        for some in runs(events):
            await known[type(some[0].body)](db, some)

    async def state_in(
        self, db: AsyncConnection, tables: Any, case_facts: Any, occurrence_facts: Any
    ) -> dict[str, Any]:
        """The rows of the tenant as this transaction sees them; a case without items says nothing."""
        found: dict[str, Any] = {}
        for table in (*tables, payer_case, occurrence):
            chosen = {payer_case: case_facts, occurrence: occurrence_facts}.get(table, [c.name for c in table.c])
            asked = select(*(table.c[name] for name in chosen)).where(table.c.tenant_id == self.tenant)
            rows = await db.execute(asked.order_by(*table.primary_key))
            found[table.name] = [dict(row._mapping) for row in rows]
        with_items = {row["case_id"] for row in found[item.name]}
        found[payer_case.name] = [row for row in found[payer_case.name] if row["case_id"] in with_items]
        return found

    async def said_due(self) -> list[ReminderDue]:
        return await self.said(ReminderDue)

    # What the other services say

    def tenant_configured(self, **facts: Any) -> TenantConfigured:
        return TenantConfigured(
            tenant_id=self.tenant, version=self.version(self.tenant), directory_version=1, name="Tenant", **facts
        )

    def entity_configured(self, **facts: Any) -> EntityConfigured:
        told: dict[str, Any] = {
            "mode": "live", "approvals": "policy", "run_in": "waived", "feed_required": False, "name": "Entity",
            "sender_name": "Entity", "sender_email": "relance@entity.test",
        } | facts  # fmt: skip
        return EntityConfigured(
            tenant_id=self.tenant,
            version=self.version(named("entity version", self.tenant)),
            directory_version=1,
            **({"entity_id": self.entity} | told),
        )

    def debtor_changed(
        self, name: str, payer: str | None = None, party: str | None = None, **facts: Any
    ) -> DebtorChanged:
        debtor = self.debtor(name)
        told: dict[str, Any] = {"entity_id": self.entity} | facts
        return DebtorChanged(
            tenant_id=self.tenant,
            version=self.version(debtor),
            debtor_id=debtor,
            external_id=name,
            name=name,
            party_id=named("party", self.tenant, party or name),
            payer_id=self.debtor(payer or name),
            **told,
        )

    def _invoice(  # noqa: PLR0917 - the words of an invoice in their order
        self, number: str, due: date, euros: int, debtor: str, payer: str | None, facts: dict[str, Any]
    ) -> dict[str, Any]:
        amount = Money(euros * 100, facts.pop("currency", "EUR"))
        told: dict[str, Any] = {"entity_id": self.entity} | facts
        return {
            "tenant_id": self.tenant,
            "version": self.version(self.invoice(number)),
            "invoice_id": self.invoice(number),
            "debtor_id": self.debtor(debtor),
            "payer_id": self.debtor(payer or debtor),
            "number": number,
            "issue_date": due - timedelta(days=30),
            "payable": amount,
            "instalments": [Instalment(item_id=self.item(number), sequence=1, due_date=due, amount=amount)],
            "due_source": "structured",
            **told,
        }

    def issued(
        self, number: str, due: date, euros: int = 500, debtor: str = "A", payer: str | None = None, **facts: Any
    ) -> InvoiceIssued:
        return InvoiceIssued(**self._invoice(number, due, euros, debtor, payer, facts))

    def amended(
        self, number: str, due: date, euros: int = 500, debtor: str = "A", payer: str | None = None, **facts: Any
    ) -> InvoiceAmended:
        return InvoiceAmended(**self._invoice(number, due, euros, debtor, payer, facts))

    def cancelled(self, number: str, debtor: str = "A") -> InvoiceCancelled:
        return InvoiceCancelled(
            tenant_id=self.tenant, version=self.version(self.invoice(number)), entity_id=self.entity,
            invoice_id=self.invoice(number), debtor_id=self.debtor(debtor), payer_id=self.debtor(debtor),
            item_ids=[self.item(number)],
        )  # fmt: skip

    def _money(self, name: str, euros: int, payer: str | None, unapplied: int) -> dict[str, Any]:
        payment = named("payment", self.tenant, name)
        return {
            "tenant_id": self.tenant, "version": self.version(payment), "entity_id": self.entity,
            "payment_id": payment, "payer_id": self.debtor(payer) if payer else None,
            "amount": Money(euros * 100, "EUR"), "value_date": self.clock.now().date(),
            "unapplied": Money(unapplied * 100, "EUR"),
        }  # fmt: skip

    def received(self, name: str, euros: int, payer: str | None = "A") -> PaymentReceived:
        return PaymentReceived(**self._money(name, euros, payer, euros))

    def matched(  # noqa: PLR0917 - the words of a payment in their order
        self, name: str, euros: int, number: str, left: int, payer: str = "A", unapplied: int = 0
    ) -> PaymentMatched:
        target = self.item(number)
        residual = Residual(
            item_id=target, invoice_id=self.invoice(number), residual=Money(left * 100, "EUR"),
            item_version=self.version(named("item version", target)),
        )  # fmt: skip
        given = Allocation(
            item_id=target, invoice_id=self.invoice(number), amount=Money((euros - unapplied) * 100, "EUR")
        )
        return PaymentMatched(
            **self._money(name, euros, payer, unapplied), how="auto", allocations=[given], residuals=[residual]
        )

    def _item(self, number: str, payer: str) -> dict[str, Any]:
        target = self.item(number)
        return {
            "tenant_id": self.tenant, "version": self.version(named("item version", target)), "entity_id": self.entity,
            "item_id": target, "invoice_id": self.invoice(number), "payer_id": self.debtor(payer),
        }  # fmt: skip

    def settled(self, number: str, payer: str = "A") -> InvoiceSettled:
        return InvoiceSettled(**self._item(number, payer), settled_on=self.clock.now().date(), by="payment")

    def reopened(self, number: str, euros: int = 500, payer: str = "A", reason: Any = "returned") -> InvoiceReopened:
        return InvoiceReopened(
            **self._item(number, payer), residual=Money(euros * 100, "EUR"), reason=reason, on=self.clock.now().date()
        )

    def feed(self, covered_to: date | None, **facts: Any) -> FeedAdvanced:
        account = named("account", self.tenant)
        told: dict[str, Any] = {"required": True} | facts
        return FeedAdvanced(
            tenant_id=self.tenant, version=self.version(account), entity_id=self.entity, bank_account_id=account,
            covered_to=covered_to, **told,
        )  # fmt: skip

    def _notice(self, due: ReminderDue) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant, "version": 1, "entity_id": due.entity_id, "case_id": due.case_id,
            "payer_id": due.payer_id, "party_id": due.party_id, "reminder_id": due.reminder_id,
            "notice_id": named("notice", due.reminder_id), "kind": due.kind,
            "covers": self.covers(due),
        }  # fmt: skip

    def covers(self, due: ReminderDue) -> list[Covered]:
        names = ("occurrence_id", "release", "item_id", "step_key", "tone", "completes")
        return [Covered(**{name: getattr(line, name) for name in names}) for line in due.lines]

    def sent(self, due: ReminderDue) -> ReminderSent:
        return ReminderSent(
            **self._notice(due), delivery_id=named("delivery", due.reminder_id), channel=due.channels[0],
            tone=due.tone, sent_at=self.clock.now(),
        )  # fmt: skip

    def stopped(self, due: ReminderDue, reason: str) -> ReminderStopped:
        return ReminderStopped(**self._notice(due), reason=reason)

    def failed(self, due: ReminderDue, reason: str = "no_recipient") -> ReminderFailed:
        return ReminderFailed(**self._notice(due), reason=reason)

    def proposed(self, due: ReminderDue) -> ReminderProposed:
        return ReminderProposed(**self._notice(due))

    def uncertain(self, due: ReminderDue) -> ReminderUncertain:
        return ReminderUncertain(**self._notice(due), delivery_id=named("delivery", due.reminder_id))

    def bounced(self, due: ReminderDue) -> ReminderBounced:
        return ReminderBounced(
            **self._notice(due), delivery_id=named("delivery", due.reminder_id), permanent=True, status="5.1.1"
        )

    def replied(self, payer: str = "A", message: str = "m") -> ReplyReceived:
        return ReplyReceived(
            tenant_id=self.tenant, version=1, entity_id=self.entity, case_id=self.case(payer),
            payer_id=self.debtor(payer), message_id=named("message", self.tenant, message),
        )  # fmt: skip

    def task_done(self, kind: Any = "reply", payer: str = "A", outcome: Any = "done", **facts: Any) -> TaskDone:
        return TaskDone(
            tenant_id=self.tenant, version=2, entity_id=self.entity, case_id=self.case(payer),
            payer_id=self.debtor(payer), task_id=named("task", self.tenant, kind), kind=kind, outcome=outcome,
            done_on=self.clock.now().date(), **facts,
        )  # fmt: skip

    # Time, and what the scheduler does in it

    def go_to(self, day: date, hour: int = 8) -> None:
        self.clock.at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)

    async def sweep(self) -> list[ReminderDue]:
        """Sweep until nothing of anybody is due, and say what was released for this tenant meanwhile."""
        before = {due.reminder_id for due in await self.said(ReminderDue)}
        sweep = Sweep(self.database, self.clock, self.policies)
        while (await sweep.once()).cases:
            pass
        return [due for due in await self.said(ReminderDue) if due.reminder_id not in before]

    async def day(self, day: date, hour: int = 8) -> list[ReminderDue]:
        self.go_to(day, hour)
        return await self.sweep()

    async def said(self, kind: type[Body]) -> list[Any]:
        """The events of a type that were recorded for this tenant, in order."""
        async with self.database.transaction() as db:
            rows = await db.execute(
                select(outbox.c.headers, outbox.c.body).where(outbox.c.tenant_id == self.tenant).order_by(outbox.c.seq)
            )
        types = [(orjson.loads(row.headers)["ce_type"].split(".")[1], row.body) for row in rows]
        return [TYPES[name].model_validate_json(body) for name, body in types if name == kind.__name__]

    async def rows(self, table: Any) -> list[dict[str, Any]]:
        async with self.database.transaction() as db:
            found = await db.execute(select(table).where(table.c.tenant_id == self.tenant).order_by(*table.primary_key))
            return [dict(row._mapping) for row in found]

    async def states(self) -> dict[tuple[str, str], str]:
        """(invoice number, step) → state of its last occurrence."""
        numbers = {row["item_id"]: row["number"] for row in await self.rows(item)}
        return {(numbers[row["item_id"]], row["step_key"]): row["state"] for row in await self.rows(occurrence)}

    async def next_at(self, payer: str = "A") -> datetime | None:
        found = [row for row in await self.rows(payer_case) if row["case_id"] == self.case(payer)]
        return found[0]["next_at"]
