"""Excel workbooks (.xlsx) as lines of text: the first sheet, its values and not its formulas.

Written for files from strangers: what the archive unpacks to is bounded before anything is unpacked, entities are
refused, and cells far away cost nothing. Dates become text in the mapping's own format, numbers keep all digits
that Excel keeps.
"""

import io
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from services.invoice_ingest.errors import DocumentHostile, DocumentUnreadable

MOST_BYTES = 120_000_000
"""Of a workbook once it is unpacked, all parts together."""
MOST_PART = 90_000_000
MOST_PARTS = 500
MOST_RATIO = 250
"""How often a part may be larger than in the archive; tables of plain text stay below 60."""
CELL = 2_000
_SLICE = 1 << 16
_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def is_workbook(data: bytes) -> bool:
    """Whether these bytes are an archive, as .xlsx files are. Raises DocumentUnreadable for an old .xls file."""
    if data.startswith(_OLD):
        remedy = "Save the table as .xlsx or as CSV, without a password."
        raise DocumentUnreadable("This is an old or protected Excel file.", field="file", remedy=remedy)
    return data.startswith(b"PK\x03\x04")


def lines(data: bytes, *, dates: str, mark: str, most_columns: int) -> Iterator[tuple[int, list[str]]]:
    """The number of each line of the first sheet and its cells as text; `dates` is a strftime format, `mark` the
    decimal mark. Raises DocumentUnreadable or DocumentHostile."""
    from openpyxl import load_workbook  # noqa: PLC0415 - 10 MB that only a workbook needs
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _bounded(archive)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and validations that we do not read
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
            sheet = next((each for each in book.worksheets if each.sheet_state == "visible"), None)
            if sheet is None:
                raise DocumentUnreadable("The workbook has no sheet.", field="file")
            sheet.reset_dimensions()  # else every line is filled up to the farthest cell
            for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
                cells = _trimmed([_text(value, dates, mark) for value in row])
                if len(cells) > most_columns:
                    raise DocumentUnreadable(f"Line {number} has more than {most_columns} columns.", field="file")
                yield number, cells
    except DocumentUnreadable:
        raise
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, TypeError, OSError, SyntaxError) as error:
        remedy = "Open it in Excel, save it as .xlsx again, or save it as CSV."
        raise DocumentUnreadable("This is no workbook that can be read.", field="file", remedy=remedy) from error


def _bounded(archive: zipfile.ZipFile) -> None:
    """Refuse what unpacks to too much, and whatever declares entities."""
    parts = archive.infolist()
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_BYTES:
        raise DocumentHostile("The workbook is too large once it is unpacked.", field="file")
    for part in parts:
        if part.file_size > MOST_PART or part.file_size > MOST_RATIO * max(part.compress_size, 1_000):
            raise DocumentHostile("A part of the workbook is too large once it is unpacked.", field="file")
        if part.flag_bits & 0x1:
            raise DocumentUnreadable("The workbook is protected by a password.", field="file")
        if part.filename.endswith((".xml", ".rels", ".vml")):
            _plain(archive, part)


def _plain(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """UTF-8 without a doctype: entities can hide in nothing else. Reads no further than the size that was declared."""
    with archive.open(part) as opened:
        before = opened.read(4)
        if before[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in before:
            raise DocumentHostile("A part of the workbook is not written in UTF-8.", field="file")
        while some := opened.read(_SLICE):
            if b"<!DOCTYPE" in before + some or b"<!ENTITY" in before + some:
                raise DocumentHostile("The workbook declares a document type.", field="file")
            before = some[-16:]


def _text(value: Any, dates: str, mark: str) -> str:
    if value is None:
        return ""
    if isinstance(value, date):
        return value.strftime(dates)
    if isinstance(value, float):
        # Fifteen digits are what a cell really holds; the rest is what binary numbers make of it.
        return f"{Decimal(f'{value:.15g}'):f}".replace(".", mark)
    return str(value)[:CELL].strip()


def _trimmed(cells: list[str]) -> list[str]:
    """Without the empty cells at the end."""
    while cells and not cells[-1]:
        cells.pop()
    return cells
