"""A company whose ERP and bank tell by signed webhooks and lists and do not give up: the load of the kill tests."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import httpx

from libs.common.demo.office import Source
from tests.support import eventually
from tests.support.living import Living
from tests.support.world import World
from tests.torture.evidence import Record

AT_ONCE = 12
PATIENCE = 90.0
LIST_OF = 50
"""Invoices in one list."""


@dataclass(frozen=True)
class Told:
    """An invoice as its ERP told it."""

    number: str
    debtor: str
    due: date
    amount: Decimal


@dataclass
class Company:
    """What was told, and what was answered when."""

    world: World
    dice: Random
    created: dict[UUID, str] = field(default_factory=dict)
    """Invoice → its number, as the first 2xx said."""
    told: list[Told] = field(default_factory=list)
    paid: dict[str, datetime] = field(default_factory=dict)
    """Number → the machine's clock right after the 2xx of the payment that settled it."""
    named: set[str] = field(default_factory=set)
    """The webhook-ids of invoices."""
    retried: int = 0

    async def invoices(self, count: int, debtors: Sequence[str], due: date) -> list[Told]:
        """Tell so many new invoices, spread over these debtors: half one by one, half in lists, until each is taken."""
        fresh = []
        for _ in range(count):
            number = f"K{len(self.told):05d}"
            amount = Decimal(self.dice.randrange(10_000, 90_000)) / 100
            fresh.append(Told(number, debtors[len(self.told) % len(debtors)], due, amount))
            self.told.append(fresh[-1])
        room = asyncio.Semaphore(AT_ONCE)
        alone, listed = fresh[: count // 2], fresh[count // 2 :]
        lists = [listed[start : start + LIST_OF] for start in range(0, len(listed), LIST_OF)]
        await asyncio.gather(
            *(self._invoice(one, room) for one in alone), *(self._invoices(some, room) for some in lists)
        )
        return fresh

    async def payments(self, wanted: Sequence[Told]) -> None:
        """Pay these invoices in full, until each payment has its 2xx."""
        room = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._payment(one, room) for one in wanted))

    async def echoes(self, among: Sequence[Told]) -> Counter[int]:
        """Each of these told again by webhook, twice at once as it was and once with another amount; the statuses."""
        alone = [one for one in among if f"inv-{one.number}" in self.named]
        answers = await asyncio.gather(*(self._echo(one) for one in alone))
        return Counter(response.status_code for each in answers for response in each)

    async def _echo(self, one: Told) -> list[httpx.Response]:
        name, office = f"inv-{one.number}", self.world.office
        same = self.world.body(one.number, one.debtor, one.due, str(one.amount))
        other = same | {"totals": {"gross": {"amount": str(one.amount + 1), "currency": "EUR"}}}

        async def taken(body: dict[str, Any]) -> httpx.Response:
            return await self._until_answered(lambda: office.signed(self.world.invoices, body, webhook_id=name))

        return list(await asyncio.gather(taken(same), taken(other), taken(same)))

    def third(self, among: Sequence[Told]) -> list[Told]:
        """A random third."""
        return self.dice.sample(list(among), len(among) // 3)

    async def _invoice(self, one: Told, room: asyncio.Semaphore) -> None:
        body = self.world.body(one.number, one.debtor, one.due, str(one.amount))
        name = f"inv-{one.number}"
        self.named.add(name)
        async with room:
            answer = await self._until_taken(self.world.invoices, body, name)
        self.created[UUID(answer["id"])] = one.number

    async def _payment(self, one: Told, room: asyncio.Semaphore) -> None:
        body = {
            "external_id": f"PAY-{one.number}",
            "amount": {"amount": str(one.amount), "currency": "EUR"},
            "value_date": self.world.today.isoformat(),
            "payer_name": f"{one.debtor} SARL",
            "remittance": f"VIREMENT {one.number}",
        }
        async with room:
            await self._until_taken(self.world.payments, body, f"pay-{one.number}")
        self.paid[one.number] = datetime.now(UTC)

    async def _invoices(self, some: Sequence[Told], room: asyncio.Semaphore) -> None:
        bodies = [self.world.body(one.number, one.debtor, one.due, str(one.amount)) for one in some]
        async with room:
            response = await self._until_good(lambda: self.world.list_of_invoices(bodies))
        for one, line in zip(some, response["results"], strict=True):
            assert line["result"] in ("created", "unchanged"), line
            self.created[UUID(line["id"])] = one.number

    async def _until_taken(self, source: Source, body: dict[str, Any], name: str) -> dict[str, Any]:
        """The answer of the first 2xx; until then the same message with the same webhook-id, again and again."""
        return await self._until_good(lambda: self.world.office.signed(source, body, webhook_id=name))

    async def _until_good(self, ask: Callable[[], Awaitable[httpx.Response]]) -> dict[str, Any]:
        """The JSON of the first answer, which must be good."""
        response = await self._until_answered(ask)
        assert response.is_success, f"{response.status_code}: {response.text}"
        found: dict[str, Any] = response.json()
        return found

    async def _until_answered(self, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        """The first answer that is not "later"."""

        async def once() -> httpx.Response | None:
            try:
                response = await ask()
            except httpx.TransportError:
                response = None
            if response is None or response.status_code in (429, 503, 504):
                self.retried += 1
                return None
            return response

        return await eventually(once, PATIENCE, every=0.3)


@dataclass
class Story:
    """What happened to a company, and what its topics say of it, for the facts that follow."""

    company: Company
    records: list[Record] = field(default_factory=list)

    @property
    def world(self) -> World:
        return self.company.world

    @property
    def stack(self) -> Living:
        return self.world.living
