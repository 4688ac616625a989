"""Whatever stops a mail or changes what it may say, as commands of the people and machines of one company.

Each keeps the instants at which it was asked and answered, so that every mail can be held against what was known.
Instants are CLOCK_BOOTTIME, the clock of the send permits.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from email.message import EmailMessage
from functools import partial
from itertools import cycle
from random import Random
from uuid import UUID

from libs.common import ids
from libs.common.demo import numbers
from libs.common.demo.bank import Transfer
from libs.common.permits import boottime
from tests.support import eventually
from tests.support.world import World, text_of, working

FILE_OF = 4
"""Payments in one bank file."""


@dataclass(frozen=True)
class State:
    """What a reminder about one invoice may say, and to whom; no residual: it may not leave at all."""

    address: str
    residual: Decimal | None


@dataclass
class Target:
    """One debtor with its one invoice, and what happened to it, in order."""

    name: str
    number: str
    invoice: UUID
    due: date
    amount: Decimal
    state: State
    changes: list["Change"] = field(default_factory=list)

    @property
    def left(self) -> Decimal:
        """What it owes now. Raises if it may not be reminded any more."""
        residual = (self.changes[-1].after if self.changes else self.state).residual
        assert residual is not None
        return residual

    def may_be(self, at: float) -> list[State]:
        """Every state that is true at this instant: that of the last answer, and that of a command on its way."""
        known = [one.after for one in self.changes if one.answered <= at]
        under_way = [one.after for one in self.changes if one.asked <= at < one.answered]
        return [known[-1] if known else self.state, *under_way]


@dataclass(frozen=True)
class Change:
    """A command that was answered with a 2xx. `after` is what may leave from then on."""

    kind: str
    asked: float
    answered: float
    after: State


Command = Callable[[World, Sequence[Target]], Awaitable[object]]


def _euros(amount: Decimal) -> dict[str, str]:
    return {"amount": str(amount), "currency": "EUR"}


def _half(one: Target) -> Decimal:
    return (one.left / 2).quantize(Decimal("0.01"))


async def _known_payer(world: World, some: Sequence[Target]) -> object:
    return await world.pay(str(some[0].left), some[0].number, payer=some[0].name)


async def _unknown_payer(world: World, some: Sequence[Target]) -> object:
    return await world.pay(str(some[0].left), f"REGLEMENT FACTURE {some[0].number}")


async def _part(world: World, some: Sequence[Target]) -> object:
    return await world.pay(str(_half(some[0])), some[0].number, payer=some[0].name)


async def _signed_payment(world: World, some: Sequence[Target]) -> object:
    one = some[0]
    body = {
        "external_id": f"W-{one.number}",
        "amount": _euros(one.left),
        "value_date": world.today.isoformat(),
        "payer_name": f"{one.name} SARL",
        "remittance": one.number,
    }
    response = await world.office.signed(world.payments, body)
    assert response.is_success, response.text
    return response


async def _bank_file(world: World, some: Sequence[Target]) -> object:
    """One statement, a day after the one before; a bank does not tell two at once."""
    day = world.today - timedelta(days=60) + timedelta(days=world.statements)
    transfers = [
        Transfer(f"B{one.number}", int(one.left * 100), f"{one.name} SARL", _account(one), one.number) for one in some
    ]
    return await world.bank_day(day, transfers)


def _account(one: Target) -> str:
    return numbers.iban(Random(one.number))


async def _credit(world: World, one: Target, amount: Decimal) -> object:
    issued = (one.due - timedelta(days=30)).isoformat()
    named = {"preceding": [{"number": one.number, "issue_date": issued}]}
    body = world.body(f"A-{one.number}-{amount}", one.name, one.due, str(amount), references=named)
    note = {name: told for name, told in body.items() if name != "due_date"} | {"entity_id": str(world.entity)}
    return await world.office.post("invoice_ingest", "/v1/credit-notes", note)


async def _whole_credit(world: World, some: Sequence[Target]) -> object:
    return await _credit(world, some[0], some[0].left)


async def _part_credit(world: World, some: Sequence[Target]) -> object:
    return await _credit(world, some[0], _half(some[0]))


async def _later(world: World, some: Sequence[Target]) -> object:
    one = some[0]
    due = working(one.due + timedelta(days=90))
    return await world.invoice(one.number, one.name, due, str(one.amount), issued=one.due - timedelta(days=30))


async def _lower(world: World, some: Sequence[Target]) -> object:
    one = some[0]
    rest = str(one.left - _half(one))
    return await world.invoice(one.number, one.name, one.due, rest, issued=one.due - timedelta(days=30))


async def _hold(world: World, some: Sequence[Target]) -> object:
    review = (world.today + timedelta(days=60)).isoformat()
    scope = {"scope": "item", "scope_id": str(ids.item_id(some[0].invoice, 1))}
    return await world.office.post("scheduler", "/v1/holds", scope | {"reason": "asked", "review_on": review})


async def _dispute(world: World, some: Sequence[Target]) -> object:
    body = {"item_id": str(ids.item_id(some[0].invoice, 1)), "reason": "quality"}
    return await world.office.post("scheduler", "/v1/disputes", body)


def _moved(world: World, one: Target) -> str:
    return world.address(f"new-{one.name}")


async def _contact(world: World, some: Sequence[Target]) -> object:
    people = [{"name": "Nouvelle", "email": _moved(world, some[0]), "roles": ["accounts_payable"]}]
    return await world.debtor(some[0].name, contacts=people)


COMMANDS: dict[str, Command] = {
    "known payer": _known_payer,
    "unknown payer": _unknown_payer,
    "signed payment": _signed_payment,
    "part payment": _part,
    "bank file": _bank_file,
    "credit note": _whole_credit,
    "part credit note": _part_credit,
    "later due date": _later,
    "lower amount": _lower,
    "hold": _hold,
    "dispute": _dispute,
    "contact": _contact,
}
LOWERING = {"part payment", "part credit note", "lower amount"}
"""After these the rest is still asked for."""
ONLY_FIRST = {"lower amount", "contact"}
"""These would mean something else, or nothing, after another change."""


def _after(world: World, kind: str, one: Target) -> State:
    now = one.changes[-1].after if one.changes else one.state
    if kind == "contact":
        return replace(now, address=_moved(world, one))
    return replace(now, residual=one.left - _half(one) if kind in LOWERING else None)


async def targets(world: World, prefix: str, count: int, due: date, dice: Random) -> list[Target]:
    """So many debtors with an invoice each, due that day, told in two lists."""
    amounts = [Decimal(dice.randrange(10_000, 90_000)) / 100 for _ in range(count)]
    names = [f"{prefix}{n:04d}" for n in range(count)]
    await world.debtors(names)
    told = zip(names, amounts, strict=True)
    found = await world.invoices_in_one(world.body(f"Q{name}", name, due, str(amount)) for name, amount in told)
    return [
        Target(name, f"Q{name}", invoice, due, amount, State(world.address(name), amount))
        for name, amount, invoice in zip(names, amounts, found, strict=True)
    ]


@dataclass
class Race:
    """Commands that run while mails leave. `gone` says how many have left; `walls` how long each call took."""

    world: World
    dice: Random
    gone: Callable[[], int]
    walls: list[float] = field(default_factory=list)
    filing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, among: Sequence[Target], mails: int, at_once: int = 4) -> None:
        """Every kind of command in turn over these, at random moments while the next `mails` leave."""
        queue = self._drawn(list(among))
        moments = sorted(self.gone() + self.dice.randrange(mails) for _ in queue)
        waiting = list(zip(moments, queue, strict=True))

        async def work() -> None:
            while waiting:
                moment, (kind, some) = waiting.pop(0)
                await eventually(partial(self._past, moment), 90, every=0.005)
                await self._carried_out(kind, some)

        await asyncio.gather(*(work() for _ in range(at_once)))

    def _past(self, moment: int) -> bool:
        return self.gone() >= moment

    def _drawn(self, left: list[Target]) -> list[tuple[str, list[Target]]]:
        self.dice.shuffle(left)
        drawn: list[tuple[str, list[Target]]] = []
        kinds = cycle(COMMANDS)
        while left:
            kind = next(kinds)
            fitting = [one for one in left if not (kind in ONLY_FIRST and one.changes)]
            some = fitting[-FILE_OF if kind == "bank file" else -1 :]
            if some:
                drawn.append((kind, some))
                left = [one for one in left if one not in some]
        return drawn

    async def _carried_out(self, kind: str, some: Sequence[Target]) -> None:
        async with self.filing if kind == "bank file" else nullcontext():
            then = [_after(self.world, kind, one) for one in some]
            asked = boottime()
            await COMMANDS[kind](self.world, some)
            answered = boottime()
        self.walls.append(answered - asked)
        for one, state in zip(some, then, strict=True):
            one.changes.append(Change(kind, asked, answered, state))


@dataclass(frozen=True)
class Seen:
    """A DATA command that the mail server read for a reminder, and the mail that followed, if one did."""

    at: float
    recipient: str
    mail: EmailMessage | None


_ROW = re.compile(r"^- (\S+) · .* · Reste dû ", re.MULTILINE)
_TOTAL = re.compile(r"^Total dû : ([\d ]+),(\d\d) €", re.MULTILINE)


def asked_for(words: str) -> dict[str, Decimal]:
    """The invoice that a reminder is about, and what it asks for: the residual less money on account."""
    sums = [Decimal(f"{whole.replace(' ', '')}.{part}") for whole, part in _TOTAL.findall(words)]
    return dict(zip(_ROW.findall(words), sums, strict=True))


def wrongs(seen: Sequence[Seen], among: Sequence[Target]) -> list[str]:
    """What was begun although a 2xx had stopped it, or stated what was no longer owed."""
    by_number = {one.number: one for one in among}
    by_address = {state.address: one for one in among for state in (one.state, *(each.after for each in one.changes))}
    found = []
    for each in seen:
        if each.mail is None:
            one = by_address[each.recipient]
            if all(state.residual is None for state in one.may_be(each.at)):
                found.append(f"DATA for {one.number} at {each.at}: {one.changes}")
            continue
        rows = asked_for(text_of(each.mail))
        assert rows, text_of(each.mail)
        for number, residual in rows.items():
            states = by_number[number].may_be(each.at)
            if State(each.recipient, residual) not in states:
                found.append(f"{number}: {residual} to {each.recipient} at {each.at}: {by_number[number].changes}")
    return found
