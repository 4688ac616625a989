"""Reader of SWIFT MT940 and MT942, whose lines the `mt-940` library takes apart.

Protects: every :61: of the file becomes an entry, or the file is refused; what stands after the closing balance is no
text of the last entry; an expected entry (EC, ED) is pending. An MT940 proves itself by its balances, an MT942 by its
counts and sums (:90D:, :90C:) where it has them. Source: SWIFT MT940/MT942 format specifications.
"""

import logging
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import mt940
from mt940.models import Transactions

from services.payment_matching.errors import UnreadableStatement
from services.payment_matching.statements import exchange, plain, swift_details
from services.payment_matching.statements.told import Balance, Entry, File, Movement, Statement, Status, prove_balances

MOST_ENTRIES = 500_000
STARTS = re.compile(r"^(\{1:F01|:(20|21|25P?|28C?|NS|60[FM]|61|62[FM]|64|86|13D?|34F):)", re.MULTILINE | re.ASCII)
_MESSAGE = re.compile(r"^:20:", re.MULTILINE)
_LINE = re.compile(r"^:61:", re.MULTILINE)
_END = re.compile(r"^:(?:62[FM]|90[CD]):.*$", re.MULTILINE)
_SUMS = re.compile(r"^:90([CD]):([0-9]{1,5})([A-Z]{3})([0-9,]{1,16})\s*$", re.MULTILINE | re.ASCII)
_FLOOR = re.compile(r"^:34F:([A-Z]{3})", re.MULTILINE | re.ASCII)
_INTERIM = re.compile(r"^:(34F|13D|90[CD]):", re.MULTILINE)
_ACCOUNT = re.compile(r"^:25P?:(.*)$", re.MULTILINE)
_GERMAN = re.compile(r"([0-9]{8})/([0-9]{1,10})", re.ASCII)
_OUT = frozenset({"D", "RC", "ED"})


class StatementSWIFT(mt940.tags.Statement):
    """A :61: line as banks write it: with the marks of expected entries, and text of any length and lines after it.

    The library takes the role of a tag from the words of its class name that end in small letters.
    """

    pattern = mt940.tags.Statement.pattern.replace("R?[DC]", "[RE]?[DC]").replace(
        "(?P<extra_details>.*)", "(?P<extra_details>[\\s\\S]*)"
    )


def read(body: bytes) -> File:
    """The file as told, proved. Raises UnreadableStatement, naming the statement or the line."""
    told = plain.text(body)
    if len(_LINE.findall(told)) > MOST_ENTRIES:
        raise UnreadableStatement("The file has more entries than any statement.")
    statements = [_statement(message, number) for number, message in enumerate(_messages(told), 1)]
    if not statements:
        raise UnreadableStatement("The file holds no statement: it has no :20: line.")
    return File(statements[0].kind, "", statements[0].reference, tuple(statements))


def _messages(told: str) -> Iterator[str]:
    starts = [found.start() for found in _MESSAGE.finditer(told)]
    before = told[: starts[0]] if starts else told
    if _LINE.search(before):
        raise UnreadableStatement("There is a :61: line before the first :20:.", field=":20:")
    for start, end in pairwise([*starts, len(told)]):
        yield told[start:end]


def _statement(message: str, number: int) -> Statement:
    where = f"statement {number}"
    named = _ACCOUNT.search(message)
    if named is None or not named[1].strip():
        raise UnreadableStatement(f"{where}: it names no account (:25:).", field=":25:")
    interim = ":60" not in message and _INTERIM.search(message) is not None
    end = _END.search(message)
    if end and _LINE.search(message, end.end()):
        raise UnreadableStatement(f"{where}: there is a :61: line after its end.", field=":61:")
    told = _parsed(message[: end.end()] if end else message, where)
    opening = _balance(told, ("final_opening_balance", "intermediate_opening_balance", "opening_balance"), where)
    closing = _balance(told, ("final_closing_balance", "intermediate_closing_balance", "closing_balance"), where)
    floor = _FLOOR.search(message)
    currency = opening.currency if opening else closing.currency if closing else floor[1] if floor else None
    reference = str(told.data.get("transaction_reference") or "")
    sequence = "/".join(str(told.data[key]) for key in ("statement_number", "sequence_number") if told.data.get(key))
    found = Statement(
        kind="mt942" if interim else "mt940",
        reference=f"{reference} {sequence}".strip(),
        sequence=sequence or None,
        account=account(named[1], currency),
        currency=currency,
        opening=opening,
        closing=closing,
        entries=tuple(_entries(told, currency, where)),
    )
    prove_balances(found)
    _prove_sums(found, message, where)
    return found


def _parsed(message: str, where: str) -> Transactions:
    # What it cannot read the library would write to the log: names and accounts of payers.
    logging.getLogger("mt940").setLevel(logging.CRITICAL)
    told = Transactions(tags={61: StatementSWIFT()}, options=mt940.Options.all())
    try:
        told.parse(message)
    except RuntimeError as error:
        line = str(error.args[2])[:60] if len(error.args) > 2 else ""
        raise UnreadableStatement(f"{where}: {line!r} is not written as the format says.", field=where) from None
    except (ValueError, ArithmeticError, TypeError, LookupError) as error:
        raise UnreadableStatement(f"{where}: it is not written as the format says ({error}).", field=where) from None
    expected = len(_LINE.findall(message))
    if len([one for one in told.transactions if one.data.get("amount") is not None]) != expected:
        raise UnreadableStatement(f"{where}: {expected} lines, of which not all can be read.", field=where)
    return told


def _balance(told: Transactions, names: tuple[str, ...], where: str) -> Balance | None:
    found: Any = next((told.data[name] for name in names if told.data.get(name) is not None), None)
    if found is None:
        return None
    currency = str(found.amount.currency or "").upper()
    amount = plain.scaled(found.amount.amount, currency, where)
    return Balance(amount, currency, plain.calendar(found.date))


def account(told: str, currency: str | None) -> str:
    """The account of a :25: line: an IBAN where it holds or makes one, else what the bank wrote without spaces."""
    bare = re.sub(r"\s", "", told).upper()
    if currency and bare.endswith(currency):
        bare = bare.removesuffix(currency).rstrip("/")
    iban = plain.iban_in(bare) or plain.iban_in(told)
    if iban:
        return iban
    german = _GERMAN.fullmatch(bare)
    return plain.german_iban(german[1], german[2]) if german else bare


def _entries(told: Transactions, currency: str | None, where: str) -> Iterator[Entry]:
    for number, one in enumerate(told.transactions, 1):
        data = one.data
        if data.get("amount") is None:
            continue
        line = f"{where}, entry {number}"
        mark = str(data.get("status") or "").upper()
        amount = abs(plain.scaled(data["amount"].amount, currency, line))
        amount = -amount if mark in _OUT else amount
        value_on = plain.calendar(data["date"])
        booked_on = plain.calendar(data["entry_date"]) if data.get("entry_date") else value_on
        reference = plain.known(data.get("bank_reference"))
        movement = _movement(data, amount, currency or "", mark)
        status: Status = "pending" if mark.startswith("E") else "booked"
        yield Entry(amount, currency or "", status, booked_on, value_on, reference, (movement,), detailed=True)


def _movement(data: dict[str, Any], amount: int, currency: str, mark: str) -> Movement:
    more = swift_details.details(data)
    instructed, rate = exchange.swift(*swift_details.banks_own(data), own=currency)
    returned = mark.startswith("R") or str(data.get("id") or "")[1:].upper() == "RTI" or more.returned
    return Movement(
        amount=amount,
        currency=currency,
        party_name=more.name,
        party_iban=more.iban,
        ultimate_name=more.ultimate_name,
        remittance=more.remittance[:2000],
        structured_references=more.structured,
        end_to_end_id=more.end_to_end_id,
        instruction_id=more.instruction_id,
        bank_reference=plain.known(data.get("bank_reference")),
        mandate_id=more.mandate_id,
        return_code=more.return_code,
        instructed=instructed,
        exchange_rate=rate,
        returned=returned,
    )


def _prove_sums(found: Statement, message: str, where: str) -> None:
    """The counts and sums of :90D: and :90C: are those of the entries. Raises UnreadableStatement."""
    for side, count, currency, total in _SUMS.findall(message):
        told = plain.amount(total, currency, where)
        mine = [abs(one.amount) for one in found.entries if (one.amount < 0) == (side == "D")]
        if len(mine) != int(count) or sum(mine) != told:
            raise UnreadableStatement(
                f"{where}: :90{side}: tells of {count} entries of {total} and there are {len(mine)} of {sum(mine)} "
                "minor units.",
                field=f":90{side}:",
            )
