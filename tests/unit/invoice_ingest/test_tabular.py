"""Tables: encodings, delimiters, decimals, dates; a bad line is refused alone."""

from typing import Any

import pytest

from libs.common.errors import RelanceError
from services.invoice_ingest.sources.tabular import TableMapping, rows


def read(data: bytes, **mapping: Any) -> list[Any]:
    return [line for _, line in rows(data, TableMapping.model_validate(mapping))]


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_the_usual_headings_are_found_in_any_encoding(delimiter: str, encoding: str) -> None:
    lines = [
        ["N° facture", "Date", "Échéance", "TTC", "Code client"],
        ["F-1", "2026-09-01", "2026-10-01", "12.5", "É1"],
    ]
    (line,) = read("\r\n".join(delimiter.join(line) for line in lines).encode(encoding))
    assert line == {
        "number": "F-1",
        "issue_date": "2026-09-01",
        "due_date": "2026-10-01",
        "totals": {"gross": {"amount": "12.50", "currency": "EUR"}},
        "debtor": {"external_id": "É1"},
    }


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1 234,50", "1234.50"),
        ("1\u202f234,50 €", "1234.50"),
        ("1.234,50", "1234.50"),
        ("1,234.50", "1234.50"),
        ("-12,5", "-12.50"),
        ("12 EUR", "12.00"),
    ],
)
def test_amounts_are_read_as_people_write_them(text: str, amount: str) -> None:
    (line,) = read(f"number;gross\nF-1;{text}\n".encode())
    assert line["totals"]["gross"]["amount"] == amount


@pytest.mark.parametrize("text", ["abc", "1e5", "12,345", "--1", "١٢"])
def test_what_is_no_amount_is_refused_with_its_field(text: str) -> None:
    (line,) = read(f'number;gross\nF-1;"{text}"\n'.encode())
    assert isinstance(line, RelanceError)
    assert line.field == "totals.gross"


def test_a_date_that_is_written_otherwise_is_refused_and_not_guessed() -> None:
    (line,) = read(b"number;date\nF-1;03/04/2026\n")
    assert isinstance(line, RelanceError)
    (line,) = read(b"number;date\nF-1;03/04/2026\n", date_format="DD/MM/YYYY")
    assert line["issue_date"] == "2026-04-03"


@pytest.mark.parametrize("data", [b"PK\x03\x04\x00\x00", b"", b'number;gross\n"F-1;1\n'])
def test_what_is_no_table_is_refused_whole(data: bytes) -> None:
    with pytest.raises(RelanceError) as refused:
        read(data)
    assert refused.value.field == "file"


def test_a_column_for_a_field_that_is_none_is_refused() -> None:
    with pytest.raises(RelanceError) as refused:
        read(b"a\n1\n", columns={"tenant_id": "a"})
    assert refused.value.field == "mapping.columns.tenant_id"
