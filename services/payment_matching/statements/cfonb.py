"""Own reader of CFONB 120 (relevé de compte, AFB120): records of 120 characters, 01 old balance, 04 operation,
05 more about it, 07 new balance.

Protects: records stand in their order; each 01 … 07 is one statement of its own, also when an account has several;
a sign is the overpunch of the last digit. Source: CFONB, relevé de compte sur support informatique; qualifiers as
banks use them (LIB, LCC, LC2, LCS, RCN, REF, NPY, IPY, NPO, NBE, NBU, RUM, MMO, FEE …).
"""

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache

from services.payment_matching.errors import UnreadableStatement
from services.payment_matching.statements import exchange, plain
from services.payment_matching.statements.camt_tree import minor
from services.payment_matching.statements.told import Balance, Entry, File, Movement, Statement, prove_balances

LENGTH = 120
MOST_RECORDS = 1_500_000
STARTS = re.compile(r"0[1457][0-9]{5}.{4}[0-9 ]{5}[A-Z ]{3}[0-9 ].[A-Z0-9 ]{11}", re.ASCII)
_PLUS, _MINUS = "{ABCDEFGHI", "}JKLMNOPQR"
# French EBCDIC has accented letters where the sign of a zero stands.
_SIGNS = {
    sign: (str(digit), factor)
    for signs, factor in ((_PLUS, 1), (_MINUS, -1), ("é", 1), ("è", -1))
    for digit, sign in enumerate(signs)
} | {str(digit): (str(digit), 1) for digit in range(10)}
_REASONS = {
    "12": "AC01", "14": "AC04", "20": "AM04", "31": "MD01", "32": "AC06", "34": "AC06", "35": "MD07", "52": "AG02",
    "57": "FF01", "58": "MS02", "59": "MS03", "60": "RC01", "62": "RR04", "63": "SL01", "64": "AM05", "65": "FOCR",
    "66": "MD02", "70": "MS02", "73": "MS02", "74": "MS02", "80": "MD06", "99": "AG01",
}  # fmt: skip
"""The banks' two-digit reasons of rejects and returns, as ISO 20022 says them. A bill of exchange whose drawing,
amount or date is contested (70, 73, 74) is refused by the debtor. Others, mostly of bills alone, stay as they are."""
_TEXT = ("LIB", "LCC", "LC2", "LCS")

_day = lru_cache(256)(plain.day)


def read(body: bytes) -> File:
    """The file as told, proved. Raises UnreadableStatement, naming the line."""
    reader = _Reader()
    for number, record in _records(body):
        reader.take(number, record)
    return reader.file()


def _records(body: bytes) -> Iterator[tuple[int, str]]:
    told = plain.text(body).strip("\n")
    lines = told.split("\n")
    if len(lines) == 1 and len(told) > LENGTH:
        # Some transports take the line ends away.
        lines = [told[start : start + LENGTH] for start in range(0, len(told), LENGTH)]
    if len(lines) > MOST_RECORDS:
        raise UnreadableStatement("The file has more records than any statement.")
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, line.ljust(LENGTH)


def _amount(told: str, currency: str, decimals: str, where: str) -> int:
    last = _SIGNS.get(told[13])
    digits = told[:13].replace(" ", "0") + (last[0] if last else "")
    if last is None or not digits.isascii() or not digits.isdigit():
        raise UnreadableStatement(f"{where}: {told!r} is not an amount.", field=where)
    places = int(decimals) if decimals.isascii() and decimals.isdigit() else 2
    whole, fraction = digits[: 14 - places].lstrip("0") or "0", digits[14 - places :]
    return last[1] * minor(f"{whole}.{fraction}", currency, where)


class _Operation:
    """One 04 record and the 05 records after it."""

    def __init__(self, record: str, where: str, currency: str) -> None:
        self.record = record
        self.where = where
        self.currency = currency
        self.more: list[tuple[str, str]] = []

    def entry(self) -> Entry:
        record, more = self.record, self.more
        amount = _amount(record[90:104], self.currency, record[19], self.where)
        booked_on = _day(record[34:40], self.where)
        value_on = _day(record[42:48], self.where) if record[42:48].strip() else booked_on
        rejected = record[40:42].strip()
        reference = plain.known(record[104:120])
        movement = Movement(
            amount=amount,
            currency=self.currency,
            party_name=self._first("NPY" if amount >= 0 or rejected else "NBE"),
            party_iban=plain.iban_in(self._first("IPY" if amount >= 0 or rejected else "IBE")),
            ultimate_name=self._first("NPO" if amount >= 0 or rejected else "NBU"),
            remittance=plain.spaced(" ".join([record[48:79], *(told for name, told in more if name in _TEXT)]))[:2000],
            end_to_end_id=plain.known(next((told[:35] for name, told in more if name == "RCN"), None)),
            instruction_id=self._first("REF"),
            bank_reference=reference,
            mandate_id=plain.known(next((told[:35] for name, told in more if name == "RUM"), None)),
            return_code=_REASONS.get(rejected, rejected) or None,
            instructed=next((exchange.cfonb(told, self.currency) for name, told in more if name == "MMO"), None),
            returned=bool(rejected),
        )
        return Entry(amount, self.currency, "booked", booked_on, value_on, reference, (movement,), detailed=bool(more))

    def _first(self, qualifier: str) -> str | None:
        return next((plain.known(told) for name, told in self.more if name == qualifier), None)


class _Reader:
    """Builds a File record by record; a statement is proved as its 07 comes."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.head: str | None = None
        self.opening: Balance | None = None
        self.operation: _Operation | None = None
        self.entries: list[Entry] = []

    def take(self, number: int, record: str) -> None:
        where = f"line {number}"
        if len(record) > LENGTH and record[LENGTH:].strip():
            raise UnreadableStatement(f"{where}: it is longer than {LENGTH} characters.", field=where)
        kind = record[:2]
        if kind == "05":
            self._more(record, where)
        elif kind == "04":
            self._operation(record, where)
        elif kind == "01":
            self._open(record, where)
        elif kind == "07":
            self._close(record, where)
        else:
            raise UnreadableStatement(f"{where}: {kind!r} is no record of CFONB 120.", field=where)

    def _open(self, record: str, where: str) -> None:
        if self.head is not None:
            raise UnreadableStatement(f"{where}: a statement begins and the one before has no end.", field=where)
        self.head, self.opening = record, self._balance(record, where)

    def _operation(self, record: str, where: str) -> None:
        head = self._within(record, where, "an operation")
        self._finish()
        self.operation = _Operation(record, where, head[16:19])

    def _more(self, record: str, where: str) -> None:
        self._within(record, where, "more about an operation")
        if self.operation is None:
            raise UnreadableStatement(f"{where}: it tells more about an operation that is not there.", field=where)
        self.operation.more.append((record[45:48], record[48:118]))

    def _within(self, record: str, where: str, what: str) -> str:
        if self.head is None:
            raise UnreadableStatement(f"{where}: {what} outside a statement (no 01 record before it).", field=where)
        if record[21:32] != self.head[21:32] or record[16:19] != self.head[16:19]:
            raise UnreadableStatement(f"{where}: {what} of another account inside a statement.", field=where)
        return self.head

    def _finish(self) -> None:
        if self.operation is not None:
            self.entries.append(self.operation.entry())
            self.operation = None

    def _close(self, record: str, where: str) -> None:
        head = self._within(record, where, "a new balance")
        self._finish()
        closing = self._balance(record, where)
        account = head[2:7], head[11:16], head[21:32].strip()
        found = Statement(
            kind="cfonb120",
            reference=f"{head[21:32].strip()} {closing.on.isoformat()}",
            sequence=None,
            account=plain.french_iban(*account) or "".join(account).replace(" ", ""),
            currency=closing.currency,
            opening=self.opening,
            closing=closing,
            entries=tuple(self.entries),
        )
        prove_balances(found)
        self.statements.append(found)
        self.head, self.opening, self.entries = None, None, []

    def _balance(self, record: str, where: str) -> Balance:
        currency = record[16:19]
        on: date = _day(record[34:40], where)
        return Balance(_amount(record[90:104], currency, record[19], where), currency, on)

    def file(self) -> File:
        """What was read. Raises UnreadableStatement when a statement has no end, or there is none."""
        if self.head is not None:
            raise UnreadableStatement("The last statement has no end (no 07 record).")
        if not self.statements:
            raise UnreadableStatement("The file holds no statement.")
        return File("cfonb120", "", "", tuple(self.statements))
