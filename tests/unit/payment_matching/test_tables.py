"""Tables by a saved mapping: nothing is guessed, and every line is read or named."""

import io
from datetime import date
from typing import Any

import pytest
from openpyxl import Workbook
from pydantic import ValidationError

from services.payment_matching.errors import UnknownFormat, UnreadableStatement
from services.payment_matching.statements import formats
from services.payment_matching.statements.layout import Known
from services.payment_matching.statements.told import Statement

OURS = "FR7630006000011234567890189"
COLUMNS = {"booked_on": "Date", "amount": "Montant", "text": ["Libellé"], "reference": "Réf", "balance": "Solde"}
FRENCH = (
    "Export du 20/11/2026\n"
    "Date;Libellé;Réf;Montant;Solde\n"
    '20/11/2026;"VIR DUPONT; FA-1";R2;1 250,50;2.200,50\n'
    "19/11/2026;FRAIS;R1;-50,00;950,00\n"
)


def mapping(account: str = OURS, columns: dict[str, Any] | None = None, **more: Any) -> Known:
    told = {"columns": columns or COLUMNS, "header_row": 2} | more
    return Known.of(account, "EUR", told)


def read(body: str | bytes, *layouts: Known) -> Statement:
    (found,) = formats.read(body if isinstance(body, bytes) else body.encode(), layouts).statements
    return found


def refused(body: str, why: str, **more: Any) -> None:
    with pytest.raises(UnreadableStatement, match=why):
        read(body, mapping(**more))


def test_a_table_with_balances_proves_itself_oldest_first() -> None:
    told = read(FRENCH, mapping())
    assert (told.account, told.kind, [one.amount for one in told.entries]) == (OURS, "csv", [-5_000, 125_050])
    assert (told.opening.amount, told.closing.amount, told.closing.on) == (100_000, 220_050, date(2026, 11, 20))
    one = told.entries[1].movements[0]
    assert (one.remittance, one.bank_reference) == ("VIR DUPONT; FA-1", "R2")


def test_latin_1_is_read() -> None:
    assert read(FRENCH.encode("cp1252"), mapping()).booked == 120_050


def test_a_line_that_its_neighbour_does_not_prove_is_refused() -> None:
    refused(FRENCH.replace("2.200,50", "2.200,51"), "entry 2: the balance before")


def test_without_balances_a_table_proves_nothing() -> None:
    told = read(FRENCH, mapping(columns={"booked_on": "Date", "amount": "Montant"}))
    assert (told.opening, told.closing, told.booked) == (None, None, 120_050)


@pytest.mark.parametrize(
    ("instead", "why"),
    [
        ("1250.50", "line 3: '1250.50' is not an amount"),
        ("1,250,50", "line 3: '1,250,50' is not an amount"),
        ("douze", "line 3: 'douze' is not an amount"),
        ("1 250,505", "line 3: .* is not an amount of EUR"),
    ],
)
def test_no_amount_is_guessed(instead: str, why: str) -> None:
    refused(FRENCH.replace("1 250,50", instead), why)


def test_no_date_is_guessed() -> None:
    refused(FRENCH.replace("19/11/2026", "2026-11-19"), "line 4: '2026-11-19' is not a date written DD/MM/YYYY")
    refused(FRENCH, "line 3: '20/11/2026' is not a date written MM/DD/YYYY", date_format="MM/DD/YYYY")


def test_a_sign_may_have_a_column_and_so_may_each_side() -> None:
    signed = "Date;Montant;Sens\n20/11/2026;12,00;C\n20/11/2026;5,00;d\n"
    columns = {"booked_on": "Date", "amount": "Montant", "sign": "Sens"}
    assert [one.amount for one in read(signed, mapping(columns=columns, header_row=1)).entries] == [1_200, -500]
    sides = "Date;Débit;Crédit\n20/11/2026;;12,00\n20/11/2026;-5,00;\n20/11/2026;5,00;\n"
    columns = {"booked_on": "Date", "debit": "Débit", "credit": "Crédit"}
    assert [one.amount for one in read(sides, mapping(columns=columns, header_row=1)).entries] == [1_200, -500, -500]
    refused(sides + "20/11/2026;;\n", "line 5: it has neither", columns=columns, header_row=1)


def test_a_table_without_headings_has_numbered_columns() -> None:
    told = read("2026-11-20,12.00,FA-1\n", mapping(**NUMBERED))
    assert (told.booked, told.entries[0].movements[0].remittance) == (1_200, "FA-1")
    with pytest.raises(ValidationError):
        mapping(header_row=0)


NUMBERED: dict[str, Any] = {
    "columns": {"booked_on": "1", "amount": "2", "text": ["3"]},
    "header_row": 0,
    "delimiter": ",",
    "decimal": ".",
    "date_format": "YYYY-MM-DD",
}


def test_the_headings_say_whose_table_it_is() -> None:
    other = mapping("FR7610000000000000000000000", columns={"booked_on": "Jour", "amount": "Montant"})
    assert read(FRENCH, other, mapping()).account == OURS
    with pytest.raises(UnknownFormat, match="several accounts"):
        read(FRENCH, mapping("FR7610000000000000000000000"), mapping())
    with pytest.raises(UnknownFormat, match="headings fit no saved mapping"):
        read(FRENCH, other)


def test_a_line_of_another_account_or_currency_is_refused() -> None:
    told = f"Date;Montant;Compte;Devise\n20/11/2026;1,00;{OURS[:4]} {OURS[4:]};EUR\n20/11/2026;1,00;DE1;EUR\n"
    columns = {"booked_on": "Date", "amount": "Montant", "account": "Compte", "currency": "Devise"}
    refused(told, "line 3: it is of the account 'DE1'", columns=columns, header_row=1)
    refused(told.replace(";EUR\n", ";USD\n", 1), "line 2: it is in USD", columns=columns, header_row=1)


@pytest.mark.parametrize(
    "columns",
    [
        {"booked_on": "Date"},
        {"booked_on": "Date", "amount": "A", "credit": "B"},
        {"booked_on": "Date", "credit": "B", "sign": "C"},
        {"booked_on": "Date", "amount": "A", "colour": "B"},
    ],
)
def test_a_mapping_that_cannot_work_is_not_saved(columns: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        mapping(columns=columns)


def workbook(*rows: tuple[Any, ...]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def test_a_workbook_has_dates_and_numbers_of_its_own() -> None:
    body = workbook(
        ("Export",),
        ("Date", "Libellé", "Réf", "Montant", "Solde"),
        (date(2026, 11, 19), "FRAIS", "R1", -50, 950.0),
        (date(2026, 11, 20), "VIR FA-1", "R2", 1250.5, 2200.5),
    )
    told = read(body, mapping())
    assert (told.kind, told.opening.amount, told.closing.amount) == ("xlsx", 100_000, 220_050)


def test_a_package_that_is_no_workbook_is_refused() -> None:
    for body in (b"PK\x03\x04" + b"\0" * 100, workbook(("a",))[:-100]):
        with pytest.raises(UnreadableStatement, match="no workbook"):
            read(body, mapping())
