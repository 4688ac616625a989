"""A believable history of events for one tenant, drawn from a seed: what the read model has to make sense of."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from libs.common import ids
from libs.common.events import Event, event
from libs.common.events.debtors import Contact, DebtorChanged
from libs.common.events.deliveries import Covered, ReminderProposed, ReminderSent
from libs.common.events.invoices import Instalment, InvoiceAmended, InvoiceCancelled, InvoiceIssued
from libs.common.events.payments import (
    Allocation,
    InvoiceReopened,
    InvoiceSettled,
    PaymentMatched,
    PaymentReceived,
    PaymentUnmatched,
    Residual,
)
from libs.common.events.reminders import (
    DisputeOpened,
    HoldLifted,
    HoldPlaced,
    Line,
    PromiseBroken,
    PromiseMade,
    ReminderDue,
)
from libs.common.money import Money

START = datetime(2026, 9, 1, 8, tzinfo=UTC)


@dataclass
class History:
    """Builds events as the services would: versions rise, residuals follow from allocations."""

    tenant: UUID
    dice: random.Random
    entity: UUID = field(init=False)
    events: list[Event] = field(default_factory=list)
    items: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    invoices: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    at: datetime = START

    def __post_init__(self) -> None:
        self.entity = ids.named("entity", self.tenant)

    def say(self, body: Any) -> None:
        self.at += timedelta(hours=self.dice.randrange(1, 12))
        self.events.append(event(body, self.at, known_as=ids.named(self.tenant, len(self.events))))

    def debtor(self, number: int) -> UUID:
        identity = ids.debtor_id(self.tenant, self.entity, f"C{number:06}")
        self.say(
            DebtorChanged(
                tenant_id=self.tenant,
                version=1,
                entity_id=self.entity,
                debtor_id=identity,
                external_id=f"C{number:06}",
                name=f"Maison {number}",
                party_id=ids.named("party", identity),
                payer_id=identity,
                contacts=[Contact(contact_id=ids.named("contact", identity, each), name="Mme Aubry") for each in "ab"],
            )
        )
        return identity

    def invoice(self, debtor: UUID, number: str, minor: int, parts: int = 1) -> UUID:
        identity = ids.invoice_id(self.tenant, self.entity, "invoice", number, 2026)
        facts = {"debtor": debtor, "number": number, "version": 1, "minor": minor, "parts": parts, "cancelled": False}
        self.invoices[identity] = facts
        self.say(self._body(InvoiceIssued, identity))
        return identity

    def _body(self, kind: Any, identity: UUID) -> Any:
        facts = self.invoices[identity]
        issued = self.at.date()
        facts.setdefault("issued", issued)
        share, rest = divmod(facts["minor"], facts["parts"])
        lines = []
        for sequence in range(1, facts["parts"] + 1):
            item = ids.item_id(identity, sequence)
            amount = share + (rest if sequence == 1 else 0)
            due = facts["issued"] + timedelta(days=30 * sequence)
            known = self.items.setdefault(item, {"version": 0, "paid": 0, "invoice": identity})
            known |= {"amount": amount, "due": due, "gone": False}
            lines.append(Instalment(item_id=item, sequence=sequence, due_date=due, amount=Money(amount, "EUR")))
        for item, known in self.items.items():
            if known["invoice"] == identity and item not in {line.item_id for line in lines}:
                known["gone"] = True
        return kind(
            tenant_id=self.tenant,
            version=facts["version"],
            entity_id=self.entity,
            invoice_id=identity,
            debtor_id=facts["debtor"],
            payer_id=facts["debtor"],
            number=facts["number"],
            issue_date=facts["issued"],
            payable=Money(facts["minor"], "EUR"),
            instalments=lines,
            due_source="structured",
        )

    def amend(self, identity: UUID, *, parts: int) -> None:
        facts = self.invoices[identity]
        facts["version"] += 1
        facts["parts"] = parts
        self.say(self._body(InvoiceAmended, identity))

    def cancel(self, identity: UUID) -> None:
        facts = self.invoices[identity]
        facts["version"] += 1
        facts["cancelled"] = True
        mine = [item for item, known in self.items.items() if known["invoice"] == identity]
        for item in mine:
            self.items[item]["gone"] = True
        base = {"entity_id": self.entity, "debtor_id": facts["debtor"], "payer_id": facts["debtor"]}
        self.say(
            InvoiceCancelled(
                tenant_id=self.tenant, version=facts["version"], invoice_id=identity, item_ids=mine, **base
            )
        )

    def _residual(self, item: UUID) -> Residual:
        known = self.items[item]
        known["version"] += 1
        left = Money(known["amount"] - known["paid"], "EUR")
        return Residual(item_id=item, invoice_id=known["invoice"], residual=left, item_version=known["version"])

    def pay(self, item: UUID, minor: int, *, undo: bool = False) -> None:
        known = self.items[item]
        payer = self.invoices[known["invoice"]]["debtor"]
        base = {
            "tenant_id": self.tenant,
            "entity_id": self.entity,
            "payment_id": ids.named("payment", self.tenant, len(self.events)),
            "payer_id": payer,
            "amount": Money(minor, "EUR"),
            "value_date": self.at.date(),
        }
        self.say(PaymentReceived(version=1, unapplied=Money(minor, "EUR"), **base))
        known["paid"] += minor
        told = [Allocation(item_id=item, invoice_id=known["invoice"], amount=Money(minor, "EUR"))]
        residual = self._residual(item)
        nothing = Money(0, "EUR")
        matched = {"how": "auto", "allocations": told, "residuals": [residual], "unapplied": nothing}
        self.say(PaymentMatched(version=2, **base, **matched))
        about = {"item_id": item, "invoice_id": known["invoice"], "payer_id": payer, "entity_id": self.entity}
        if not residual.residual:
            settled = {"settled_on": self.at.date(), "by": "payment"}
            self.say(InvoiceSettled(tenant_id=self.tenant, version=residual.item_version, **about, **settled))
        if undo:
            known["paid"] -= minor
            residual = self._residual(item)
            taken = {"how": "person", "residuals": [residual], "unapplied": Money(minor, "EUR")}
            self.say(PaymentUnmatched(version=3, **base, **taken))
            again = {"residual": residual.residual, "reason": "unallocated", "on": self.at.date()}
            self.say(InvoiceReopened(tenant_id=self.tenant, version=residual.item_version, **about, **again))

    def follow_up(self, item: UUID) -> None:
        known = self.items[item]
        payer = self.invoices[known["invoice"]]["debtor"]
        case = {"tenant_id": self.tenant, "entity_id": self.entity, "case_id": ids.named("case", payer)}
        case["payer_id"] = payer
        reminder = ids.named("reminder", item, len(self.events))
        covers = [Covered(occurrence_id=ids.named("o", item), release=1, item_id=item, step_key="r1", tone=2)]
        self.say(self._due(case, item, reminder))
        notice = {"party_id": payer, "reminder_id": reminder, "notice_id": ids.named("n", reminder), "covers": covers}
        self.say(ReminderProposed(version=1, kind="reminder", **case, **notice))
        if self.dice.random() < 0.5:
            return
        sent = {"delivery_id": ids.named("d", reminder), "channel": "email", "tone": 2, "sent_at": self.at}
        self.say(ReminderSent(version=2, kind="reminder", **case, **notice, **sent))
        promise = ids.named("promise", item, len(self.events))
        owed = Money(known["amount"], "EUR")
        when = {"promised_for": self.at.date() + timedelta(days=7)}
        self.say(PromiseMade(version=1, promise_id=promise, amount=owed, **case, **when))
        hold = {"hold_id": ids.named("hold", promise), "scope": "case", "scope_id": case["case_id"], "kind": "promise"}
        about = {"tenant_id": self.tenant, "entity_id": self.entity, "payer_id": payer}
        self.say(HoldPlaced(version=1, review_on=when["promised_for"], **hold, **about))
        self.say(PromiseBroken(version=2, promise_id=promise, **case))
        self.say(HoldLifted(version=2, reason="broken", **hold, **about))
        dispute = {"dispute_id": ids.named("dispute", item), "item_id": item, "amount": owed, "reason": "quantity"}
        self.say(DisputeOpened(version=1, **case, **dispute))

    def _due(self, case: dict[str, Any], item: UUID, reminder: UUID) -> ReminderDue:
        known = self.items[item]
        facts = self.invoices[known["invoice"]]
        owed = Money(known["amount"], "EUR")
        line = Line(
            occurrence_id=ids.named("o", item),
            release=1,
            item_id=item,
            item_version=0,
            invoice_id=known["invoice"],
            invoice_version=facts["version"],
            debtor_id=facts["debtor"],
            number=facts["number"],
            issue_date=facts["issued"],
            due_date=known["due"],
            amount=owed,
            residual=owed,
            step_key="r1",
            tone=2,
        )
        return ReminderDue(
            version=1,
            reminder_id=reminder,
            policy_version_id=ids.named("policy"),
            kind="reminder",
            step_key="r1",
            tone=2,
            anchor_item_id=item,
            lines=[line, line],
            channels=["email"],
            audience=["accounts_payable"],
            template="reminder",
            language="fr",
            approval="confirm",
            window_ends_at=self.at,
            party_id=case["payer_id"],
            **case,
        )

    def owed(self, day: date | None = None) -> int:
        """What is owed now, in all or of what was due before a day."""
        return sum(
            known["amount"] - known["paid"]
            for known in self.items.values()
            if not known["gone"] and (day is None or known["due"] < day)
        )


def played(tenant: UUID, seed: int, debtors: int = 3, invoices: int = 12) -> History:
    """A history in which everything happens that the ledger knows."""
    dice = random.Random(seed)
    history = History(tenant, dice)
    accounts = [history.debtor(number) for number in range(debtors)]
    for number in range(invoices):
        identity = history.invoice(
            dice.choice(accounts), f"F{number:05}", dice.randrange(1_000, 900_000), parts=dice.choice([1, 1, 2, 3])
        )
        if dice.random() < 0.3:
            history.amend(identity, parts=dice.choice([1, 2]))
        item = ids.item_id(identity, 1)
        if dice.random() < 0.5:
            whole = history.items[item]["amount"]
            history.pay(item, dice.choice([whole, whole // 2]), undo=dice.random() < 0.3)
        elif dice.random() < 0.3:
            history.cancel(identity)
        if dice.random() < 0.3:
            history.follow_up(item)
    return history


def interleaved(history: History, dice: random.Random) -> Iterator[Event]:
    """The same events as another run of the consumers could hear them: each key in order, keys and topics mixed."""
    lanes: dict[tuple[str, str], list[Event]] = {}
    for one in history.events:
        lanes.setdefault((one.body.topic, one.key), []).append(one)
    while lanes:
        lane = dice.choice(sorted(lanes))
        yield lanes[lane].pop(0)
        if not lanes[lane]:
            del lanes[lane]
