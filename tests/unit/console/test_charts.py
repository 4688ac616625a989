"""Charts: round grid lines, gaps where nothing is known, names that can be read, bars that pile up to their sum."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.console.pages.charts import APART, BOTTOM, HEIGHT, TOP, lines, piles, scale, shares


def test_grid_lines_stand_at_round_numbers() -> None:
    assert scale([47.0]).steps == (0, 20, 40, 60)
    assert scale([1_234_567.0]).steps == (0, 500_000, 1_000_000, 1_500_000)
    assert scale([]).steps == (0, 1)


def test_lines_far_above_zero_begin_below_the_lowest() -> None:
    assert scale([38.0, 47.0, 55.0], grounded=False).steps == (35, 40, 45, 50, 55)
    assert scale([10.0, 47.0], grounded=False).steps[0] == 0
    assert scale([38.0, 47.0]).steps[0] == 0


def test_a_month_that_is_not_known_leaves_a_gap() -> None:
    _, (line,) = lines({"simple": [10.0, None, 30.0, 40.0]}, [True] * 4)
    assert [point.place for point in line.points] == [0, 2, 3]
    assert len(line.pieces) == 1


def test_what_was_put_together_afterwards_is_drawn_apart() -> None:
    _, (line,) = lines({"simple": [10.0, 20.0, 30.0, 40.0]}, [False, False, True, True])
    assert [sure for _, sure in line.pieces] == [False, True]


@given(st.lists(st.floats(0, 1e9), min_size=3, max_size=3))
def test_names_at_the_ends_of_lines_never_touch(ends: list[float]) -> None:
    _, found = lines({str(number): [end] for number, end in enumerate(ends)}, [True])
    heights = sorted(line.label_y for line in found)
    assert all(b - a >= APART - 0.01 for a, b in pairwise(heights))
    assert [line.name for line in found] == ["0", "1", "2"]


@given(st.lists(st.lists(st.floats(0, 1e9), min_size=2, max_size=2), min_size=1, max_size=13))
def test_bars_stand_on_the_ground_and_stay_in_the_picture(values: list[list[float]]) -> None:
    _, bars = piles(values, [True] * len(values))
    for bar in bars:
        for _, y, height in bar.parts:
            assert TOP - 0.2 <= y <= HEIGHT - BOTTOM + 0.2
            assert height >= 0


@given(st.lists(st.integers(0, 10**9), min_size=5, max_size=5))
def test_the_parts_of_a_bar_fill_it(parts: list[int]) -> None:
    bars = shares(parts, 84)
    assert sum(wide for _, _, wide in bars) == (84 if any(parts) else 0)
