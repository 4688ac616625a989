"""From what a bank told to what the ledger takes: receipts, returns, and names under which both are known again. Pure.

Protects: the same entry told in a camt.052, a 054 and a 053 has the same names in all three; two entries that look
alike within one statement have different ones; a pending entry and a movement that is no receipt become no payment.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from uuid import UUID

import holidays

from services.payment_matching.evidence import squeezed
from services.payment_matching.receiving import BANK, NewPayment, Telling
from services.payment_matching.statements.told import Entry, Movement, Statement

UNSTATED = "NARR"
"""The reason of a return whose bank gave none (ISO 20022: narrative)."""
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Account:
    """Whose account a statement is about."""

    tenant_id: UUID
    entity_id: UUID
    bank_account_id: UUID
    account: str


@dataclass(frozen=True, slots=True)
class EntryTold:
    """One booked entry under its name; `lump` is the telling of the payment it makes when it has no details."""

    key: str
    amount: int
    currency: str
    status: str
    value_on: date
    detailed: bool


@dataclass(frozen=True, slots=True)
class ReturnTold:
    """Money that the bank took back, with every reference that can name the payment it belongs to."""

    tenant_id: UUID
    entity_id: UUID
    name: str
    references: tuple[str, ...]
    currency: str
    amount: int
    code: str
    on: date


@dataclass(frozen=True, slots=True)
class Booked:
    """What one statement brings: entries, and for each the receipts and returns that it is made of."""

    entries: tuple[EntryTold, ...]
    receipts: tuple[tuple[str, NewPayment], ...]
    """(entry key, payment)"""
    returns: tuple[ReturnTold, ...]


def booked(statement: Statement, account: Account) -> Booked:
    """What to take of a statement."""
    counts: Counter[tuple[object, ...]] = Counter()
    entries, receipts, returns = [], [], []
    for entry in statement.entries:
        on = entry.value_on or entry.booked_on or _closing(statement)
        key = _numbered(counts, ("entry", entry.bank_reference or "", entry.amount, entry.currency, on))
        detailed = entry.detailed and len(entry.movements) > 1
        entries.append(EntryTold(key, entry.amount, entry.currency, entry.status, on, detailed))
        if entry.status != "booked":
            continue
        for movement in entry.movements:
            names = tuple(_names(counts, account, entry, movement, on))
            if movement.returned:
                if movement.amount < 0:
                    returns.append(_return(account, movement, names[0], on))
            elif movement.amount > 0:
                receipts.append((key, _receipt(statement, account, movement, names, on)))
    return Booked(tuple(entries), tuple(receipts), tuple(returns))


def _closing(statement: Statement) -> date:
    return statement.closing.on if statement.closing else statement.opening.on if statement.opening else date.min


def lump_name(account: Account, key: str) -> str:
    """The name under which an entry without details became a payment, from the entry's key."""
    return account.account + key.removeprefix("entry")


def _numbered(counts: Counter[tuple[object, ...]], facts: tuple[object, ...]) -> str:
    """These facts as a name; the second time in one statement is another thing."""
    counts[facts] += 1
    return "|".join(map(str, (*facts, counts[facts])))


def _names(
    counts: Counter[tuple[object, ...]], account: Account, entry: Entry, movement: Movement, on: date
) -> Iterator[str]:
    what = (movement.amount, movement.currency, on)
    references = dict.fromkeys(movement.references)
    for reference in references:
        yield _numbered(counts, (account.account, reference, *what))
    if not references:
        text = squeezed(movement.remittance)[:80]
        reference = entry.bank_reference or ""
        yield _numbered(counts, (account.account, reference, *what, movement.party_iban or "", text))


def _receipt(
    statement: Statement, account: Account, movement: Movement, names: tuple[str, ...], on: date
) -> NewPayment:
    tellings = [Telling(BANK, name) for name in names]
    return NewPayment(
        tenant_id=account.tenant_id,
        entity_id=account.entity_id,
        source=statement.kind,
        tellings=(*tellings, Telling(statement.kind, names[0])),
        currency=movement.currency,
        amount=movement.amount,
        value_on=on,
        account=account.account,
        bank_account_id=account.bank_account_id,
        payer_name=movement.party_name or movement.ultimate_name,
        payer_iban=movement.party_iban,
        remittance=movement.remittance,
        structured=movement.structured_references,
        end_to_end_id=movement.end_to_end_id,
        instructed=movement.instructed,
        exchange_rate=movement.exchange_rate,
        references=movement.references,
    )


def _return(account: Account, movement: Movement, name: str, on: date) -> ReturnTold:
    return ReturnTold(
        tenant_id=account.tenant_id,
        entity_id=account.entity_id,
        name=name,
        references=movement.references,
        currency=movement.currency,
        amount=-movement.amount,
        code=movement.return_code or UNSTATED,
        on=on,
    )


# How far a feed reaches


@dataclass(frozen=True, slots=True)
class Link:
    """One proved statement of an account: its balances and the days they are of."""

    opening: int
    opening_on: date
    closing: int
    closing_on: date


def covered(chain: Sequence[Link]) -> tuple[date | None, date | None]:
    """The day up to which every booking is on record, and the day after which a statement is missing, if one is.

    The chain starts at the oldest statement and goes on while each one opens with what the one before closed with.
    """
    # Two formats may tell the same day; they differ in which day they say it opened on.
    once = {(link.closing_on, link.opening, link.closing): link for link in chain}
    left = sorted(once.values(), key=lambda link: (link.closing_on, link.opening_on))
    if not left:
        return None, None
    here = left.pop(0)
    reached = here.closing_on
    while left:
        following = next((n for n, link in enumerate(left) if link.opening == here.closing), None)
        if following is None or left[following].closing_on != min(link.closing_on for link in left):
            return reached, reached
        here = left.pop(following)
        reached = max(reached, here.closing_on)
    return reached, None


@cache
def _closed(year: int) -> frozenset[date]:
    return frozenset(holidays.financial_holidays("XECB", years=year))


def is_banking_day(day: date) -> bool:
    """Whether TARGET2 books on this day."""
    return day.weekday() < 5 and day not in _closed(day.year)


def banking_days_after(day: date, count: int) -> date:
    """The banking day that many after `day`."""
    while count > 0:
        day += DAY
        count -= is_banking_day(day)
    return day


def last_banking_day_before(day: date) -> date:
    """The last banking day before `day`."""
    day -= DAY
    while not is_banking_day(day):
        day -= DAY
    return day
