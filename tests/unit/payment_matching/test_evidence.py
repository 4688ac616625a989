"""What a payment's text says, and what it does not say."""

import pytest

from services.payment_matching.evidence import Hit, overlap, quotes, read
from tests.unit.payment_matching.test_gate import item


def test_digits_that_run_out_of_a_number_quoted_in_full_are_no_other_number() -> None:
    keys = read("EX-2026-0002 1 ACOMPTE").keys
    assert overlap(keys["EX20260002"], keys["202600021"]), "202600021 is VSE-2026-00021's digits, and was not meant"


def test_two_numbers_side_by_side_are_two() -> None:
    keys = read("F-100 F-200").keys
    assert not overlap(keys["F100"], keys["F200"])


@pytest.mark.parametrize(
    ("reference", "structured", "strength"),
    [
        ("66345", (), "group"),
        ("6634512", (), "digits"),
        ("090933755493", (), "checked"),
        ("110000", ("1100 00",), "checked"),
        ("RF18539007547034", (), "checked"),
    ],
)
def test_a_short_reference_in_free_text_is_met_by_chance(
    reference: str, structured: tuple[str, ...], strength: str
) -> None:
    found = read(f"FA {reference} X", structured)
    one = item(1, 100)
    quoted = quotes(found, [Hit(reference, "reference", one.item_id, 1)], {one.item_id: one})
    assert quoted[one.item_id].strength == strength
