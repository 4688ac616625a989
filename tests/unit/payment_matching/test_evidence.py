"""What a payment's text says, and what it does not say."""

from services.payment_matching.evidence import overlap, read


def test_digits_that_run_out_of_a_number_quoted_in_full_are_no_other_number() -> None:
    keys = read("EX-2026-0002 1 ACOMPTE").keys
    assert overlap(keys["EX20260002"], keys["202600021"]), "202600021 is VSE-2026-00021's digits, and was not meant"


def test_two_numbers_side_by_side_are_two() -> None:
    keys = read("F-100 F-200").keys
    assert not overlap(keys["F100"], keys["F200"])
