"""Allocation keeps every minor unit: nothing is lost, nothing is given twice, the same facts give the same lines."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payment_matching.allocation import Line, Owing, Standing, credited, fitting, oldest_first, taken_back
from services.payment_matching.errors import OverAllocated


def an_id(number: int) -> UUID:
    return UUID(int=number)


amounts = st.integers(1, 10**9)
owing = st.lists(st.tuples(amounts, st.integers(0, 400), st.integers(1, 4)), max_size=12).map(
    lambda rows: [
        Owing(an_id(place + 1), an_id(1000 + invoice), date(2026, 1, 1) + timedelta(days=days), residual)
        for place, (residual, days, invoice) in enumerate(rows)
    ]
)


def never_more_than_owed(lines: list[Line], items: list[Owing]) -> bool:
    residuals = {item.item_id: item.residual for item in items}
    return all(0 < line.amount <= residuals[line.item_id] for line in lines) and len(lines) == len(
        {line.item_id for line in lines}
    )


@given(amounts, owing)
def test_oldest_first_gives_all_it_can_and_never_more(available: int, items: list[Owing]) -> None:
    lines = oldest_first(available, items)
    assert sum(line.amount for line in lines) == min(available, sum(item.residual for item in items))
    assert never_more_than_owed(lines, items)
    assert lines == oldest_first(available, list(reversed(items)))


@given(amounts, owing, st.lists(st.tuples(st.integers(1, 5), st.none() | amounts), max_size=5))
def test_a_credit_note_never_gives_more_than_it_is_or_than_is_owed(
    available: int, items: list[Owing], named: list[tuple[int, int | None]]
) -> None:
    lines = credited(available, [(an_id(1000 + number), most) for number, most in named], items)
    assert sum(line.amount for line in lines) <= available
    assert never_more_than_owed(lines, items)


def test_a_credit_note_reduces_the_invoice_it_names_and_keeps_the_rest() -> None:
    old = Owing(an_id(1), an_id(11), date(2026, 1, 1), 500)
    named = Owing(an_id(2), an_id(12), date(2026, 2, 1), 300)
    assert credited(400, [(an_id(12), None)], [old, named]) == [Line(an_id(2), 300)]
    assert credited(400, [(an_id(12), 100)], [old, named]) == [Line(an_id(2), 100)]
    assert credited(400, [], [old, named]) == [Line(an_id(1), 400)]


@given(st.integers(0, 10**9), st.lists(st.tuples(amounts, st.booleans(), st.booleans()), max_size=8))
def test_what_is_taken_back_is_the_excess_and_never_more_than_stands(
    excess: int, rows: list[tuple[int, bool, bool]]
) -> None:
    standing = [Standing(an_id(n), amount, n, person, credit) for n, (amount, person, credit) in enumerate(rows)]
    back = taken_back(excess, standing)
    assert sum(amount for _, amount in back) == min(excess, sum(one.amount for one in standing))
    assert all(0 < amount <= standing[one.int].amount for one, amount in back)


def test_a_persons_match_is_taken_back_after_the_machines() -> None:
    machine = Standing(an_id(1), 100, 1)
    person = Standing(an_id(2), 100, 2, by_person=True)
    credit = Standing(an_id(3), 100, 3, credit=True)
    assert taken_back(150, [person, credit, machine]) == [(an_id(1), 100), (an_id(2), 50)]


@given(amounts, st.lists(st.tuples(st.integers(1, 4), amounts), max_size=8))
def test_lines_that_do_not_fit_are_refused_whole(available: int, rows: list[tuple[int, int]]) -> None:
    lines = [Line(an_id(item), amount) for item, amount in rows]
    residuals = {an_id(1): 10**6, an_id(2): 10**9, an_id(3): 1}
    wanted = {item: sum(line.amount for line in lines if line.item_id == item) for item in residuals}
    fits = (
        sum(line.amount for line in lines) <= available
        and all(amount <= residuals[item] for item, amount in wanted.items())
        and all(line.item_id in residuals for line in lines)
    )
    if fits:
        assert sum(line.amount for line in fitting(available, lines, residuals)) == sum(line.amount for line in lines)
    else:
        with pytest.raises(OverAllocated):
            fitting(available, lines, residuals)
