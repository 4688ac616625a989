"""Own reader of OFX 1 (SGML) and OFX 2 (XML) bank and card statements.

Protects: every STMTTRN of the file becomes an entry or the file is refused; a correction of an earlier file is not
taken for new money. OFX tells no opening balance, so nothing proves that a period is whole and no feed moves by it.
Source: OFX 2.3 specification, chapter 11.
"""

import html
import re
from collections.abc import Iterator
from datetime import date

from services.payment_matching.errors import UnreadableStatement
from services.payment_matching.statements import plain
from services.payment_matching.statements.camt_tree import minor
from services.payment_matching.statements.told import Balance, Entry, File, Movement, Statement, Status

MOST_ENTRIES = 500_000
STARTS = re.compile(
    rb"\s*(OFXHEADER:|(<\?xml[^>]{0,200}\?>\s*)?<\?OFX |(<\?xml[^>]{0,200}\?>\s*)?<OFX>)", re.IGNORECASE
)
_TAG = re.compile(r"<(/?)([A-Z0-9.]{1,40})>([^<]*)", re.IGNORECASE | re.ASCII)
_STATEMENTS = ("STMTRS", "CCSTMTRS")
_ENTRIES: dict[str, Status] = {"STMTTRN": "booked", "STMTTRNP": "pending"}
_AMOUNT = re.compile(r"([+-]?)([0-9]{1,15})(?:[.,]([0-9]{0,6}))?", re.ASCII)

Fields = dict[str, str]


def read(body: bytes) -> File:
    """The file as told. Raises UnreadableStatement, naming the entry."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise UnreadableStatement("The file has a document type; statements have none.")
    told = plain.text(body)
    expected = len(re.findall(r"<STMTTRNP?>", told, re.IGNORECASE))
    if expected > MOST_ENTRIES:
        raise UnreadableStatement("The file has more entries than any statement.")
    found = [_statement(parts, number) for number, parts in enumerate(_statements(told), 1)]
    read_of = sum(len(one.entries) for one in found)
    if read_of != expected:
        raise UnreadableStatement(f"The file has {expected} entries and {read_of} of them can be read.")
    if not found:
        raise UnreadableStatement("The file holds no statement of an account.")
    return File("ofx", "", "", tuple(found))


def _statements(told: str) -> Iterator[tuple[Fields, list[Fields]]]:
    """The fields of each statement, and those of its entries; both by the name of the tag."""
    head: Fields | None = None
    entries: list[Fields] = []
    within: Fields | None = None
    for closing, tag, value in _TAG.findall(told):
        name = tag.upper()
        if name in _STATEMENTS:
            if closing and head is not None:
                yield head, entries
                head = None
            elif not closing:
                head, entries = {}, []
            within = None
        elif head is None:
            continue
        elif name in _ENTRIES:
            within = None if closing else {"": _ENTRIES[name]}
            if within is not None:
                entries.append(within)
        elif name == "BANKTRANLIST" and closing:
            within = None
        elif not closing and value.strip():
            (head if within is None else within).setdefault(name, html.unescape(value).strip())
    if head is not None:
        raise UnreadableStatement("The file ends within a statement.")


def _statement(parts: tuple[Fields, list[Fields]], number: int) -> Statement:
    head, told = parts
    where = f"statement {number}"
    currency = head.get("CURDEF", "").upper()
    if "ACCTID" not in head:
        raise UnreadableStatement(f"{where}: it names no account (ACCTID).", field="ACCTID")
    entries = tuple(_entry(one, currency, place) for place, one in enumerate(told, 1))
    closing = None
    if "BALAMT" in head and "DTASOF" in head:
        amount = _signed(head["BALAMT"], currency, where)
        closing = Balance(amount, currency, _day(head["DTASOF"], where))
    return Statement(
        kind="ofx",
        reference=f"{head.get('DTSTART', '')[:8]}-{head.get('DTEND', '')[:8]}",
        sequence=None,
        account=_account(head),
        currency=currency,
        opening=None,
        closing=closing,
        entries=entries,
    )


def _account(head: Fields) -> str:
    number = re.sub(r"\s", "", head["ACCTID"]).upper()
    bank = head.get("BANKID", "")
    french = plain.french_iban(bank, head.get("BRANCHID", ""), number)
    return french or plain.iban_in(number) or number


def _entry(told: Fields, currency: str, number: int) -> Entry:
    where = f"entry {number}"
    if "CORRECTFITID" in told:
        raise UnreadableStatement(f"{where}: it corrects an earlier file.", field=where)
    amount = _signed(told.get("TRNAMT", ""), currency, where)
    posted = told.get("DTPOSTED") or told.get("DTTRAN") or ""
    booked_on = _day(posted, where)
    reference = plain.known(told.get("FITID"))
    movement = Movement(
        amount=amount,
        currency=currency,
        party_name=plain.known(told.get("NAME")),
        remittance=plain.spaced(f"{told.get('NAME', '')} {told.get('MEMO', '')}")[:2000],
        instruction_id=plain.known(told.get("REFNUM")),
        transaction_id=reference,
    )
    status: Status = "pending" if told[""] == "pending" else "booked"
    value_on = _day(told["DTAVAIL"], where) if "DTAVAIL" in told else booked_on
    return Entry(amount, currency, status, booked_on, value_on, None, (movement,), detailed=True)


def _signed(told: str, currency: str, where: str) -> int:
    found = _AMOUNT.fullmatch(told.replace(" ", ""))
    if found is None:
        raise UnreadableStatement(f"{where}: {told[:30]!r} is not an amount.", field=where)
    value = minor(f"{found[2]}.{found[3] or ''}", currency, where)
    return -value if found[1] == "-" else value


def _day(told: str, where: str) -> date:
    try:
        return date(int(told[:4]), int(told[4:6]), int(told[6:8]))
    except ValueError:
        raise UnreadableStatement(f"{where}: {told[:30]!r} is not a date.", field=where) from None
