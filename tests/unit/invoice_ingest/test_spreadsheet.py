"""Excel workbooks: read like the same table in CSV; hostile ones are refused before they are unpacked."""

import io
import zipfile
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from services.invoice_ingest.errors import DocumentHostile, DocumentUnreadable
from services.invoice_ingest.sources import spreadsheet
from services.invoice_ingest.sources.tabular import TableMapping, look, rows

HEADINGS = ["N° facture", "Date", "Échéance", "TTC", "Code client", "Nom client"]
LINE = ["F-1", date(2026, 9, 1), datetime(2026, 10, 1, 0, 0), 1234.5, "É1", "Maison Ézéchiel"]  # noqa: DTZ001 - a cell


def workbook(*lines: list[Any], **sheets: Any) -> bytes:
    book = Workbook()
    page = book.active
    assert page is not None
    for line in lines:
        page.append(line)
    for name in sheets:
        book.create_sheet(name)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def read(data: bytes, **mapping: Any) -> list[Any]:
    return [line for _, line in rows(data, TableMapping.model_validate(mapping))]


def altered(data: bytes, part: str, content: bytes) -> bytes:
    """The workbook with one part in the place of another."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, content if info.filename == part else old.read(info))
        if part not in old.namelist():
            new.writestr(part, content)
    return made.getvalue()


def test_a_workbook_makes_what_the_same_csv_makes() -> None:
    (line,) = read(workbook(HEADINGS, LINE))
    assert line == {
        "number": "F-1",
        "issue_date": "2026-09-01",
        "due_date": "2026-10-01",
        "totals": {"gross": {"amount": "1234.50", "currency": "EUR"}},
        "debtor": {"external_id": "É1", "name": "Maison Ézéchiel"},
    }


@pytest.mark.parametrize("decimal", ["auto", ",", "."])
@pytest.mark.parametrize("date_format", ["YYYY-MM-DD", "DD/MM/YYYY", "YYYYMMDD"])
def test_real_dates_and_numbers_need_no_format(decimal: str, date_format: str) -> None:
    lines = [
        HEADINGS,
        ["F-1", date(2026, 9, 1), date(2026, 10, 1), 0.1 + 0.2, "C1", "x"],
        ["F-2", *LINE[1:3], 12, "C1"],
    ]
    first, second = read(workbook(*lines), decimal=decimal, date_format=date_format)
    assert first["totals"]["gross"]["amount"] == "0.30"
    assert first["issue_date"] == "2026-09-01"
    assert second["totals"]["gross"]["amount"] == "12.00"


def test_lines_keep_their_numbers_and_empty_ones_are_skipped() -> None:
    told = list(rows(workbook(HEADINGS, [], LINE, [None] * 6, ["F-2", *LINE[1:]]), TableMapping()))
    assert [number for number, _ in told] == [3, 5]


def test_the_first_visible_sheet_is_read_and_formulas_are_not_run() -> None:
    book = load_workbook(io.BytesIO(workbook(HEADINGS, LINE)))
    hidden = book.create_sheet("Cachée", 0)
    hidden.sheet_state = "hidden"
    hidden.append(["nothing"])
    page = book.worksheets[1]
    page["A2"] = "=1+1"
    made = io.BytesIO()
    book.save(made)
    (line,) = read(made.getvalue())
    assert "number" not in line


def test_a_look_tells_the_headings_and_what_they_are_taken_for() -> None:
    found = look(workbook([*HEADINGS, "Remarque"], *[LINE] * 9), TableMapping())
    assert found.headings == [*HEADINGS, "Remarque"]
    assert found.understood["totals.gross"] == "TTC"
    assert "Remarque" not in found.understood.values()
    assert len(found.sample) == 5
    assert found.sample[0][3] == "1234.5"


def test_a_cell_far_away_costs_nothing() -> None:
    book = Workbook()
    page = book.active
    assert page is not None
    page.append(HEADINGS)
    page.append(LINE)
    page["A1048576"] = "far"
    made = io.BytesIO()
    book.save(made)
    assert [number for number, _ in rows(made.getvalue(), TableMapping())] == [2, 1_048_576]
    page["XFD3"] = "wide"
    made = io.BytesIO()
    book.save(made)
    with pytest.raises(DocumentUnreadable) as refused:
        read(made.getvalue())
    assert "200 columns" in refused.value.detail


BOMB = b"<worksheet>" + b" " * 30_000_000 + b"</worksheet>"
LAUGHS = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("xl/worksheets/sheet1.xml", BOMB),
        ("xl/media/picture.bin", b"\0" * 40_000_000),
        ("xl/sharedStrings.xml", LAUGHS),
        ("xl/worksheets/sheet1.xml", b"<!--" + b"x" * 70_000 + b"-->" + LAUGHS),
        ("xl/worksheets/sheet1.xml", LAUGHS.decode().encode("utf-16")),
        ("xl/workbook.xml", LAUGHS.decode().encode("utf-16-be")),
    ],
)
def test_bombs_and_entities_are_refused(part: str, content: bytes) -> None:
    with pytest.raises(DocumentHostile):
        read(altered(workbook(HEADINGS, LINE), part, content))


def test_an_archive_of_too_many_parts_is_refused() -> None:
    made = io.BytesIO(workbook(HEADINGS, LINE))
    with zipfile.ZipFile(made, "a") as archive:
        for number in range(spreadsheet.MOST_PARTS):
            archive.writestr(f"xl/more{number}.bin", b"")
    with pytest.raises(DocumentHostile):
        read(made.getvalue())


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04" + b"broken",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"an old file",
        altered(workbook(HEADINGS, LINE), "xl/workbook.xml", b"<nothing"),
        altered(workbook(HEADINGS, LINE), "[Content_Types].xml", b"<Types/>"),
    ],
)
def test_what_is_no_workbook_is_refused_with_a_remedy(data: bytes) -> None:
    with pytest.raises(DocumentUnreadable) as refused:
        read(data)
    assert "CSV" in refused.value.remedy_text


def test_amounts_of_many_digits_stay_exact() -> None:
    (line,) = read(workbook(HEADINGS, ["F-1", *LINE[1:3], 98_765_432.19, "C1", "x"]))
    assert Decimal(line["totals"]["gross"]["amount"]) == Decimal("98765432.19")
