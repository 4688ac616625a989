"""Calibration: probabilities keep their word, a threshold only ever holds back, errors raise it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payment_matching.calibration import (
    EDGES,
    GUARDED,
    HIGHEST,
    PRIOR,
    Rules,
    Seen,
    calibrated,
    cell,
    error,
    fitted,
    raised,
)
from tests.unit.payment_matching.test_gate import BY_IBAN, THREE, paid_by, told

CELLS = [(guards, odds) for guards in range(GUARDED + 1) for odds in range(len(EDGES) + 1)]


def test_without_outcomes_the_products_own_curve_acts() -> None:
    assert fitted({}) == tuple(pytest.approx(row) for row in PRIOR)


def test_many_outcomes_outweigh_the_prior_and_their_error_falls() -> None:
    seen = {(1, 5): Seen(1_000, 600), (0, 6): Seen(5_000, 5_000), (3, 2): Seen(400, 20)}
    curve = fitted(seen)
    assert curve[1][5] == pytest.approx(0.61, abs=0.06)
    assert curve[0] == pytest.approx(PRIOR[0], abs=0.001)
    before, after = error(PRIOR, seen), error(curve, seen)
    assert before is not None and after is not None and after < 0.02 < before
    assert error(PRIOR, {}) is None


@given(
    st.dictionaries(
        st.sampled_from(CELLS),
        st.integers(0, 500).flatmap(lambda n: st.integers(0, n).map(lambda right: Seen(n, right))),
    )
)
def test_a_curve_never_falls_with_the_odds_and_is_a_probability(seen: dict[tuple[int, int], Seen]) -> None:
    for row in fitted(seen):
        assert list(row) == sorted(row)
        assert all(0 <= told <= 1 for told in row)


def test_cells_are_bounded_by_guards_and_odds() -> None:
    assert cell(-50.0, 9) == (GUARDED, 0)
    assert cell(700.0, 0) == (0, len(EDGES))


def test_a_threshold_holds_back_and_never_lets_more_be_done() -> None:
    sure, unsure = told("FA-2026-000123", 10_000, THREE, BY_IBAN), told("", 10_000, THREE)
    odds = sure.suggestions[0].odds
    assert paid_by(calibrated(sure, Rules(least_odds=odds - 1))) == {123: 10_000}
    held = calibrated(sure, Rules(least_odds=odds + 1))
    assert held.auto is None
    assert held.suggestions[0].unsure == ("below_threshold",)
    assert calibrated(unsure, Rules(least_odds=None)).auto is None


def test_probabilities_of_all_suggestions_are_one_at_most() -> None:
    decision = told("", 35_000, [*THREE, replace(THREE[0], number="X", residual=35_000)], BY_IBAN)
    shown = calibrated(decision, Rules())
    assert sum(one.share for one in shown.suggestions) <= 1 + 1e-9


def test_two_errors_raise_the_threshold_beyond_the_surer_one_and_what_is_certain_raises_nothing() -> None:
    assert raised(None, [9.0]) is None
    assert raised(None, [9.0, 12.5]) == pytest.approx(12.51)
    assert raised(10.0, [9.0, 12.5]) is None, "the first would not be done any more"
    assert raised(None, [HIGHEST + 5, 12.5]) is None
