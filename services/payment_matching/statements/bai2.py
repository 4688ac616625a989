"""Reader of BAI2, whose records the `bai2` library takes apart.

Protects: the file's own counts and totals hold; where a bank counts otherwise, the balances must prove it instead.
Test files, corrections and deletions are not taken. Source: BAI Cash Management Balance Reporting, version 2.
"""

import re
from collections.abc import Iterator
from typing import Any

from bai2 import bai2
from bai2.constants import AsOfDateModifier, GroupStatus
from bai2.exceptions import IntegrityException, NotSupportedYetException, ParsingException

from libs.common.errors import UnknownCurrency
from libs.common.money import LIMIT, exponent
from services.payment_matching.errors import UnreadableStatement
from services.payment_matching.statements import plain
from services.payment_matching.statements.told import Balance, Entry, File, Movement, Statement, prove_balances

MOST_RECORDS = 200_000
STARTS = re.compile(r"01,[^,\n]*,[^,\n]*,[0-9]{6},", re.ASCII)
_NESTED = re.compile("01(?:02(?:03(?:16)*49)*98)*99", re.ASCII)
_RETURNED = frozenset({"123", "255", "257", "266", "423", "468", "555", "557", "566"})
"""Returned items; 567 is their fee."""
_INTERIM = (AsOfDateModifier.interim_previous_day, AsOfDateModifier.interim_same_day)


def read(body: bytes) -> File:
    """The file as told, proved. Raises UnreadableStatement, naming the account."""
    told = plain.text(body)
    if told.count("\n") > MOST_RECORDS:
        raise UnreadableStatement("The file has more records than any statement.")
    _whole(told)
    try:
        file, counted = bai2.parse_from_string(told), True
    except IntegrityException:
        file, counted = _parsed(told, check_integrity=False), False
    except _BROKEN as error:
        raise _refusal(error) from None
    statements = tuple(_statement(account, group, counted) for group in file.children for account in group.children)
    if not statements:
        raise UnreadableStatement("The file holds no statement.")
    return File("bai2", "2", str(file.header.file_id or ""), statements)


def _whole(told: str) -> None:
    """Its records nest and end as they must: the library would wait for ever for a record that never comes."""
    codes = [line.strip()[:2] for line in told.split("\n") if line.strip()]
    if not _NESTED.fullmatch("".join(code for code in codes if code != "88")):
        raise UnreadableStatement("The records are not those of a whole BAI2 file, 01 (02 (03 16 … 49) 98) 99.")


_BROKEN = (
    ParsingException,
    NotSupportedYetException,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    StopIteration,
)


def _parsed(told: str, **how: bool) -> Any:
    try:
        return bai2.parse_from_string(told, **how)
    except _BROKEN as error:
        raise _refusal(error) from None


def _refusal(error: Exception) -> UnreadableStatement:
    return UnreadableStatement(f"A record is not written as BAI2 says: {str(error)[:200]}.")


def _statement(told: Any, group: Any, counted: bool) -> Statement:
    number = re.sub(r"\s", "", str(told.header.customer_account_number or "")).upper()
    where = f"account {number}"
    if not number:
        raise UnreadableStatement("An account has no number.")
    if group.header.group_status is not GroupStatus.update:
        raise UnreadableStatement(f"{where}: it is a test, a correction or a deletion.", field=where)
    currency = told.header.currency or group.header.currency or "USD"
    on = group.header.as_of_date
    interim = group.header.as_of_date_modifier in _INTERIM
    balances = dict(_balances(told, currency, where))
    found = Statement(
        kind="bai2",
        reference=f"{number} {on.isoformat()}",
        sequence=None,
        account=plain.iban_in(number) or number,
        currency=currency,
        opening=Balance(balances["010"], currency, on) if "010" in balances else None,
        closing=Balance(balances["015"], currency, on) if "015" in balances and not interim else None,
        entries=tuple(_entry(one, currency, on, f"{where}, entry {n}") for n, one in enumerate(told.children, 1)),
    )
    if not counted and (found.opening is None or found.closing is None):
        raise UnreadableStatement(f"{where}: the file's totals do not hold and no balances prove it.", field=where)
    prove_balances(found)
    return found


def _balances(told: Any, currency: str, where: str) -> Iterator[tuple[str, int]]:
    for item in told.header.summary_items:
        if item.type_code is not None and item.type_code.code in ("010", "015") and item.amount is not None:
            yield item.type_code.code, _minor(item.amount, currency, where)


def _minor(told: int, currency: str, where: str) -> int:
    """BAI2 amounts are minor units already."""
    try:
        exponent(currency)
    except UnknownCurrency:
        raise UnreadableStatement(f"{where}: {currency!r} is not a currency.", field=where) from None
    if abs(told) >= LIMIT:
        raise UnreadableStatement(f"{where}: {told} is beyond what is taken.", field=where)
    return told


def _entry(told: Any, currency: str, on: Any, where: str) -> Entry:
    side = told.type_code.transaction.value if told.type_code.transaction else ""
    if side not in ("credit", "debit") or told.amount is None:
        raise UnreadableStatement(f"{where}: type {told.type_code.code} is neither credit nor debit.", field=where)
    amount = _minor(told.amount, currency, where) * (1 if side == "credit" else -1)
    reference = plain.known(told.bank_reference)
    text = plain.spaced(told.text)
    movement = Movement(
        amount=amount,
        currency=currency,
        party_iban=plain.iban_in(text),
        remittance=text[:2000],
        instruction_id=plain.known(told.customer_reference),
        bank_reference=reference,
        returned=told.type_code.code in _RETURNED,
    )
    return Entry(amount, currency, "booked", on, on, reference, (movement,), detailed=True)
