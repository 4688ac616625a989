"""What a bank told us, whatever the format: files, statements, entries and single movements of money.

Protects: a statement is taken only when it proves itself. Opening balance + booked entries = closing balance, and
the signed details of an entry, with its charges, sum to the entry. Amounts are signed minor units: + is ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from libs.common.money import Money
from services.payment_matching.errors import UnreadableStatement

Status = Literal["booked", "pending", "information"]
Kind = Literal[
    "camt.052", "camt.053", "camt.054", "mt940", "mt942", "cfonb120", "coda", "ofx", "bai2", "csv", "xlsx"
]  # fmt: skip
KINDS: frozenset[str] = frozenset(get_args(Kind))
"""Every kind of file, which is also the channel and the source of the money that it tells."""
WHOLE: frozenset[str] = KINDS - {"camt.052", "camt.054", "mt942"}
"""The kinds that tell a period to its end: with both balances they are links of the account's chain."""
OPEN_ENDED: frozenset[str] = frozenset({"csv", "xlsx", "ofx"})
"""The kinds that somebody exports at any hour: more may be booked on their last day, so they cover it not."""
_PROVES_ITSELF = frozenset({"camt.053", "mt940", "cfonb120", "coda"})
"""The kinds that always have both balances; a file of the others may leave them out, and then moves no feed."""


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement of money between us and one other party; `amount` is signed, + came in."""

    amount: int
    currency: str
    party_name: str | None = None
    party_iban: str | None = None
    ultimate_name: str | None = None
    remittance: str = ""
    structured_references: tuple[str, ...] = ()
    end_to_end_id: str | None = None
    instruction_id: str | None = None
    transaction_id: str | None = None
    bank_reference: str | None = None
    uetr: str | None = None
    mandate_id: str | None = None
    return_code: str | None = None
    instructed: Money | None = None
    """What the payer ordered, where that is in another currency; never negative."""
    exchange_rate: str | None = None
    """The bank's rate, as a plain decimal with the digits that it wrote."""
    returned: bool = False
    """The bank takes back or gives back an earlier movement (R-transaction); never new money."""

    @property
    def references(self) -> tuple[str, ...]:
        """The identifiers that can name this movement again, the surest first."""
        found = (self.uetr, self.transaction_id, self.bank_reference, self.end_to_end_id, self.instruction_id)
        return tuple(reference for reference in found if reference)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the account: its total, and the movements it is made of (itself, if the bank tells no details)."""

    amount: int
    currency: str
    status: Status
    booked_on: date | None
    value_on: date | None
    bank_reference: str | None
    movements: tuple[Movement, ...]
    detailed: bool
    """Whether the bank told the movements one by one."""
    charges: int = 0
    """Unsigned charges told between the entry and its details."""


@dataclass(frozen=True, slots=True)
class Balance:
    """An account balance at the end (closing) or start (opening) of a day."""

    amount: int
    currency: str
    on: date


@dataclass(frozen=True, slots=True)
class Statement:
    """What was told of one account in one message."""

    kind: Kind
    reference: str
    sequence: str | None
    account: str
    """IBAN, or the bank's own number, in capitals without spaces."""
    currency: str | None
    opening: Balance | None
    closing: Balance | None
    entries: tuple[Entry, ...]

    @property
    def booked(self) -> int:
        """The sum of what is booked; pending and informative entries move no balance."""
        return sum(entry.amount for entry in self.entries if entry.status == "booked")


@dataclass(frozen=True, slots=True)
class File:
    """A message as received: several statements, maybe of several accounts."""

    kind: Kind
    version: str
    message_id: str
    statements: tuple[Statement, ...]


def prove_entry(total: int, parts: Sequence[int], charges: Sequence[int], where: str) -> int:
    """Signed details, alone or with the charges told, must give the entry; answers the unsigned charges used.

    Raises UnreadableStatement. Net credits (details - charges) and gross debits (details + charges) are both met.
    """
    rest = abs(total - sum(parts))
    if rest == 0:
        return 0
    if rest in {amount for amount in charges if amount}:
        return rest
    raise UnreadableStatement(
        f"{where}: the details sum to {sum(parts)} minor units and the entry says {total}.", field=where
    )


def prove_balances(statement: Statement) -> None:
    """Opening + booked entries = closing, to the cent. Kinds with both balances must. Raises UnreadableStatement."""
    where = f"statement {statement.reference}"
    opening, closing = statement.opening, statement.closing
    if opening is None or closing is None:
        if statement.kind in _PROVES_ITSELF:
            missing = "opening" if opening is None else "closing"
            raise UnreadableStatement(f"{where}: no {missing} balance, so nothing proves that it is whole.")
        return
    booked = [entry for entry in statement.entries if entry.status == "booked"]
    currencies = {opening.currency, closing.currency, *(entry.currency for entry in booked)}
    if len(currencies) > 1:
        raise UnreadableStatement(f"{where}: balances and entries are in {', '.join(sorted(currencies))}.")
    if opening.amount + statement.booked != closing.amount:
        raise UnreadableStatement(
            f"{where}: opening {opening.amount} + booked {statement.booked} is not closing {closing.amount} "
            "(minor units)."
        )
