"""Reader of tables (CSV, XLSX) by the layout saved for the account.

Protects: a table belongs to one account, whose layout fits its headings; a line that cannot be read refuses the file
with its number. With a column of balances every line proves the next one; without, the table moves no feed.
"""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any

from services.payment_matching.errors import UnknownFormat, UnreadableStatement
from services.payment_matching.statements import plain
from services.payment_matching.statements.camt_tree import minor
from services.payment_matching.statements.layout import FORMATS, Columns, Known, Layout
from services.payment_matching.statements.told import Balance, Entry, File, Kind, Movement, Statement, prove_balances

MOST_LINES = 200_000
MOST_COLUMNS = 200
MOST_UNPACKED = 100_000_000
XLSX = b"PK\x03\x04"
_GROUPING = re.compile("[ \u00a0\u202f']")
_NUMBER = re.compile(r"\(?([+-]?)([0-9]{0,15})(?:\.([0-9]{1,12}))?([+-]?)\)?", re.ASCII)

Line = tuple[int, list[str]]


def read(body: bytes, layouts: Sequence[Known]) -> File:
    """The table as told. Raises UnknownFormat when no layout fits it, UnreadableStatement when a line does not."""
    kind: Kind = "xlsx" if body.startswith(XLSX) else "csv"
    told = _cells(body) if kind == "xlsx" else plain.text(body)
    fitting = [(known, lines) for known in layouts if (lines := _lines(told, known.layout)) is not None]
    if not fitting:
        raise UnknownFormat(_UNFIT if layouts else _UNKNOWN)
    if len(fitting) > 1:
        names = ", ".join(known.account for known, _ in fitting)
        raise UnknownFormat(
            f"The mappings of several accounts fit this table: {names}.",
            field="bank_account_id",
            remedy="Say whose it is with ?bank_account_id=.",
        )
    found = _statement(kind, *fitting[0])
    return File(kind, "", "", (found,))


_UNKNOWN = (
    "This is no camt, MT940, MT942, CFONB 120, CODA, OFX or BAI2 file, and no account has a mapping for tables (CSV, "
    "XLSX)."
)
_UNFIT = "This is no statement, or a table whose headings fit no saved mapping."


def _lines(told: str | list[list[str]], layout: Layout) -> tuple[dict[str, int], list[Line]] | None:
    """Where the columns are, and the lines below the headings; None when the headings are not those of the layout."""
    rows = _csv(told, layout.delimiter) if isinstance(told, str) else enumerate(told, 1)
    head: list[str] | None = None
    lines: list[Line] = []
    for number, cells in rows:
        if head is None and layout.header_row and number >= layout.header_row:
            head = [plain.spaced(cell) for cell in cells]
        elif (head is not None or not layout.header_row) and any(cell.strip() for cell in cells):
            lines.append((number, cells))
    if layout.header_row == 0:
        widest = max((len(cells) for _, cells in lines), default=0)
        head = [str(place) for place in range(1, widest + 1)]
    wanted = layout.columns.headings()
    if head is None or not lines or any(name not in head for name in wanted):
        return None
    return {name: head.index(name) for name in wanted}, lines


def _csv(told: str, delimiter: str) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(told, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            if reader.line_num > MOST_LINES or len(cells) > MOST_COLUMNS:
                raise UnreadableStatement("The table is larger than any statement.")
            yield reader.line_num, cells
    except csv.Error as error:
        where = f"line {reader.line_num}"
        raise UnreadableStatement(f"{where}: {error}.", field=where) from None


def _cells(body: bytes) -> list[list[str]]:
    """The first sheet as text. Raises UnreadableStatement for a package that is none, or is made to hurt."""
    from openpyxl import load_workbook  # noqa: PLC0415 - 10 MB that only a workbook needs

    try:
        with zipfile.ZipFile(io.BytesIO(body)) as package:
            parts = package.infolist()
            if sum(part.file_size for part in parts) > MOST_UNPACKED or len(parts) > 500:
                raise UnreadableStatement("The workbook unpacks to more than any statement.")
            if any(b"<!DOCTYPE" in package.read(part) for part in parts if part.filename.endswith((".xml", ".rels"))):
                raise UnreadableStatement("The workbook has a document type; statements have none.")
        book = load_workbook(io.BytesIO(body), read_only=True, data_only=True)
        rows = book.worksheets[0].iter_rows(max_row=MOST_LINES, max_col=MOST_COLUMNS, values_only=True)
        return [[_cell(value) for value in row] for row in rows]
    except (zipfile.BadZipFile, KeyError, ValueError, IndexError, TypeError, NotImplementedError, OSError) as error:
        raise UnreadableStatement(f"This is no workbook that can be read ({type(error).__name__}).") from None


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").removesuffix(".")
    return "" if value is None else str(value)[:2000]


def _statement(kind: Kind, known: Known, read_as: tuple[dict[str, int], list[Line]]) -> Statement:
    places, lines = read_as
    reader = _Reader(kind, known, places)
    pairs = _oldest_first([reader.entry(number, cells) for number, cells in lines])
    entries = tuple(entry for entry, _ in pairs)
    opening, closing = _balances(pairs, known.currency)
    days = [entry.booked_on for entry in entries if entry.booked_on]
    found = Statement(
        kind=kind,
        reference=f"{known.account} {min(days)} {max(days)}",
        sequence=None,
        account=known.account,
        currency=known.currency,
        opening=opening,
        closing=closing,
        entries=entries,
    )
    prove_balances(found)
    return found


Pair = tuple[Entry, int | None]


def _oldest_first(pairs: list[Pair]) -> list[Pair]:
    """Banks export the newest line first as often as last; within a day the balances say which."""
    first, last = pairs[0][0].booked_on, pairs[-1][0].booked_on
    if first and last and first > last:
        return pairs[::-1]
    if first == last and not _chained(pairs) and _chained(pairs[::-1]):
        return pairs[::-1]
    return pairs


def _chained(pairs: Sequence[Pair]) -> bool:
    return all(_follows(one, after) for one, after in pairwise(pairs))


def _follows(one: Pair, after: Pair) -> bool:
    return one[1] is None or after[1] is None or one[1] + after[0].amount == after[1]


def _balances(pairs: Sequence[Pair], currency: str) -> tuple[Balance | None, Balance | None]:
    (first, opened), (last, closed) = pairs[0], pairs[-1]
    if opened is None or closed is None or first.booked_on is None or last.booked_on is None:
        return None, None
    for number, (one, after) in enumerate(pairwise(pairs), 2):
        if not _follows(one, after):
            where = f"entry {number}"
            raise UnreadableStatement(
                f"{where}: the balance before, {one[1]}, + {after[0].amount} is not the balance after, {after[1]} "
                "(minor units).",
                field=where,
            )
    return (
        Balance(opened - first.amount, currency, first.booked_on),
        Balance(closed, currency, last.booked_on),
    )


class _Reader:
    """Lines of one table into entries."""

    def __init__(self, kind: Kind, known: Known, places: dict[str, int]) -> None:
        self.known = known
        self.layout = known.layout
        self.columns: Columns = known.layout.columns
        self.places = places
        self.debits = {mark.casefold() for mark in known.layout.debit_marks}
        self.decimal = known.layout.decimal
        self.kind = kind
        self.day: Callable[[str, str], date] = lru_cache(512)(self._day)

    def entry(self, number: int, cells: list[str]) -> Pair:
        """One line, and the balance after it. Raises UnreadableStatement, naming the line."""
        where = f"line {number}"

        def told(heading: str | None) -> str:
            place = self.places[heading] if heading else len(cells)
            return cells[place].strip() if place < len(cells) else ""

        columns, currency = self.columns, self.known.currency
        self._belongs(told(columns.account), told(columns.currency).upper(), where)
        amount = self._amount(told, where)
        booked_on = self.day(told(columns.booked_on), where)
        value_on = self.day(told(columns.value_on), where) if told(columns.value_on) else booked_on
        reference = plain.known(told(columns.reference))
        iban = plain.iban_in(re.sub(r"\s", "", told(columns.iban)))
        movement = Movement(
            amount=amount,
            currency=currency,
            party_name=plain.known(told(columns.name)),
            party_iban=iban,
            remittance=plain.spaced(" ".join(told(one) for one in columns.text))[:2000],
            end_to_end_id=plain.known(told(columns.end_to_end_id)),
            bank_reference=reference,
        )
        entry = Entry(amount, currency, "booked", booked_on, value_on, reference, (movement,), detailed=True)
        balance = told(columns.balance)
        return entry, self._number(balance, where) if balance else None

    def _belongs(self, account: str, currency: str, where: str) -> None:
        if account and re.sub(r"\s", "", account).upper() != self.known.account:
            raise UnreadableStatement(f"{where}: it is of the account {account[:40]!r}.", field=where)
        if currency and currency != self.known.currency:
            raise UnreadableStatement(f"{where}: it is in {currency[:10]}, not {self.known.currency}.", field=where)

    def _amount(self, told: Callable[[str | None], str], where: str) -> int:
        columns = self.columns
        if columns.amount:
            value = self._number(told(columns.amount), where)
            mark = told(columns.sign).casefold()
            return -abs(value) if mark and mark in self.debits else value
        incoming, outgoing = told(columns.credit), told(columns.debit)
        if not incoming and not outgoing:
            raise UnreadableStatement(f"{where}: it has neither credit nor debit.", field=where)
        value = self._number(incoming, where) if incoming else 0
        return value - abs(self._number(outgoing, where)) if outgoing else value

    def _number(self, told: str, where: str) -> int:
        bare = _GROUPING.sub("", told).removesuffix("€").removesuffix(self.known.currency)
        if self.kind == "csv":
            bare = self._ungrouped(bare).replace(self.decimal, ".")
        found = _NUMBER.fullmatch(bare.replace("\u2212", "-"))
        if found is None or not (found[2] or found[3]):
            raise UnreadableStatement(f"{where}: {told[:30]!r} is not an amount.", field=where)
        value = minor(f"{found[2] or '0'}.{found[3] or ''}", self.known.currency, where)
        negative = "-" in (found[1], found[4]) or bare.startswith("(")
        return -value if negative else value

    def _ungrouped(self, told: str) -> str:
        """Without the marks of thousands; empty if they are none: `1234.56` is no number with a decimal comma."""
        mark = "." if self.decimal == "," else ","
        whole, decimal, fraction = told.partition(self.decimal)
        groups = whole.split(mark)
        right = len(groups) == 1 or (all(len(one) == 3 for one in groups[1:]) and len(groups[0].strip("+-(")) <= 3)
        return "".join(groups) + decimal + fraction if right else ""

    def _day(self, told: str, where: str) -> date:
        wanted = "YYYY-MM-DD" if self.kind == "xlsx" and re.fullmatch(r"\d{4}-\d\d-\d\d", told) else None
        try:
            return datetime.strptime(told, FORMATS[wanted or self.layout.date_format]).date()  # noqa: DTZ007 - no instant
        except ValueError:
            raise UnreadableStatement(
                f"{where}: {told[:30]!r} is not a date written {self.layout.date_format}.", field=where
            ) from None
