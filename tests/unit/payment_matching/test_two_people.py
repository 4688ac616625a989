"""When one person is not enough, in figures: what was ordered, and what of it went elsewhere."""

from uuid import UUID

import pytest

from services.payment_matching.allocation import Line
from services.payment_matching.two_people import beyond, in_all
from tests.unit.payment_matching.test_book import an_item


@pytest.mark.parametrize(
    ("given", "elsewhere", "too_much"),
    [
        (100_000, 0, False),
        (100_001, 0, True),
        (50_001, 46_057, False),
        (50_002, 46_057, True),
        (0, 92_115, False),
        (1, 92_115, True),
    ],
)
def test_of_what_was_ordered_that_is_left_which_did_not_go_elsewhere(
    given: int, elsewhere: int, too_much: bool
) -> None:
    assert beyond(100_000, given, elsewhere, 92_115) is too_much


def test_what_passes_between_two_currencies_and_what_is_written_off_count_in_each() -> None:
    items = {UUID(int=1): an_item(100_000, 1, "USD"), UUID(int=2): an_item(5_000, 2)}
    lines = [Line(UUID(int=1), 99_500, 91_500), Line(UUID(int=2), 5_000)]
    assert in_all("EUR", items, lines, {UUID(int=1)}) == {"EUR": 96_500, "USD": 100_000}
