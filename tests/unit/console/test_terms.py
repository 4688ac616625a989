"""Conditions as rows of a form: what rows can say comes back as it was, and no row changes what a condition means."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from libs.common.errors import RelanceError
from services.console.pages.terms import SIGNS, Term, terms_of, text_of, unread
from services.scheduler.condition import Condition
from services.scheduler.vocabulary import FIELDS

KINDS = {name: str(fact.kind) for name, fact in FIELDS.items()}


@pytest.mark.parametrize(
    ("typed", "condition"),
    [
        (Term("item.overdue", ">=", "10"), "item.overdue >= 10 days"),
        (Term("item.overdue", "=", "1 jour"), "item.overdue = 1 day"),
        (Term("item.undisputed", ">=", "1 000,00 EUR; 850.00 GBP"), "item.undisputed >= [1000.00 EUR, 850.00 GBP]"),
        (Term("item.residual", ">", "500 €"), "item.residual > 500.00 EUR"),
        (Term("profile.name", "=", "slow, regular"), "profile.name in ('slow', 'regular')"),
        (Term("profile.name", "!=", "good"), "profile.name != 'good'"),
        (Term("item.disputed", "=", "non"), "not item.disputed"),
        (Term("case.escalated", "=", ""), "case.escalated"),
        (Term("profile.late_share", ">", "12,5"), "profile.late_share > 12.5"),
        (Term("item.due_date", "<", "01/09/2026"), "item.due_date < 2026-09-01"),
        (Term("item.due_date", "<=", "aujourd’hui"), "item.due_date <= today"),
    ],
)
def test_what_is_typed_in_a_row_is_a_condition_of_the_scheduler(typed: Term, condition: str) -> None:
    assert text_of([typed], KINDS) == condition
    assert Condition.of(condition, FIELDS).text == condition
    again = terms_of(condition, KINDS)
    assert again is not None and text_of(again, KINDS) == condition


@pytest.mark.parametrize(
    "condition",
    ["item.disputed or case.escalated", "not (item.disputed and case.escalated)", "profile.delay is known",
     "today - item.issue_date > 60 days", "item.number = 'A and B'"],
)  # fmt: skip
def test_what_rows_cannot_say_stays_a_text(condition: str) -> None:
    assert Condition.of(condition, FIELDS).text == condition
    assert terms_of(condition, KINDS) is None


def test_what_cannot_be_read_goes_to_the_linter_as_it_was_typed() -> None:
    typed = [Term("item.overdue", ">", "dix"), Term("item.residual", ">", "1000"), Term("", "=", "x")]
    assert text_of(typed, KINDS) == "item.overdue > dix and item.residual > 1000"
    assert text_of([], KINDS) is None and terms_of(None, KINDS) == []


@pytest.mark.parametrize(
    ("term", "wrong"),
    [
        (Term("item.overdue", ">", "dix"), True), (Term("item.overdue", ">", "10 jours"), False),
        (Term("item.residual", ">", "1000"), True), (Term("item.residual", ">", "1 000 EUR; 850,00 GBP"), False),
        (Term("profile.name", "=", "slwo"), True), (Term("profile.name", "=", "slow, good"), False),
        (Term("item.disputed", ">", "oui"), True), (Term("item.disputed", "=", "peut-être"), True),
        (Term("item.due_date", "<", "demain"), True), (Term("profile.late_share", "<", "12,5"), False),
        (Term("debtor.country", "=", "FR"), False),
    ],
)  # fmt: skip
def test_a_value_that_is_none_of_its_kind_is_known_before_it_is_told(term: Term, wrong: bool) -> None:
    assert unread(term, KINDS[term.field], FIELDS[term.field].values) == wrong


@given(
    some.lists(some.builds(Term, some.sampled_from(sorted(KINDS)), some.sampled_from(SIGNS), some.text(max_size=20))),
)
def test_rows_are_read_again_only_as_what_they_meant(typed: list[Term]) -> None:
    text = text_of(typed, KINDS)
    try:
        meant = Condition.of(text or "", FIELDS).text
    except RelanceError:
        return
    again = terms_of(meant, KINDS)
    assert again is None or text_of(again, KINDS) == meant
