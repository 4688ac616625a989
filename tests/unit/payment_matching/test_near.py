"""Numbers written almost right: what one slip or a cut leaves is found among the payer's own items."""

import pytest

from services.payment_matching.evidence import read, unread_places
from services.payment_matching.near import COMPARED, near, one_slip
from tests.unit.payment_matching.test_gate import THREE, item

ITEMS = [item(n, 1_000 * n, number=number) for n, number in ((1, "FA-2026-017466"), (2, "30001/D-26"), (3, "0034508"))]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("17466", "17466", True),
        ("17466", "17416", True),
        ("17466", "1746", True),
        ("17466", "174660", True),
        ("17466", "17646", True),
        ("17466", "17655", False),
        ("17466", "1746612", False),
        ("123", "124", False),
    ],
)
def test_one_slip_is_one_character_added_lost_changed_or_two_swapped(one: str, other: str, same: bool) -> None:
    assert one_slip(one, other) is same
    assert one_slip(other, one) is same


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("VIR FA-2026-0174G6 MERCI", [1]),
        ("facture 300001/d-26", [2]),
        ("FACTURE 3450", [3]),
        ("Fact. FA-2026-01746", [1]),
        ("fact 7466 merci", [1]),
        ("FACTURE 345 merci", []),
        ("FACTURE 99881", []),
    ],
)
def test_what_is_near_is_found(text: str, meant: list[int]) -> None:
    found = read(text)
    places = unread_places(found, [], 77)
    assert sorted({quote.item_id.int for quote in near(found, places, ITEMS)}) == meant


def test_two_items_as_near_as_one_another_are_both_told() -> None:
    found = read("FA 2026 000129")
    assert {quote.count for quote in near(found, unread_places(found, [], 77), THREE)} == {3}


def test_among_very_many_items_a_slip_means_nothing_and_is_not_looked_for() -> None:
    text = read("vir 17416")
    few = [item(n, 1_000, number=f"FA-2026-{n:06d}") for n in range(17_460, 17_470)]
    many = [item(n, 1_000, number=f"FA-2026-{n:06d}") for n in range(17_460, 17_460 + COMPARED)]
    assert near(text, unread_places(text, (), 5), few)
    assert near(text, unread_places(text, (), 5), many) == []
