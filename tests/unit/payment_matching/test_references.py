"""Structured references: only their own arithmetic proves them. Examples from the schemes' own documents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payment_matching import references


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
    assert references.scheme(references.rf(number)) == "rf"


@given(st.from_regex(r"[0-9]{6,12}", fullmatch=True), st.integers(4, 9), st.integers(1, 9))
def test_one_wrong_digit_of_an_rf_reference_is_noticed(number: str, place: int, change: int) -> None:
    right = references.rf(number)
    wrong = right[:place] + str((int(right[place]) + change) % 10) + right[place + 1 :]
    assert references.scheme(wrong) != "rf"


def test_a_number_without_letters_or_digits_makes_no_reference() -> None:
    with pytest.raises(ValueError, match="makes no RF reference"):
        references.rf("--/--")
