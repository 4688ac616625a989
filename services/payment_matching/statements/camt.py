"""Own reader of ISO 20022 camt.052, camt.053 and camt.054, every version: streamed, hardened, proved.

Protects: nothing of a file is taken unless all of it can be. Doctype, oversize, floods of attributes and deep
nesting are refused before they cost anything; entries are freed as they pass. Sources: ISO 20022 message
definitions camt.052/053/054.001.01 to .12; traps measured on real files (notes/matching.md §2).
"""

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from services.payment_matching.errors import UnreadableStatement
from services.payment_matching.statements import camt_entry
from services.payment_matching.statements.camt_tree import Tree, day, down, minor, nodes, signed, text, tree
from services.payment_matching.statements.told import Balance, Entry, File, Kind, Statement, prove_balances

MAX_BYTES = 50_000_000
MAX_ELEMENTS = 6_000_000
MAX_ENTRIES = 500_000
SPARE_ATTRIBUTES = 1_000
CHUNK = 1 << 16

MESSAGES: dict[str, tuple[str, Kind]] = {
    "BkToCstmrAcctRpt": ("Rpt", "camt.052"),
    "BkToCstmrStmt": ("Stmt", "camt.053"),
    "BkToCstmrDbtCdtNtfctn": ("Ntfctn", "camt.054"),
    # Version 01 wrote its number into the name.
    "BkToCstmrAcctRptV01": ("Rpt", "camt.052"),
    "BkToCstmrStmtV01": ("Stmt", "camt.053"),
    "BkToCstmrDbtCdtNtfctnV01": ("Ntfctn", "camt.054"),
}
_KINDS = dict(MESSAGES.values())
_HEARD = ("Document", "GrpHdr", "Ntry", *MESSAGES, *_KINDS)
_ENCODING = re.compile(rb"^<\?xml[^>]{0,200}encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_ENCODINGS = {b"utf-8", b"utf8", b"iso-8859-1", b"iso-8859-15", b"latin1", b"latin-1", b"windows-1252", b"us-ascii"}


def read(body: bytes) -> File:
    """The file as told, proved. Raises UnreadableStatement with what is wrong and where."""
    body = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    _refuse_hostile(body)
    reader = _Reader()
    try:
        for event, element in _events(body):
            reader.take(event, element)
    except etree.XMLSyntaxError as broken:
        raise UnreadableStatement(f"This is not well-formed XML: {broken.msg or 'it ends too early'}.") from None
    return reader.file()


def _refuse_hostile(body: bytes) -> None:
    if len(body) > MAX_BYTES:
        raise UnreadableStatement(f"The file is larger than {MAX_BYTES // 1_000_000} MB.")
    if not body:
        raise UnreadableStatement("The file is empty.")
    declared = _ENCODING.match(body)
    if not body.startswith(b"<") or 0 in body[:4] or (declared and declared[1].lower() not in _ENCODINGS):
        raise UnreadableStatement("The file is not XML in UTF-8 or Latin-1.")
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise UnreadableStatement("The file has a document type; statements have none.")
    elements = body.count(b"<")
    if elements > MAX_ELEMENTS:
        raise UnreadableStatement("The file has more elements than any statement.")
    if body.count(b'="') + body.count(b"='") > elements + SPARE_ATTRIBUTES:
        raise UnreadableStatement("The file has more attributes than any statement.")


def _events(body: bytes) -> Iterator[tuple[str, Any]]:
    parser = etree.XMLPullParser(
        events=("start", "end"),
        tag=[f"{{*}}{name}" for name in _HEARD],
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    for start in range(0, len(body), CHUNK):
        parser.feed(body[start : start + CHUNK])
        yield from parser.read_events()
    parser.close()
    yield from parser.read_events()


class _Reader:
    """Builds a File from the parser's events; an entry is freed once the next one was read."""

    def __init__(self) -> None:
        self.cut: int | None = None
        self.version = ""
        self.message: str | None = None
        self.message_id = ""
        self.entries: list[Entry] = []
        self.count = 0
        self.passed: Any = None
        self.statements: list[Statement] = []

    def take(self, event: str, element: Any) -> None:
        if self.cut is None:
            self._root(element.tag)
        name = element.tag[self.cut :]
        if event == "start":
            if name in MESSAGES:
                self.message = name
        elif name == "Ntry":
            self._entry(element)
        elif name in _KINDS:
            self._statement(name, element)
        elif name == "GrpHdr":
            self.message_id = text(tree(element, self.cut or 0), "MsgId") or ""

    def _root(self, tag: str) -> None:
        self.cut = tag.find("}") + 1
        self.version = tag[1 : self.cut - 1].rpartition(":")[2] if self.cut else ""

    def _entry(self, element: Any) -> None:
        self.count += 1
        if self.count > MAX_ENTRIES:
            raise UnreadableStatement("The file has more entries than any statement.")
        self.entries.append(camt_entry.entry(tree(element, self.cut or 0), self.count))
        element.clear(keep_tail=False)
        if self.passed is not None and self.passed.getparent() is not None:
            self.passed.getparent().remove(self.passed)
        self.passed = element

    def _statement(self, part: str, element: Any) -> None:
        if self.message is None or MESSAGES[self.message][0] != part:
            raise UnreadableStatement(f"The file has a {part} outside its message.")
        told = tree(element, self.cut or 0)
        found = statement(_KINDS[part], told, tuple(self.entries))
        prove_balances(found)
        self.statements.append(found)
        self.entries, self.passed = [], None
        element.clear(keep_tail=False)

    def file(self) -> File:
        """What was read. Raises UnreadableStatement when there was no statement in it."""
        if self.message is None:
            raise UnreadableStatement("This is no camt.052, camt.053 or camt.054 message.")
        if not self.statements:
            raise UnreadableStatement("The message holds no statement.")
        return File(MESSAGES[self.message][1], self.version, self.message_id, tuple(self.statements))


def statement(kind: Kind, told: Tree, entries: tuple[Entry, ...]) -> Statement:
    """One statement from its header and entries, not yet proved. Raises UnreadableStatement."""
    reference = text(told, "Id") or ""
    where = f"statement {reference}"
    named = down(told, "Acct", "Id")
    account = text(named, "IBAN") or text(named, "BBAN") or text(named, "Othr", "Id") or text(named, "PrtryAcct", "Id")
    if account is None:
        raise UnreadableStatement(f"{where}: it names no account.")
    currency = text(told, "Acct", "Ccy")
    return Statement(
        kind=kind,
        reference=reference,
        sequence=text(told, "ElctrncSeqNb") or text(told, "LglSeqNb"),
        account=account.replace(" ", "").upper(),
        currency=currency or next((entry.currency for entry in entries), None),
        opening=_opening(told, where),
        closing=_closing(told, where),
        entries=entries,
    )


def _opening(told: Tree, where: str) -> Balance | None:
    """OPBD, else the previous closing; on a later page of a statement, the first interim balance."""
    found = _balances(told, where)
    return _first(found, "OPBD") or _first(found, "PRCD") or (_first(found, "ITBD") if _page(told) > 1 else None)


def _closing(told: Tree, where: str) -> Balance | None:
    """CLBD; on a page that is not the last, the last interim balance."""
    found = _balances(told, where)
    last = text(told, "StmtPgntn", "LastPgInd") != "false"
    return _first(found, "CLBD") or (None if last else _first(found[::-1], "ITBD"))


def _page(told: Tree) -> int:
    number = text(told, "StmtPgntn", "PgNb") or "1"
    return int(number) if number.isascii() and number.isdigit() else 1


def _first(balances: list[tuple[str, Balance]], code: str) -> Balance | None:
    return next((balance for name, balance in balances if name == code), None)


def _balances(told: Tree, where: str) -> list[tuple[str, Balance]]:
    found = []
    for block in nodes(told, "Bal"):
        code = text(down(block, "Tp", "CdOrPrtry"), "Cd") or text(block, "Tp", "Cd") or ""
        on = day(block, "Dt", where)
        if code not in ("OPBD", "PRCD", "ITBD", "CLBD") or on is None:
            continue
        currency = block.get("Amt@Ccy") or ""
        value = minor(text(block, "Amt"), currency, where)
        # A bank that gives a balance no sign means a credit balance.
        found.append((code, Balance(signed(value, text(block, "CdtDbtInd") or "CRDT", where), currency, on)))
    return found
