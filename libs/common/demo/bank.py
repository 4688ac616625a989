"""The bank's side of the demo: one camt.053.001.08 statement per account and day, balances proved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from xml.etree import ElementTree as Tree  # written, never read

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


@dataclass(frozen=True)
class Transfer:
    """Money that came in on an account, in cents; `returned` is an ISO 20022 reason when the bank took it back."""

    reference: str
    amount: int
    payer: str
    payer_iban: str
    text: str
    returned: str | None = None


def statement(iban: str, day: date, sequence: int, opening: int, transfers: Sequence[Transfer]) -> bytes:
    """One day of one account; the closing balance is the opening one and the entries."""
    root = Tree.Element("Document", xmlns=NAMESPACE)
    top = Tree.SubElement(root, "BkToCstmrStmt")
    header = Tree.SubElement(top, "GrpHdr")
    _put(header, "MsgId", f"{iban[-11:]}-{day:%Y%m%d}")
    _put(header, "CreDtTm", f"{day}T23:30:00+01:00")
    stmt = Tree.SubElement(top, "Stmt")
    _put(stmt, "Id", f"{iban[-11:]}-{sequence:05d}")
    _put(stmt, "ElctrncSeqNb", str(sequence))
    _put(stmt, "CreDtTm", f"{day}T23:30:00+01:00")
    account = Tree.SubElement(stmt, "Acct")
    _put(account, "Id/IBAN", iban)
    _put(account, "Ccy", "EUR")
    closing = opening + sum(-one.amount if one.returned else one.amount for one in transfers)
    _balance(stmt, "OPBD", opening, day)
    _balance(stmt, "CLBD", closing, day)
    for transfer in transfers:
        _entry(stmt, transfer, day)
    return bytes(Tree.tostring(root, encoding="utf-8", xml_declaration=True))


def _put(parent: Tree.Element, path: str, text: str) -> Tree.Element:
    for name in path.split("/"):
        parent = Tree.SubElement(parent, name)
    parent.text = text
    return parent


def _amount(parent: Tree.Element, cents: int) -> None:
    whole, part = divmod(abs(cents), 100)
    _put(parent, "Amt", f"{whole}.{part:02d}").set("Ccy", "EUR")


def _balance(stmt: Tree.Element, code: str, cents: int, day: date) -> None:
    balance = Tree.SubElement(stmt, "Bal")
    _put(balance, "Tp/CdOrPrtry/Cd", code)
    _amount(balance, cents)
    _put(balance, "CdtDbtInd", "CRDT" if cents >= 0 else "DBIT")
    _put(balance, "Dt/Dt", day.isoformat())


def _entry(stmt: Tree.Element, transfer: Transfer, day: date) -> None:
    direction = "DBIT" if transfer.returned else "CRDT"
    entry = Tree.SubElement(stmt, "Ntry")
    _amount(entry, transfer.amount)
    _put(entry, "CdtDbtInd", direction)
    _put(entry, "Sts/Cd", "BOOK")
    _put(entry, "BookgDt/Dt", day.isoformat())
    _put(entry, "ValDt/Dt", day.isoformat())
    _put(entry, "AcctSvcrRef", transfer.reference)
    details = Tree.SubElement(Tree.SubElement(entry, "NtryDtls"), "TxDtls")
    references = Tree.SubElement(details, "Refs")
    _put(references, "AcctSvcrRef", transfer.reference)
    _put(references, "EndToEndId", f"E2E{transfer.reference}")
    _amount(details, transfer.amount)
    _put(details, "CdtDbtInd", direction)
    parties = Tree.SubElement(details, "RltdPties")
    _put(parties, "Dbtr/Pty/Nm", transfer.payer)
    _put(parties, "DbtrAcct/Id/IBAN", transfer.payer_iban)
    _put(details, "RmtInf/Ustrd", transfer.text)
    if transfer.returned:
        _put(details, "RtrInf/Rsn/Cd", transfer.returned)
