"""Structured references: only their own arithmetic proves them. Examples from the schemes' own documents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common import creditor_reference
from services.payment_matching import references
from services.payment_matching.evidence import Hit, item_keys, quotes, read, unread
from tests.unit.payment_matching.test_gate import item


@pytest.mark.parametrize(
    ("reference", "scheme"),
    [
        ("RF18 5390 0754 7034", "rf"),
        ("+++090/9337/55493+++", "ogm"),
        ("21 00000 00003 13947 14300 09017", "qrr"),
        ("1234561", "731"),
        ("SI12 1234567890120", None),
        ("RF19 5390 0754 7034", None),
        ("+++090/9337/55494+++", None),
        ("FA-2026-000123", None),
    ],
)
def test_a_reference_is_known_by_its_check_digits(reference: str, scheme: str | None) -> None:
    found = references.scheme(reference)
    assert found == scheme or (scheme is None and found not in ("rf", "ogm", "qrr"))


@given(st.from_regex(r"[A-Z0-9-]{1,20}[0-9]", fullmatch=True))
def test_every_reference_we_issue_proves_itself(number: str) -> None:
    assert references.scheme(creditor_reference.issued(number) or "") == "rf"


@given(st.from_regex(r"[0-9]{6,12}", fullmatch=True), st.integers(4, 9), st.integers(1, 9))
def test_one_wrong_digit_of_an_rf_reference_is_noticed(number: str, place: int, change: int) -> None:
    right = creditor_reference.issued(number) or ""
    wrong = right[:place] + str((int(right[place]) + change) % 10) + right[place + 1 :]
    assert references.scheme(wrong) != "rf"


def test_a_number_without_letters_or_digits_makes_no_reference() -> None:
    assert creditor_reference.issued("--/--") is None
    assert creditor_reference.issued("A" * 22) is None


def test_a_reference_of_ours_is_printed_in_fours() -> None:
    assert PRINTED == "RF31 FA20 2600 0123"


NUMBER = "FA-2026/000123"
PRINTED = creditor_reference.printed(creditor_reference.issued(NUMBER) or "")


@pytest.mark.parametrize(
    ("text", "structured"),
    [
        ("", (PRINTED,)),
        (f"VIR {PRINTED} MERCI", ()),
        (f"reglement {PRINTED.replace(' ', '').lower()}", ()),
        (f"RF 31 {NUMBER}", ()),
    ],
)
def test_a_reference_of_ours_names_its_invoice_as_surely_as_any(text: str, structured: tuple[str, ...]) -> None:
    found, one = read(text, structured), item(1, 100, number=NUMBER)
    hits = [Hit(key, kind, one.item_id, 1) for key, kind in item_keys(NUMBER, None, None) if key in found.keys]
    quoted = quotes(found, hits, {one.item_id: one})[one.item_id]
    assert quoted.strength == "checked"
    assert unread(found, [quoted.span], 100) == ()


def test_a_reference_of_ours_with_a_slip_proves_nothing() -> None:
    found = read(PRINTED.replace("31", "32"))
    assert "FA2026000123" not in found.checked
