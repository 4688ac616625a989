"""Tables (CSV, Excel) into the canonical contract, by a mapping from its fields to column headings.

Encodings: UTF-8, else Windows-1252. Delimiters: ; , tab |. Decimals: a comma or a point, told or seen. Nothing is
guessed about dates: `date_format` says how they are written. Each line stands alone and is refused alone.
"""

import csv
import io
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from libs.common.errors import Refused, RelanceError
from libs.common.money import Money
from services.invoice_ingest.errors import ContractBroken, DocumentUnreadable
from services.invoice_ingest.sources import spreadsheet
from services.invoice_ingest.sources.wire import Key, Wire

MOST_LINES = 50_000
SAMPLE = 5
MOST_COLUMNS = 200
DelimiterName = Literal["auto", ";", ",", "\t", "|"]
DateFormat = Literal["YYYY-MM-DD", "DD/MM/YYYY", "DD.MM.YYYY", "MM/DD/YYYY", "YYYYMMDD"]
_FORMATS: dict[str, str] = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "DD/MM/YYYY": "%d/%m/%Y",
    "DD.MM.YYYY": "%d.%m.%Y",
    "MM/DD/YYYY": "%m/%d/%Y",
    "YYYYMMDD": "%Y%m%d",
}
FIELDS = (
    "external_id", "version", "kind", "number", "issue_date", "due_date", "terms", "payment_means",
    "payment_reference", "currency", "totals.net", "totals.tax", "totals.gross", "totals.prepaid", "totals.rounding",
    "totals.payable", "debtor.external_id", "debtor.name", "debtor.siren", "debtor.vat_number", "debtor.country",
    "debtor.email", "references.order_number", "references.buyer_reference", "status",
)  # fmt: skip
_DATES = ("issue_date", "due_date")
_ALIASES: dict[str, tuple[str, ...]] = {
    "number": ("number", "invoice", "invoice number", "facture", "n° facture", "numero", "numero facture", "piece"),
    "issue_date": ("issue_date", "issue date", "date", "invoice date", "date facture", "date de facture"),
    "due_date": ("due_date", "due date", "due", "echeance", "date echeance", "date d'echeance"),
    "totals.gross": ("gross", "totals.gross", "total", "amount", "ttc", "montant", "montant ttc", "total ttc"),
    "totals.net": ("net", "ht", "montant ht", "total ht"),
    "totals.tax": ("tax", "vat", "tva", "montant tva"),
    "currency": ("currency", "devise"),
    "debtor.external_id": ("debtor.external_id", "customer", "customer id", "code client", "client", "compte"),
    "debtor.name": ("debtor.name", "customer name", "nom", "nom client", "raison sociale"),
    "debtor.siren": ("siren",),
    "debtor.vat_number": ("vat number", "tva intracommunautaire", "n° tva"),
    "debtor.email": ("email", "e-mail", "courriel"),
    "terms": ("terms", "conditions", "conditions de reglement"),
    "external_id": ("external_id", "id"),
    "references.order_number": ("order", "order number", "commande", "n° commande"),
}


class TableMapping(Wire):
    """How a table is read: field of the contract → column heading; left out, the usual headings are looked for."""

    columns: Annotated[dict[str, Key], Field(max_length=len(FIELDS))] = {}
    delimiter: DelimiterName = "auto"
    decimal: Literal["auto", ",", "."] = "auto"
    date_format: DateFormat = "YYYY-MM-DD"
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "EUR"
    """Of lines that have no currency of their own."""


Row = Mapping[str, str]


def rows(data: bytes, mapping: TableMapping) -> Iterator[tuple[int, dict[str, Any] | RelanceError]]:
    """Line number in the file and the canonical object it makes, or why it makes none. Raises Refused for the whole."""
    table = _table(data, mapping)
    _, first = next(table, (0, []))
    places = _places([heading.strip() for heading in first], mapping)
    told = ((number, cells) for number, cells in table if any(cell.strip() for cell in cells))
    for count, (number, cells) in enumerate(told):
        if count >= MOST_LINES:
            raise Refused(f"The table has more than {MOST_LINES} lines.", field="file", remedy="Split it.")
        yield number, _made(cells, places, mapping)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a table looks like before it is taken: its headings, what they are understood as, its first lines."""

    headings: list[str]
    understood: dict[str, str]
    """Field of the contract → heading."""
    sample: list[list[str]]


def look(data: bytes, mapping: TableMapping) -> Looked:
    """Read the first lines alone. Raises Refused for the whole."""
    table = _table(data, mapping)
    headings = [heading.strip() for heading in next(table, (0, []))[1]]
    places = _places(headings, mapping)
    sample = [cells for _, cells in itertools.islice(table, SAMPLE)]
    return Looked(headings, {field: headings[place] for field, place in places.items()}, sample)


def _table(data: bytes, mapping: TableMapping) -> Iterator[tuple[int, list[str]]]:
    """Line numbers in the file and their cells, the headings first."""
    if spreadsheet.is_workbook(data):
        mark = "," if mapping.decimal == "," else "."
        dates = _FORMATS[mapping.date_format]
        yield from spreadsheet.lines(data, dates=dates, mark=mark, most_columns=MOST_COLUMNS)
        return
    text = _decoded(data)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text, mapping.delimiter), strict=True)
    try:
        for cells in lines:
            yield lines.line_num, cells
    except csv.Error as error:
        raise DocumentUnreadable(f"Line {lines.line_num} is not a line of a table: {error}.", field="file") from error


def _decoded(data: bytes) -> str:
    if b"\x00" in data[:4096]:
        raise DocumentUnreadable("This is not a text file.", field="file", remedy="Save the table as .xlsx or as CSV.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _delimiter(text: str, told: str) -> str:
    if told != "auto":
        return told
    head = text.split("\n", 1)[0]
    return max(";,\t|", key=head.count)


def _plain(heading: str) -> str:
    return heading.strip().lower().translate(str.maketrans("éèêàâîôûç", "eeeaaiouc"))


def _places(headings: list[str], mapping: TableMapping) -> dict[str, int]:
    if not headings or len(headings) > MOST_COLUMNS:
        raise DocumentUnreadable("The first line has no column headings.", field="file")
    unknown = [field for field in mapping.columns if field not in FIELDS]
    if unknown:
        raise Refused(f"{unknown[0]!r} is not a field that a column can fill.", field=f"mapping.columns.{unknown[0]}")
    missing = [(field, name) for field, name in mapping.columns.items() if name not in headings]
    if missing:
        field, name = missing[0]
        raise Refused(f"There is no column {name!r}.", field=f"mapping.columns.{field}", remedy="Correct the heading.")
    if mapping.columns:
        return {field: headings.index(name) for field, name in mapping.columns.items()}
    plain = [_plain(heading) for heading in headings]
    named = ((field, name) for field, names in _ALIASES.items() for name in names if name in plain)
    found: dict[str, int] = {}
    for field, name in named:
        found.setdefault(field, plain.index(name))
    return found


def _made(cells: list[str], places: dict[str, int], mapping: TableMapping) -> dict[str, Any] | RelanceError:
    try:
        told = {field: cells[place].strip() for field, place in places.items() if place < len(cells)}
        return _nested({field: value for field, value in told.items() if value}, mapping)
    except RelanceError as refused:
        return refused


def _nested(told: Row, mapping: TableMapping) -> dict[str, Any]:
    currency = told.get("currency", mapping.currency).upper()
    made: dict[str, Any] = {}
    for field, text in told.items():
        group, _, name = field.rpartition(".")
        if field == "debtor.email":
            made.setdefault("debtor", {})["contacts"] = [{"name": told.get("debtor.name", text), "email": text}]
        elif field in _DATES:
            made[field] = _date(text, field, mapping.date_format)
        elif group == "totals":
            made.setdefault("totals", {})[name] = _amount(text, field, currency, mapping.decimal)
        elif group:
            made.setdefault(group, {})[name] = text
        else:
            made[field] = _plain_value(field, text, currency)
    return made


def _plain_value(field: str, text: str, currency: str) -> str | int:
    if field == "currency":
        return currency
    return int(text) if field == "version" and text.isdecimal() else text


def _date(text: str, field: str, told: DateFormat) -> str:
    try:
        return datetime.strptime(text, _FORMATS[told]).date().isoformat()  # noqa: DTZ007 - a date, no instant
    except ValueError:
        raise ContractBroken(
            f"{text[:40]!r} is not a date written {told}.", field=field, remedy="Correct it, or set date_format."
        ) from None


_GROUPED = re.compile(r"[ \u00a0\u202f']")


def _amount(text: str, field: str, currency: str, decimal: str) -> dict[str, str]:
    plain = _GROUPED.sub("", text).removesuffix("€").removesuffix(currency)
    mark = decimal if decimal != "auto" else ("," if plain.rfind(",") > plain.rfind(".") else ".")
    plain = plain.replace("." if mark == "," else ",", "").replace(mark, ".")
    try:
        return Money.parse(plain, currency).wire()
    except RelanceError as refused:
        raise type(refused)(refused.detail, field=field) from None
