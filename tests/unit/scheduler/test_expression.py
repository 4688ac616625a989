"""Conditions: what is written is understood or refused with its place, and understood in one way only."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from libs.common.money import Money
from services.scheduler.condition import Condition
from services.scheduler.errors import ConditionInvalid
from services.scheduler.expression import (
    COMPARISONS,
    WORDS,
    Among,
    Amounts,
    Compared,
    Days,
    Every,
    Field,
    Fixed,
    Known,
    Node,
    Not,
    Some,
    Sum,
    parse,
    show,
)
from services.scheduler.judging import Day, day_of
from services.scheduler.vocabulary import FIELDS, OF_CASE
from tests.unit.scheduler.world import PARIS, STANDARD, case, item, mark, pause

NAME = st.from_regex(r"[a-z][a-z_]{0,6}\.[a-z][a-z_]{0,6}", fullmatch=True)
AMOUNT = st.builds(Money, st.integers(0, 10**9), st.sampled_from(["EUR", "GBP", "JPY", "TND"]))
VALUES = st.one_of(
    st.booleans(),
    st.dates(date(1900, 1, 1), date(2999, 12, 31)),
    st.text("abc 'xyzé=()", max_size=8),
    st.builds(Days, st.integers(-99_999, 99_999)),
    st.decimals(0, 10**9, places=2).map(lambda found: Decimal(f"{found:f}")),
    st.lists(AMOUNT, min_size=1, max_size=3, unique_by=lambda m: m.currency).map(lambda m: Amounts(tuple(m))),
)
FIXED = st.builds(Fixed, VALUES)
ATOMS = FIXED | st.builds(Field, NAME)


def _larger(of: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(of, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Not, of),
        st.builds(Every, several),
        st.builds(Some, several),
        st.builds(Compared, of, st.sampled_from(COMPARISONS), of),
        st.builds(Among, of, st.lists(FIXED, min_size=1, max_size=3).map(tuple)),
        st.builds(Known, of),
        st.builds(Sum, of, st.sampled_from("+-"), of),
    )


@settings(max_examples=400)
@given(st.recursive(ATOMS, _larger, max_leaves=8))
def test_what_is_written_down_is_read_as_it_was_meant(tree: Node) -> None:
    assert parse(show(tree)) == tree


PIECES = [*sorted(WORDS), *COMPARISONS, *FIELDS, "(", ")", "[", "]", ",", "+", "-", "1000.00 EUR", "12", "30 days",
          "'slow'", "2026-09-01", "EUR", "==", "&&", "é", "__import__", "\x00"]  # fmt: skip


@settings(max_examples=600)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join)))
@example("(" * 5000)
@example("not " * 400 + "true")
@example("item.due_date" + " + 99999 days" * 130 + " > today")
@example("item.overdue > 99999999999999999999999999999999 days")
@example("item.residual > 99999999999999999999.00 EUR")
def test_whatever_is_written_is_understood_or_refused_with_its_column(text: str) -> None:
    try:
        found = Condition.of(text, FIELDS)
    except ConditionInvalid as wrong:
        assert wrong.facts["column"] >= 1
        assert wrong.facts["expected"]
        assert wrong.remedy_text
    else:
        assert Condition.of(found.text, FIELDS).tree == found.tree
        assert found.answer(LATE, DAY) in (True, False, None)
        assert found.possible() in (True, False)


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("item.residual > 1000", 17, "an amount"),
        ("item.residual > 'much'", 17, "an amount"),
        ("item.overdue > 30", 16, "a number of days"),
        ("profile.name = 'slwo'", 16, "one of good, regular, slow, strategic, public_body"),
        ("profile.name > 'slow'", 14, "= or !="),
        ("item.resdual > 1.00 EUR", 1, "a field"),
        ("item.residual > 1.234 EUR", 17, "an amount"),
        ("item.residual > 1.00 EUX", 17, "an amount"),
        ("item.residual", 1, "something that is true or false"),
        ("item.disputed and", 18, "a field or a value"),
        ("item.disputed or (case.disputed", 32, "“)”"),
        ("item.disputed case.disputed", 15, "the end, and, or"),
        ("item.overdue == 30 days", 14, "one sign"),
        ("item.due_date > 2026-02-30", 17, "a day between 1900 and 2999"),
        ("item.due_date + item.issue_date > today", 15, "dates, days or numbers that fit"),
        ("item.residual > [1.00 EUR, 2.00 EUR]", 17, "each currency once"),
        ("import.os = 'x'", 1, "a field"),
        ("item.number = 'x", 15, "a word, a number or a sign"),
        ("", 1, "a field or a value"),
    ],
)
def test_a_mistake_is_named_with_its_column_and_what_was_expected(text: str, column: int, expected: str) -> None:
    with pytest.raises(ConditionInvalid) as wrong:
        Condition.of(text, FIELDS)
    assert (wrong.value.facts["column"], wrong.value.facts["expected"]) == (column, expected)
    assert wrong.value.remedy_text


DUE = date(2026, 9, 1)
TODAY = date(2026, 10, 1)
LATE = item("A", DUE, 1500, marks=(mark("friendly", date(2026, 9, 3)),), pauses=(pause("dispute", 20_000),))
DAY: Day = day_of(case(LATE, item("B", TODAY, 700)), STANDARD, PARIS, TODAY)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("item.overdue = 30 days and today - item.due_date = 30 days", True),
        ("item.residual >= [1500.00 EUR, 10.00 GBP] and item.undisputed = 1300.00 EUR", True),
        ("1000.00 EUR < item.residual", True),
        ("case.owed = 2200.00 EUR and case.overdue = 1500.00 EUR and case.overdue_items = 1", True),
        ("item.residual > 10.00 GBP", None),
        ("not item.residual > 10.00 GBP", None),
        ("item.residual > 10.00 GBP or item.disputed", True),
        ("item.residual > 10.00 GBP and case.escalated", False),
        ("profile.name = 'slow'", None),
        ("profile.name is known or case.since_answer is not known", True),
        ("deliveries.count = 1 and deliveries.unanswered >= 1 and item.level = 2", True),
        ("case.state in ('amicable', 'clear') and item.currency not in ('USD', 'GBP')", True),
        ("item.due_date + 1 day < 2026-09-02", False),
        ("false or not (true and item.cycle > 1)", True),
    ],
)
def test_a_condition_is_answered_from_the_facts_and_unknown_stays_unknown(text: str, answer: bool | None) -> None:
    found = Condition.of(text, FIELDS)
    assert found.answer(LATE, DAY) is answer
    assert found.holds(LATE, DAY) is (answer is True)


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("item.overdue > 30 days", True),
        ("item.overdue < 10 days", False),
        ("item.level > 3 and item.level < 3", False),
        ("profile.name = 'slow' and profile.name = 'good'", False),
        ("deliveries.count < 0", False),
        ("item.residual > 100.00 EUR and item.residual < 100.00 EUR", False),
        ("item.residual > 100.00 EUR and item.residual < 100.02 EUR", True),
        ("item.disputed and not item.disputed", False),
        ("today > 2026-01-01 and today < 2025-01-01", False),
        ("false", False),
    ],
)
def test_a_condition_that_nothing_can_meet_is_found_out(text: str, possible: bool) -> None:
    assert Condition.of(text, FIELDS).possible({"item.overdue": 10}) is possible


def test_a_segment_asks_for_nothing_of_a_single_item() -> None:
    with pytest.raises(ConditionInvalid):
        Condition.of("item.residual > 1.00 EUR", OF_CASE)
    assert Condition.of("profile.name = 'slow' and debtor.country = 'FR'", OF_CASE).fields == {
        "profile.name",
        "debtor.country",
    }


def test_every_field_is_named_in_both_languages_and_can_be_asked() -> None:
    compared: dict[str, Callable[[str], str]] = {
        "yes_no": lambda name: name, "number": lambda name: f"{name} > 1", "text": lambda name: f"{name} is known",
        "date": lambda name: f"{name} > today", "days": lambda name: f"{name} > 1 day",
        "amount": lambda name: f"{name} > 1.00 EUR",
    }  # fmt: skip
    for name, fact in FIELDS.items():
        assert fact.fr and fact.en and fact.fr != fact.en
        assert Condition.of(compared[fact.kind](name), FIELDS).answer(LATE, DAY) in (True, False, None)
