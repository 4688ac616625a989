"""Sixty days of the company's life, each played through the real services on the movable clock.

A day: the ERP posts its invoices and the bank its statements; people approve what waits since yesterday, call, and
match what the machine left open; at half past nine what is due and what was approved leaves, and customers read their
mails. Before people come and before customers read, the play waits until those who decide have heard all that was said;
the console, which only shows, may be late until the last day.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import holidays

from libs.common import ids
from libs.common.clock import SharedClock
from libs.common.demo import bank, deskwork, lending, letters, observing, wire
from libs.common.demo.company import Company, Group, Sale
from libs.common.demo.customers import NUMBER, Customers
from libs.common.demo.office import COLLECTOR, MANAGER, TREASURER, Office, Person
from libs.common.demo.stage import Stage
from libs.common.devstack.mailbox import Mailbox
from libs.common.money import Money, from_wire, totals

PARIS = ZoneInfo("Europe/Paris")
SECOND = Person("laurent.joly", ("manager",))
DISPUTE_DAYS = 12
LEFT = 2
"""Working days at the end on which nobody comes: what they and the day before bring is left on the desk."""
ODD = 4
"""Working days at the end on which some transfers say little."""
PATIENCE = 180
"""Seconds that a step may take: longer than the claim of a delivery whose permit a busy machine answered too late."""
DECIDERS = ("invoice_ingest", "payment_matching", "scheduler", "notifier")
PLAIN = 0.9  # the share of the likeliest suggestion from which a treasurer confirms without asking


@dataclass
class Play:
    """The stage, the people on it, and what happened so far in figures."""

    office: Office
    stage: Stage
    group: Group
    clock: SharedClock
    mailbox: Mailbox
    customers: Customers
    happened: Counter[str] = field(default_factory=Counter)
    balances: Counter[str] = field(default_factory=Counter)
    sequence: int = 0
    read: int = 0
    disputes: dict[str, UUID] = field(default_factory=dict)
    looked_at: set[str] = field(default_factory=set)

    async def run(self, sales: Sequence[Sale], start: date, end: date, tell: Callable[[str], None]) -> None:
        """Play every working day from `start` to `end`, both included."""
        closed = holidays.country_holidays("FR", years={start.year, end.year})
        days = [start + timedelta(days=offset) for offset in range((end - start).days + 1)]
        working = [day for day in days if day.weekday() < 5 and day not in closed]
        for day in working:
            tell(f"{day:%d/%m} · {self._line()}")
            self.customers.odd = day in working[-ODD:]
            await self._day(day, [sale for sale in sales if sale.issued == day], staffed=day not in working[-LEFT:])
        left = [sale for number, sale in self.customers.open.items() if number not in self.customers.silent]
        await deskwork.at_the_end(self.office, left, working[-1])
        await lending.at_the_end(self.office, self.stage, self.group, working[-1])
        await observing.at_the_end(self.office, self.stage, start, working[-1])
        await self.office.settled(PATIENCE)

    def _line(self) -> str:
        return " · ".join(f"{count:,} {what}" for what, count in self.happened.most_common(4))

    async def _day(self, day: date, sold: Sequence[Sale], *, staffed: bool) -> None:
        """On a day that is not staffed nothing is approved, called or matched: it waits for whoever opens the demo.
        People do all of it before the sending hours, so one wait is enough for what they and the clock set off."""
        self._at(day, time(7, 30))
        await asyncio.gather(self._sell(sold), self._bank(day))
        await self.office.settled(PATIENCE, DECIDERS)
        self._at(day, time(8, 45))
        if staffed:
            await self._approve()
            await self._calls(day)
            await self._confirm()
        await self._end_disputes(day)
        self._at(day, time(9, 30))
        await self.office.settled(PATIENCE, DECIDERS)
        await self._read(day)

    def _at(self, day: date, hour: time) -> None:
        self.clock.move_to(datetime.combine(day, hour, PARIS).astimezone(UTC))

    async def _sell(self, sold: Sequence[Sale]) -> None:
        await asyncio.gather(*(self._sold(sale) for sale in sold))
        self.customers.receive(sold)
        self.happened["invoices taken"] += len(sold)

    async def _sold(self, sale: Sale) -> None:
        body = wire.invoice(sale, self.stage.entities[sale.entity])
        (await self.office.signed(self.stage.sources[sale.entity], body)).raise_for_status()

    async def _bank(self, day: date) -> None:
        """Yesterday's bookings, as the bank tells them before breakfast."""
        self.sequence += 1
        booked = self.customers.transfers(day)
        day_booked = _banking_day_before(day)
        told = [(company, booked.get(company.code, [])) for company in self.group.companies]
        await asyncio.gather(*(self._statement(company, day_booked, transfers) for company, transfers in told))

    async def _statement(self, company: Company, day: date, transfers: Sequence[bank.Transfer]) -> None:
        raw = bank.statement(company.iban, day, self.sequence, self.balances[company.code], transfers)
        self.balances[company.code] += sum(one.amount for one in transfers)
        self.happened["bank transfers"] += len(transfers)
        headers = {"content-type": "application/xml"}
        await self.office.call("POST", "payment_matching", "/v1/statements", by=TREASURER, content=raw, headers=headers)

    async def _confirm(self) -> None:
        """The treasurer looks at what the machine left open, and confirms what is plain; the rest stays on the desk."""
        listed = await self.office.get("payment_matching", "/v1/payments", params={"state": "unmatched", "limit": 100})
        for payment in listed["payments"]:
            path = f"/v1/payments/{payment['payment_id']}"
            found = (await self.office.get("payment_matching", f"{path}/suggestions"))["suggestions"]
            if not found or found[0]["share"] < PLAIN or payment["payment_id"] in self.looked_at:
                self.looked_at.add(payment["payment_id"])
                continue
            lines = [{"item_id": item["item_id"], "amount": item["amount"]} for item in found[0]["items"]]
            await self.office.post("payment_matching", f"{path}/allocations", {"allocations": lines}, by=TREASURER)
            self.happened["matches confirmed"] += 1

    async def _approve(self) -> None:
        """What waits is read and approved: formal notices one by one and by a second person, the rest at once."""
        listed = await self.office.get("notifier", "/v1/notices", params={"state": "proposed", "limit": 200})
        formal = [[notice] for notice in listed["notices"] if notice["kind"] == "formal_notice"]
        others = [notice for notice in listed["notices"] if notice["kind"] != "formal_notice"]
        for notices in [others, *formal] if others else formal:
            sums = totals(from_wire(amount) for notice in notices for amount in notice["sums"])
            body = {"ids": [notice["id"] for notice in notices], "as_of": listed["as_of"], "count": len(notices)}
            body["sums"] = [amount.wire() for amount in sums.values()]
            answer = await self.office.post("notifier", "/v1/notices/approve", body, by=MANAGER)
            if answer["awaiting_second"]:
                await self.office.ask("POST", "notifier", "/v1/notices/approve", by=SECOND, json=body)
            self.happened["notices approved"] += len(notices)

    async def _calls(self, day: date) -> None:
        """Each open call is made: a promise, or nobody answers."""
        listed = await self.office.get("notifier", "/v1/tasks", params={"state": "open", "limit": 200})
        await asyncio.gather(*(self._deal_with(task, day) for task in listed["tasks"]))

    async def _deal_with(self, task: dict[str, Any], day: date) -> None:
        if task["kind"] in ("call", "visit"):
            await self._call(task, day)
        elif task["kind"] in ("reply", "internal_notice", "hand_over", "post", "presentation"):
            await self._done(task, "done")

    async def _call(self, task: dict[str, Any], day: date) -> None:
        numbers = list(dict.fromkeys(NUMBER.findall(task["body"])))
        open_ = [self.customers.open[number] for number in numbers if number in self.customers.open]
        promised = self.customers.answer_call(numbers, day)
        self.happened["calls made"] += 1
        if promised is None:
            await self._done(task, "no_answer")
            return
        await self._done(task, "promise")
        amount = Money(sum(sale.gross for sale in open_), "EUR").wire()
        body = {"case_id": task["case_id"], "amount": amount, "promised_for": promised.isoformat()}
        await self.office.post("scheduler", "/v1/promises", body, by=COLLECTOR)
        self.happened["promises made"] += 1

    async def _done(self, task: dict[str, Any], outcome: str) -> None:
        await self.office.post("notifier", f"/v1/tasks/{task['task_id']}/outcome", {"outcome": outcome}, by=COLLECTOR)

    async def _read(self, day: date) -> None:
        """The customers read their mails; addresses that are none bounce, a few answer."""
        for caught in self.mailbox.all():
            if caught.number <= self.read:
                continue
            self.read = caught.number
            mail = self.mailbox.message(caught.number)
            recipient = caught.recipients[0]
            self.happened["mails sent"] += 1
            if self._bounces(recipient):
                await self._inbound(letters.bounce(mail, recipient))
                self.happened["mails bounced"] += 1
                continue
            for answer in self.customers.read_mail(mail, day):
                await self._inbound(letters.answer(mail, recipient, answer.text))
                self.happened["replies"] += 1
                if answer.contested:
                    await self._dispute(answer.number)

    def _bounces(self, recipient: str) -> bool:
        host = recipient.rpartition("@")[2].split(".")[0].upper()
        known = self.group.customers.get(host)
        return known is not None and any(one.email == recipient and not one.answers for one in known.people)

    async def _inbound(self, raw: bytes) -> None:
        headers = {"content-type": "message/rfc822"}
        await self.office.call("POST", "notifier", "/v1/inbound/mail", content=raw, headers=headers)

    async def _dispute(self, number: str) -> None:
        item = ids.item_id(self._invoice_id(self.customers.open[number]), 1)
        made = await self.office.post(
            "scheduler", "/v1/disputes", {"item_id": str(item), "reason": "quality"}, by=COLLECTOR
        )
        self.disputes[number] = UUID(made["dispute_id"])
        self.happened["disputes"] += 1

    def _invoice_id(self, sale: Sale) -> UUID:
        entity = self.stage.entities[sale.entity]
        return ids.invoice_id(self.stage.tenant, entity, "invoice", sale.number, sale.issued.year)

    async def _end_disputes(self, day: date) -> None:
        """After twelve days a dispute ends: half are upheld and credited, half rejected and then paid."""
        for number, dispute in list(self.disputes.items()):
            if (day - self.customers.disputed[number]).days < DISPUTE_DAYS or number not in self.customers.open:
                continue
            del self.disputes[number]
            upheld = self.customers.fate(number).kept
            await self._resolve(number, dispute, "upheld" if upheld else "rejected", day)

    async def _resolve(self, number: str, dispute: UUID, outcome: str, day: date) -> None:
        await self.office.post("scheduler", f"/v1/disputes/{dispute}/resolve", {"outcome": outcome})
        if outcome == "rejected":
            self.customers.pays_on[number] = day + timedelta(days=4)
            return
        sale = self.customers.open[number]
        note = wire.invoice(sale, self.stage.entities[sale.entity]) | {
            "kind": "credit_note",
            "number": f"AV-{number}",
            "external_id": f"AV-{number}",
            "issue_date": day.isoformat(),
        }
        note |= {"references": {"preceding": [{"number": number}]}}
        del note["due_date"], note["take_over"]
        await self.office.post("invoice_ingest", "/v1/credit-notes", note, by=TREASURER)
        self.customers.close(number)
        self.happened["credit notes"] += 1


def _banking_day_before(day: date) -> date:
    target = holidays.financial_holidays("XECB", years={day.year - 1, day.year})
    day -= timedelta(days=1)
    while day.weekday() >= 5 or day in target:
        day -= timedelta(days=1)
    return day
