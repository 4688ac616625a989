"""One tenant with one entity on a living stack: what its ERP, its bank, its people and its debtors do.

The business clock is the stack's and only goes forward; each test has its own tenant, so nothing else is shared.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.message import EmailMessage
from random import Random
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import holidays
import httpx

from libs.common import ids
from libs.common.clock import SharedClock
from libs.common.demo import letters, numbers
from libs.common.demo.bank import Transfer, statement
from libs.common.demo.office import MANAGER, TREASURER, Office, Source
from tests.support.living import Living

PARIS = ZoneInfo("Europe/Paris")
HOLIDAYS = holidays.country_holidays("FR")


@dataclass
class World:
    """The creditor's side of one small company, and a view of what its debtors got."""

    living: Living
    office: Office
    entity: UUID
    iban: str
    invoices: Source
    payments: Source
    account: UUID
    mark: str
    """In every address of this world, so that its mails are found."""
    seen: int = 0
    balance: int = 0
    statements: int = 0

    @classmethod
    async def open(cls, living: Living, *, feed_required: bool = False) -> "World":
        """A fresh tenant, its entity live, a bank account of ours effective, signed sources."""
        mark = uuid4().hex[:8]
        office = Office(living.settings)
        await office.open_tenant(f"World {mark}")
        entity = await office.open_entity(
            f"Société {mark}", sender_email=f"compta@{mark}.example", feed_required=feed_required
        )
        iban = numbers.iban(Random(mark))
        account = await office.open_account(entity, iban, f"Société {mark}", required=feed_required)
        world = cls(
            living,
            office,
            entity,
            iban,
            await office.add_source(entity, "erp", "invoices"),
            await office.add_source(entity, "bank", "payments"),
            account,
            mark,
        )
        await world.pass_days(4)
        return world

    # Time

    @property
    def clock(self) -> SharedClock:
        assert self.living.settings.clock_file is not None
        return SharedClock(self.living.settings.clock_file)

    @property
    def today(self) -> date:
        return self.clock.now().astimezone(PARIS).date()

    async def at(self, day: date, hour: int = 9, minute: int = 30) -> None:
        """Let what was said be heard, move the clock there, and wait until everything due by then has been done."""
        await self.office.settled()
        instant = datetime.combine(day, time(hour, minute), PARIS)
        assert instant >= self.clock.now() - timedelta(minutes=5), "the clock only goes forward"
        self.clock.move_to(instant.astimezone(UTC))
        await self.office.settled()

    async def pass_days(self, days: int) -> date:
        """The morning of the first working day at least so many days on."""
        day = working(self.today + timedelta(days=days))
        await self.at(day)
        return day

    # What happens

    async def debtor(self, name: str, *, payer: str | None = None, **facts: Any) -> UUID:
        """A debtor's file with one accounts contact."""
        body = self.file(name) | ({"payer": payer} if payer else {}) | facts
        await self.office.call("PUT", "invoice_ingest", f"/v1/debtors/{name}", json=body)
        return ids.debtor_id(self.office.tenant, self.entity, name)

    async def debtors(self, names: Iterable[str]) -> None:
        """Such a file for each of these, in one list."""
        files = [self.file(name) | {"external_id": name} for name in names]
        response = await self._listed("/v1/debtors/batch", files)
        assert response.json()["counts"] == {"created": len(files)}, response.text

    async def invoices_in_one(self, bodies: Iterable[Mapping[str, Any]]) -> list[UUID]:
        """Canonical invoices in one list, every one of them new; their ids in order."""
        response = await self.list_of_invoices(bodies)
        told = response.json()
        assert set(told["counts"]) == {"created"}, response.text
        return [UUID(line["id"]) for line in told["results"]]

    async def list_of_invoices(self, bodies: Iterable[Mapping[str, Any]]) -> httpx.Response:
        """Canonical invoices in one list, as our ERP's source tells them; the raw answer."""
        ours = {"entity_id": str(self.entity), "source": self.invoices.path.rpartition("/")[2]}
        return await self._listed("/v1/invoices/batch", [{**body, **ours} for body in bodies])

    async def _listed(self, path: str, lines: Iterable[Mapping[str, Any]]) -> httpx.Response:
        raw = "".join(json.dumps(line) + "\n" for line in lines).encode()
        headers = {"content-type": "application/x-ndjson"}
        return await self.office.ask("POST", "invoice_ingest", path, content=raw, headers=headers)

    def file(self, name: str) -> dict[str, Any]:
        """A debtor's file as its ERP tells it."""
        contact = {"name": f"Compta {name}", "email": self.address(name), "roles": ["accounts_payable"]}
        return {"entity_id": str(self.entity), "name": f"{name} SARL", "contacts": [contact]}

    def address(self, name: str) -> str:
        return f"{name.lower()}@{self.mark}.client.example"

    def body(self, number: str, debtor: str, due: date, amount: str = "1200.00", **facts: Any) -> dict[str, Any]:
        """A canonical invoice."""
        issued = facts.pop("issued", due - timedelta(days=30))
        return {
            "external_id": number,
            "number": number,
            "issue_date": issued.isoformat(),
            "due_date": due.isoformat(),
            "currency": "EUR",
            "totals": {"gross": {"amount": amount, "currency": "EUR"}},
            "debtor": {"external_id": debtor},
            **facts,
        }

    async def invoice(self, number: str, debtor: str, due: date, amount: str = "1200.00", **facts: Any) -> UUID:
        """An invoice by signed webhook; its id."""
        response = await self.office.signed(self.invoices, self.body(number, debtor, due, amount, **facts))
        assert response.status_code in (200, 201), response.text
        return UUID(response.json()["id"])

    async def pay(self, amount: str, text: str, *, payer: str | None = None, **facts: Any) -> dict[str, Any]:
        """Money told by the API."""
        body = {
            "entity_id": str(self.entity),
            "external_id": f"P-{uuid4().hex[:12]}",
            "amount": {"amount": amount, "currency": "EUR"},
            "value_date": self.today.isoformat(),
            "payer_name": f"{payer} SARL" if payer else "INCONNU",
            "remittance": text,
            **facts,
        }
        found: dict[str, Any] = await self.office.post("payment_matching", "/v1/payments", body, by=TREASURER)
        return found

    async def reverse(self, payment: str, code: str) -> None:
        """The bank takes a payment back."""
        body = {"code": code, "on": self.today.isoformat()}
        await self.office.post("payment_matching", f"/v1/payments/{payment}/reverse", body, by=TREASURER)

    async def promise(self, call: dict[str, Any], by: date, amount: str) -> None:
        """The call ends with a promise: its outcome, then the promise itself."""
        await self.office.post("notifier", f"/v1/tasks/{call['task_id']}/outcome", {"outcome": "promise"})
        body = {
            "case_id": call["case_id"],
            "amount": {"amount": amount, "currency": "EUR"},
            "promised_for": by.isoformat(),
        }
        await self.office.post("scheduler", "/v1/promises", body)
        await self.office.settled()

    async def promises(self) -> list[dict[str, Any]]:
        return list((await self.office.get("scheduler", "/v1/promises"))["items"])

    async def bounce(self, mail: EmailMessage) -> None:
        await self._inbound(letters.bounce(mail, mail["To"].addresses[0].addr_spec))

    async def reply(self, mail: EmailMessage, text: str) -> None:
        await self._inbound(letters.answer(mail, mail["To"].addresses[0].addr_spec, text))

    async def absence(self, mail: EmailMessage) -> None:
        await self._inbound(letters.absence(mail, mail["To"].addresses[0].addr_spec))

    async def _inbound(self, raw: bytes) -> None:
        headers = {"content-type": "message/rfc822"}
        await self.office.call("POST", "notifier", "/v1/inbound/mail", content=raw, headers=headers)

    async def bank_day(self, day: date, transfers: Sequence[Transfer] = ()) -> dict[str, Any]:
        """The bank's statement of one day, uploaded."""
        self.statements += 1
        raw = statement(self.iban, day, self.statements, self.balance, transfers)
        self.balance += sum(-one.amount if one.returned else one.amount for one in transfers)
        return await self.upload(raw)

    async def upload(self, raw: bytes) -> dict[str, Any]:
        """A bank file as it is."""
        headers = {"content-type": "application/xml"}
        found: dict[str, Any] = await self.office.call(
            "POST", "payment_matching", "/v1/statements", by=TREASURER, content=raw, headers=headers
        )
        return found

    # What is seen from outside

    def mails(self) -> list[EmailMessage]:
        """Every mail that this world's debtors got, in order."""
        mine = [one for one in self.living.mailbox.all() if any(self.mark in to for to in one.recipients)]
        return [self.living.mailbox.message(one.number) for one in mine]

    def new_mails(self) -> list[EmailMessage]:
        """Those that came since the last look."""
        found = self.mails()[self.seen :]
        self.seen += len(found)
        return found

    async def item(self, invoice: UUID) -> dict[str, Any]:
        """The one open item of an invoice, as payment_matching knows it."""
        path = f"/v1/open-items/{ids.item_id(invoice, 1)}"
        found: dict[str, Any] = await self.office.get("payment_matching", path)
        return found

    async def explain(self, invoice: UUID) -> dict[str, Any]:
        found: dict[str, Any] = await self.office.get("scheduler", f"/v1/items/{ids.item_id(invoice, 1)}/explain")
        return found

    async def approve_all(self) -> int:
        """Approve, one by one, whatever waits for one person."""
        listed = await self.office.get("notifier", "/v1/notices", params={"state": "proposed"})
        for notice in listed["notices"]:
            body = {"ids": [notice["id"]], "as_of": listed["as_of"], "count": 1, "sums": notice["sums"]}
            await self.office.post("notifier", "/v1/notices/approve", body, by=MANAGER)
        return len(listed["notices"])


def text_of(mail: EmailMessage) -> str:
    """The plain words of a mail, with no-break spaces made plain."""
    body = mail.get_body(("plain",))
    assert body is not None
    return re.sub(r"[\u00a0\u202f]", " ", str(body.get_content()))


def is_thanks(mail: EmailMessage) -> bool:
    """Whether it thanks for a payment: it asks for nothing and may leave after the money came."""
    return "n'appelle aucune action" in text_of(mail)


def working(day: date) -> date:
    """The day itself, or the next that is neither a week-end nor a French holiday."""
    while day.weekday() >= 5 or day in HOLIDAYS:
        day += timedelta(days=1)
    return day


def morning(due: date, days: int) -> datetime:
    """When the reminder that follows so many days after the due date may leave."""
    return datetime.combine(working(due + timedelta(days=days)), time(9, 30), PARIS).astimezone(UTC)


def last_banking_day_before(day: date) -> date:
    """The last day before on which TARGET2 was open."""
    closed = holidays.financial_holidays("XECB", years={day.year - 1, day.year})
    day -= timedelta(days=1)
    while day.weekday() >= 5 or day in closed:
        day -= timedelta(days=1)
    return day
