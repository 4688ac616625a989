"""What the dispatcher talks to, played: the database, the owner of the money, the mail server. Each may fail.

A transaction takes place whole or not at all, one after another; whoever is cut off at the commit does not know which.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from libs.common import permits
from libs.common.errors import Unavailable
from libs.common.money import Money
from libs.common.permits import Answer, Ask, Permit
from services.notifier.channels.smtp import Outcome, Stopped
from services.notifier.dispatch.job import Job
from services.notifier.store.deliveries import Claim
from tests.simulation.machine import Machine
from tests.simulation.tables import TENANT, Row, Session

FINAL_SECONDS = 20.0
"""As long as an answer after the dot is awaited here."""


@dataclass
class Faults:
    """How likely each thing fails, until all is healed."""

    machine: Machine
    rate: float

    def strike(self, share: float = 1.0) -> bool:
        return self.machine.dice.random() < self.rate * share

    def heal(self) -> None:
        self.rate = 0.0

    async def way(self) -> None:
        """Over a network that is slow at times, now and then longer than a lease lasts."""
        dice = self.machine.dice
        await asyncio.sleep(dice.random() * (4.0 if self.strike(1.5) else 0.02))


@dataclass
class Database:
    """Rows that change by whole transactions. `open_` makes what a transaction works on, of copies."""

    faults: Faults
    rows: dict[Any, Any]
    open_: Callable[[dict[Any, Any], float], Any]
    _holder: Any = None

    @asynccontextmanager
    async def transaction(self, *tenants: UUID) -> AsyncIterator[Any]:
        process = asyncio.get_running_loop()
        pause = 0.001
        while self._holder is not None and self._holder.alive:
            await asyncio.sleep(pause)
            pause = min(1.0, pause * 2)
        self._holder = process
        try:
            draft = {key: copy(row) for key, row in self.rows.items()}
            await self._reached()
            yield self.open_(draft, self.faults.machine.now)
            await self._reached()
            self.rows = draft
            await self._reached()
        finally:
            if self._holder is process:
                self._holder = None

    async def _reached(self) -> None:
        await asyncio.sleep(0)
        if self.faults.strike(0.3):
            raise ConnectionResetError


def notifier_tables(faults: Faults, rows: Sequence[Row]) -> Database:
    return Database(faults, {row.delivery_id: row for row in rows}, Session)


@dataclass
class Lease:
    delivery_id: UUID
    items: Sequence[UUID]
    expires_at: float


@dataclass
class LeaseSession:
    """The statements of `libs.common.permits` on played leases; the row of an item says that it is settled."""

    rows: dict[Any, Any]
    now: float

    async def execute(self, statement: Any, given: Any) -> None:
        if statement is permits._leasing:
            for row in given:
                until = self.now + permits.LEASE_SECONDS
                self.rows[row["lease_id"]] = Lease(row["delivery_id"], row["item_ids"], until)
        gone = {permits._releasing: "released", permits._dropping_leases: "dropped"}.get(statement)
        for lease_id, lease in [(k, v) for k, v in self.rows.items() if gone and isinstance(v, Lease)]:
            if (lease.delivery_id if gone == "released" else lease_id) in given[gone]:
                del self.rows[lease_id]

    async def scalar(self, statement: Any) -> None:
        """Nobody recovers from a restore here."""

    async def scalars(self, statement: Any, given: Any) -> Any:
        live = [(k, v) for k, v in self.rows.items() if isinstance(v, Lease) and v.expires_at > self.now]
        if statement is permits._remaining:
            found = [lease_id for lease_id, _ in live if lease_id in given["held"]]
        else:
            found = [lease_id for lease_id, lease in live if set(lease.items) & set(given["items"])]
        return SimpleNamespace(all=lambda: found)


@dataclass
class Owner:
    """The service that knows what is owed: grants permits and takes payments, with the real code over played tables."""

    faults: Faults
    answered: dict[UUID, float] = field(default_factory=dict)
    """When somebody was told 2xx that this delivery's item is paid."""

    def __post_init__(self) -> None:
        self.database: Any = Database(self.faults, {}, LeaseSession)

    async def post(self, service: str, path: str, *, tenant: UUID, json: Any) -> Any:
        """As `Peers.post`: the request or its answer may be lost."""
        await self.faults.way()
        if self.faults.strike():
            raise Unavailable("The request was lost.")
        try:
            told = await self._door(path, tenant, json)
        except ConnectionError as error:
            raise Unavailable("The owner's database is away.") from error
        await self.faults.way()
        if self.faults.strike():
            raise Unavailable("The answer was lost.")
        return told

    async def _door(self, path: str, tenant: UUID, json: Any) -> Any:
        if path.endswith("/release"):
            return await permits.release(self.database, tenant, [UUID(each) for each in json["delivery_ids"]])
        asks = permits.PermitRequest.model_validate(json).deliveries
        answers = await permits.grant(self.database, tenant, asks, self._look)
        return permits.PermitAnswers(answers=answers).model_dump(mode="json")

    async def _look(self, db: Any, tenant: UUID, asks: Sequence[Ask]) -> list[Answer]:
        paid = (ask.items[0].item_id in db.rows for ask in asks)
        return [permits.no(ask, "settled") if gone else permits.yes(ask) for ask, gone in zip(asks, paid, strict=True)]

    async def pay(self, delivery: UUID, after: float) -> None:
        """A payment: committed, then answered once no permit over it is in use."""
        await asyncio.sleep(after)
        try:
            async with self.database.transaction(TENANT) as db:
                db.rows[delivery] = "settled"
            await permits.stopping(self.database, permits.Scope(TENANT, item_ids=[delivery]))
        except ConnectionError:
            return
        self.answered[delivery] = self.faults.machine.now


class Asker:
    """Asks the owner alone, by the sender's side of the real code."""

    def __init__(self, owner: Owner) -> None:
        self.peers: Any = owner

    async def permits(self, jobs: Sequence[Job]) -> list[Permit]:
        found = await permits.request_permits(self.peers, TENANT, [job.ask() for job in jobs])
        refused = [delivery for delivery, permit in found.items() if permit.answer != "yes"]
        if refused:
            await self.release(TENANT, refused)
        return [found[job.claim.delivery_id] for job in jobs]

    async def release(self, tenant: UUID, delivery_ids: Sequence[UUID]) -> None:
        await permits.release_permits(self.peers, tenant, delivery_ids)


class Freezer:
    """Makes the bytes of a mail."""

    async def jobs(self, claims: Sequence[Claim]) -> list[Job]:
        await asyncio.sleep(0)
        return [_job(each) for each in claims]


def _job(claim: Claim) -> Job:
    one = claim.delivery_id
    notice = SimpleNamespace(reminder_id=one, entity_id=one, payer_id=one, party_id=one, kind="reminder", tone=1)
    line: Any = SimpleNamespace(
        occurrence_id=one, release=1, item_id=one, invoice_id=one, invoice_version=1, debtor_id=one,
        residual=Money(100, "EUR"),
    )  # fmt: skip
    return Job(claim, notice, [line], b"mail", "us@relance.example")


@dataclass
class MailServer:
    """What it was told, and what it took: instants of DATA and of the body, and mails taken, by delivery."""

    faults: Faults
    heard: list[tuple[UUID, float]] = field(default_factory=list)
    taken: list[UUID] = field(default_factory=list)

    def wire(self) -> Any:
        return Wire(self)


class Wire:
    """One conversation, which may be cut at any of its steps."""

    def __init__(self, server: MailServer) -> None:
        self.server, self.faults = server, server.faults
        self.usable = False
        self.written_at = 0.0
        self._mail = UUID(int=0)

    async def open(self) -> None:
        await self._asked("connect")
        self.usable = True

    async def offer(self, sender: str, recipient: str, copies: Sequence[str]) -> None:
        self._mail = UUID(int=int(recipient))
        await self._asked("recipient")

    async def data(self) -> None:
        self._heard()
        await self._asked("data")

    async def body(self, raw: bytes, may: Callable[[], bool], dotting: Callable[[], None]) -> Outcome:
        if not may():
            self.drop()
            return Outcome("unsent", "data", text="permit over")
        self._heard()
        self.written_at = self.faults.machine.now
        await self.faults.way()
        if self.faults.strike():
            self.drop()
            return Outcome("unsent", "data", text="cut before the dot")
        dotting()
        return await self._answer()

    async def _answer(self) -> Outcome:
        """The dot is written, so that the server decides, whatever becomes of us."""
        refused = self.faults.strike()
        if not refused:
            self.server.taken.append(self._mail)
        silent = self.faults.strike()
        await (asyncio.sleep(FINAL_SECONDS) if silent else self.faults.way())
        if silent:
            self.drop()
            return Outcome("unknown", "body", text="silence")
        if refused:
            return Outcome("refused", "body", self.faults.machine.dice.choice((451, 554)))
        return Outcome("accepted", "body", 250)

    async def withdraw(self) -> None:
        await self.faults.way()

    async def close(self) -> None:
        self.usable = False

    def drop(self) -> None:
        self.usable = False

    def _heard(self) -> None:
        self.server.heard.append((self._mail, self.faults.machine.now))

    async def _asked(self, phase: Any) -> None:
        await self.faults.way()
        if self.faults.strike():
            self.drop()
            raise Stopped(Outcome("unsent", phase, text="cut"))
        if self.faults.strike(0.5):
            raise Stopped(Outcome("refused", phase, 451))
