"""Two ledgers side by side: what agrees, what differs and how, and when a person must look first."""

from datetime import date
from uuid import UUID, uuid4

from services.payment_matching.agreeing import Ours, Theirs, compare, doubts, explained

DAY = date(2026, 11, 20)


def ours(number: str, residual: int, sequence: int = 1, issued: date = date(2026, 10, 1)) -> Ours:
    return Ours(uuid4(), UUID(int=1), number, number, sequence, "EUR", residual, issued)


def theirs(number: str, residual: int, sequence: int | None = None) -> Theirs:
    return Theirs(number, number, sequence, "EUR", residual)


def kinds(here: list[Ours], there: list[Theirs]) -> list[tuple[str, str, int, int]]:
    found = compare(here, there, DAY).differences
    return [(one.kind, one.number, one.ours, one.theirs) for one in found]


def test_what_agrees_to_the_cent_is_no_difference() -> None:
    found = compare([ours("A", 100), ours("B", 200)], [theirs("A", 100), theirs("B", 200, 1)], DAY)
    assert (found.agreed, found.differences) == (2, ())


def test_missing_extra_and_other_amounts_are_told_apart() -> None:
    here, there = [ours("A", 100), ours("B", 200)], [theirs("B", 201), theirs("C", 50)]
    assert kinds(here, there) == [("amount", "B", 200, 201), ("extra", "C", 0, 50), ("missing", "A", 100, 0)]


def test_a_line_without_instalment_stands_for_the_whole_invoice() -> None:
    here = [ours("A", 100, 1), ours("A", 150, 2)]
    assert kinds(here, [theirs("A", 250)]) == []
    assert kinds(here, [theirs("A", 150, 2)]) == [("missing", "A", 100, 0)]


def test_an_invoice_of_the_day_itself_is_not_missing_yet() -> None:
    assert kinds([ours("A", 100, issued=DAY)], []) == []


def test_the_same_number_in_another_currency_is_another_item() -> None:
    there = [Theirs("A", "A", None, "USD", 100)]
    assert [kind for kind, *_ in kinds([ours("A", 100)], there)] == ["extra", "missing"]


def test_what_the_customer_has_to_its_credit_is_no_item() -> None:
    assert kinds([], [theirs("AV-1", -500)]) == []


def test_money_that_the_erp_has_not_booked_explains_just_what_it_is() -> None:
    here = [ours("A", 60)]
    found = compare(here, [theirs("A", 100)], DAY).differences
    assert [one.kind for one in explained(found, {here[0].item_id: 40})] == ["ahead"]
    assert [one.kind for one in explained(found, {here[0].item_id: 30})] == ["amount"]
    assert explained(found, {here[0].item_id: 40})[0].counts == 0


def test_a_person_looks_when_the_totals_are_wrong_or_a_fifth_is_gone() -> None:
    here = [ours(f"A{n}", 100) for n in range(10)]
    there = [theirs(f"A{n}", 100) for n in range(8)]
    assert doubts((8, {"EUR": 800}), there, compare(here, there, DAY)) == []
    assert doubts((9, {"EUR": 801}), there, compare(here, there, DAY)) == ["count_differs", "sum_differs"]
    fewer = there[:7]
    assert doubts((7, {"EUR": 700}), fewer, compare(here, fewer, DAY)) == ["too_many_vanished"]
