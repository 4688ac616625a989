"""Reader of Belgian CODA, version 2, whose records the `febelfin-coda` library takes apart.

Protects: the file's own counts and totals hold, the details of a batch sum to its entry, and a structured
communication is told as one. Source: Febelfin, Coded statement of account (CODA), version 2.6.
"""

import re
from collections.abc import Iterator
from typing import Any

from coda import CODA

from services.payment_matching.errors import UnreadableStatement
from services.payment_matching.statements import plain
from services.payment_matching.statements.told import (
    Balance,
    Entry,
    File,
    Movement,
    Statement,
    prove_balances,
    prove_entry,
)

LENGTH = 128
MOST_RECORDS = 1_500_000
STARTS = re.compile(r"00000[0-9]{6}[0-9 ]{3}[0-9]{2}[D ]", re.ASCII)
_BATCHES = ("1", "2")
"""Transaction types that are totals, of the customer's or of the bank's making."""
_PARTS = ("5", "6", "7")
"""Transaction types that are movements of a total. What a movement says of its own amount (8, 9) moves nothing."""
_UNPAID = {"1": "MS03", "2": "MS03", "3": "MS02", "4": "MS03"}
"""Why a direct debit was not paid, where its communication says no more: technical, unspecified, the debtor disagrees,
its account. Only who said no is known: the debtor (MS02) or its bank (MS03)."""
_REASON = re.compile(r"[A-Z]{2}[A-Z0-9]{2}", re.ASCII)
_RETURNS = ("1", "2", "3", "4")
"""Reject, return, refund, reversal; 0 says paid."""
_STRUCTURED = ("100", "101", "102", "103")


def read(body: bytes) -> File:
    """The file as told, proved. Raises UnreadableStatement, naming the record."""
    records = _Records(plain.text(body))
    try:
        told = CODA(records)
    except (AssertionError, AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        where = f"record {records.number}"
        why = f" ({error})" if str(error) else ""
        raise UnreadableStatement(f"{where}: it does not fit the records before it{why}.", field=where) from None
    if not told.statements:
        raise UnreadableStatement("The file holds no statement.")
    if not records.ended:
        raise UnreadableStatement("The file ends without its last record (9).")
    statements = tuple(_statement(one) for one in told.statements)
    return File("coda", "2", statements[0].reference, statements)


class _Records:
    """The records one by one, counted; every one has 128 characters."""

    def __init__(self, told: str) -> None:
        self.told = told
        self.number = 0
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(self.told.split("\n"), 1):
            self.number = number
            if not line.strip():
                continue
            where = f"record {self.number}"
            if self.number > MOST_RECORDS:
                raise UnreadableStatement("The file has more records than any statement.")
            if len(line.rstrip()) > LENGTH or line[0] not in "0123489":
                raise UnreadableStatement(f"{where}: this is no record of CODA.", field=where)
            if self.ended and line[0] != "0":
                raise UnreadableStatement(f"{where}: it follows the last record of its statement.", field=where)
            self.ended = line[0] == "9"
            yield _plainer(line.ljust(LENGTH))


def _plainer(record: str) -> str:
    """A movement whose value date the bank does not know has the entry's date. Details of a movement that is itself a
    part of a total (9) are told like those of a simple one (8): the library knows no third level."""
    if record.startswith("21") and record[53] == "9":
        record = record[:53] + "8" + record[54:]
    if record.startswith("21") and record[47:53] == "000000":
        return record[:47] + record[115:121] + record[53:]
    return record


def _statement(told: Any) -> Statement:
    currency = told.account_currency.strip()
    where = f"statement {told}"
    account = told.account.replace(" ", "").upper()
    if not account:
        raise UnreadableStatement(f"{where}: it names no account.")
    if re.fullmatch("[0-9]{12}", account, re.ASCII):
        account = plain.belgian_iban(account)
    found = Statement(
        kind="coda",
        reference=f"{told.creation_date.year}/{told.new_sequence}",
        sequence=told.new_sequence,
        account=account,
        currency=currency,
        opening=Balance(plain.scaled(told.old_balance, currency, where), currency, told.old_balance_date),
        closing=Balance(plain.scaled(told.new_balance, currency, where), currency, told.new_balance_date),
        entries=tuple(_entry(one, currency) for one in told.moves),
    )
    prove_balances(found)
    return found


def _entry(move: Any, currency: str) -> Entry:
    where = f"movement {move.sequence}"
    amount = plain.scaled(move.amount, currency, where)
    parts = [part for part in move.moves if part.transaction_type in _PARTS]
    parts = parts if move.transaction_type in _BATCHES else []
    if parts:
        amounts = [plain.scaled(part.amount, currency, where) for part in parts]
        prove_entry(amount, amounts, [], where)
        movements = tuple(_movement(part, each, currency) for part, each in zip(parts, amounts, strict=True))
    else:
        movements = (_movement(move, amount, currency),)
    reference = plain.known(move.bank_reference)
    return Entry(amount, currency, "booked", move.entry_date, move.value_date, reference, movements, bool(parts))


def _movement(move: Any, amount: int, currency: str) -> Movement:
    kind = move.communication_type
    message = plain.spaced(move.communication)
    structured = (message,) if kind in _STRUCTURED and message else ()
    mandate = plain.known(move._communication[48:83]) if kind == "127" else None
    reason = _returned(move)
    return Movement(
        amount=amount,
        currency=currency,
        party_name=plain.known(move.counterparty_name),
        party_iban=plain.iban_in((move.counterparty_account or "").split(" ")[0]),
        remittance="" if structured else message[:2000],
        structured_references=structured,
        end_to_end_id=plain.known(move.customer_reference),
        bank_reference=plain.known(move.bank_reference),
        mandate_id=mandate,
        return_code=reason,
        returned=reason is not None,
    )


def _returned(move: Any) -> str | None:
    """Why the bank takes a movement back, in its own field or in the communication of a direct debit; None if not."""
    told = [(move.r_transaction, move.r_reason or "")]
    debit = move._communication.ljust(150) if move.communication_type == "127" else ""
    if debit:
        told.append((debit[145], debit[146:150]))
    for kind, reason in told:
        if kind in _RETURNS and _REASON.fullmatch(reason.strip()):
            return str(reason.strip())
    return _UNPAID.get(debit[12]) if debit else None
