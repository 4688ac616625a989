"""Money as it is told to us, and when two tellings are the same money. Pure.

Protects: the same money told by the ERP, by a webhook and by three kinds of bank message is one payment. Identifiers
decide; without them amount, currency and date must agree and something else must too (account, end-to-end id, text or
name). Two movements that look alike within one message stay two.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from libs.common.money import Money
from services.payment_matching.evidence import name_key, squeezed

BANK = "bank"
NEAR = timedelta(days=3)
"""How far value dates of one payment may lie apart: an ERP books on another day than the bank."""


@dataclass(frozen=True, slots=True)
class ToldAllocation:
    """An ERP's own allocation: an item, or an invoice by id or number; the whole of what it owes without an amount."""

    item_id: UUID | None = None
    invoice_id: UUID | None = None
    number: str | None = None
    amount: int | None = None
    currency: str | None = None
    """The amount's, where it is not the payment's."""
    paid: int | None = None
    """What of the payment that takes then, in minor units of its currency."""


@dataclass(frozen=True, slots=True)
class Telling:
    """One name of a payment in one channel: `api` and webhooks use external_id, `bank` what any bank message calls it.

    Each kind of bank message is a channel too: what it told itself, it does not tell again as other money.
    """

    channel: str
    name: str


@dataclass(frozen=True, slots=True)
class NewPayment:
    """Money that somebody tells of. `amount` > 0 in minor units."""

    tenant_id: UUID
    entity_id: UUID
    source: str
    tellings: tuple[Telling, ...]
    currency: str
    amount: int
    value_on: date
    account: str | None = None
    bank_account_id: UUID | None = None
    payer_name: str | None = None
    payer_iban: str | None = None
    remittance: str = ""
    structured: tuple[str, ...] = ()
    end_to_end_id: str | None = None
    instructed: Money | None = None
    """What the payer ordered, in another currency, as the bank told it."""
    exchange_rate: str | None = None
    """The rate that the bank told, as it wrote it."""
    references: tuple[str, ...] = ()
    debtor_id: UUID | None = None
    told: tuple[ToldAllocation, ...] = field(default=())

    def digest(self) -> bytes:
        """Of what makes it other money: the same name with another digest is a conflict."""
        facts = (self.entity_id, self.currency, self.amount, self.value_on, self.payer_iban, self.debtor_id)
        return hashlib.sha256(repr(facts).encode()).digest()


@dataclass(frozen=True, slots=True)
class Like:
    """A payment on record of the same amount and currency, around the same date."""

    payment_id: UUID
    entity_id: UUID
    value_on: date
    channels: frozenset[str]
    payer_name: str | None
    payer_iban: str | None
    remittance: str
    end_to_end_id: str | None


def same_money(new: NewPayment, like: Sequence[Like]) -> Like | None:
    """The payment on record that this is, if one was told by another channel only; the nearest in time, then in id."""
    mine = {telling.channel for telling in new.tellings} - {BANK}
    able = [
        one
        for one in like
        if one.entity_id == new.entity_id
        and not one.channels & mine
        and abs(one.value_on - new.value_on) <= NEAR
        and _agrees(new, one)
    ]
    return min(able, key=lambda one: (abs(one.value_on - new.value_on), one.payment_id), default=None)


def _agrees(new: NewPayment, one: Like) -> bool:
    """Something besides the amount says that it is the same; an end-to-end id or account that differs says no."""
    for mine, theirs in ((new.end_to_end_id, one.end_to_end_id), (new.payer_iban, one.payer_iban)):
        if mine and theirs:
            return mine == theirs
    texts = squeezed(new.remittance), squeezed(one.remittance)
    if all(len(text) >= 4 for text in texts) and (texts[0] in texts[1] or texts[1] in texts[0]):
        return True
    return bool(new.payer_name) and name_key(new.payer_name) == name_key(one.payer_name)


REFUSED_BY_DEBTOR = frozenset({"MD01", "MD06", "MS02", "SL01"})
"""ISO 20022 return reasons by which the debtor says no: no mandate, refund asked for, refused by the customer, blocked.

The others (AC01 wrong account, AC04 closed, AC06 blocked, AM04 insufficient funds, MD07 deceased, MS03 …) say that
the money could not be had.
"""


def refused_by_debtor(code: str) -> bool:
    """Whether a return with this reason opens a dispute instead of a reminder."""
    return code.upper() in REFUSED_BY_DEBTOR
