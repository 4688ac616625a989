"""The next payment of an agreed plan: which it is, and when the machine takes it. One row, one world."""

from datetime import timedelta

import pytest

from services.payment_matching.evidence import Awaited, Known, next_part
from services.payment_matching.words import say
from tests.unit.payment_matching.test_gate import BY_IBAN, BY_NAME, MARTIN, THREE, TODAY, item, paid_by, told

PARTS = [("2026-12-01", 20_000), ("2026-11-01", 30_000), ("2027-01-01", 10_000)]
PLAN = Awaited("EUR", TODAY, 30_000, frozenset(one.item_id for one in THREE))


@pytest.mark.parametrize(
    ("paid", "expected"),
    [
        (0, 30_000),
        (12_000, 18_000),
        (30_000, 20_000),
        (59_999, 1),
        (60_000, None),
    ],
)
def test_the_next_instalment_is_the_first_that_is_not_covered(paid: int, expected: int | None) -> None:
    assert next_part(PARTS, paid) == expected


def test_a_known_payer_pays_the_next_instalment_into_the_oldest_items_of_the_plan() -> None:
    found = told("echeance", 30_000, THREE, BY_IBAN, awaited=(PLAN,))
    assert paid_by(found) == {123: 10_000, 124: 20_000}
    assert found.auto is not None
    assert found.auto.kinds == {"payer", "amount"}
    said = [say(why.code, why.facts, "en") for why in found.auto.reasons]
    assert "amount equal to the next instalment of the agreed plan, €300.00" in said


def test_what_the_text_names_of_the_plan_is_paid_first() -> None:
    found = told("FA-2026-000125", 30_000, THREE, BY_NAME, awaited=(PLAN,))
    assert paid_by(found) == {125: 30_000}
    assert found.auto is not None
    assert found.auto.hypothesis.shape == "plan"


@pytest.mark.parametrize(
    ("why", "text", "amount", "payer", "code"),
    [
        ("a name alone", "", 30_000, BY_NAME, "unsure_payer"),
        ("an account seen once", "", 30_000, Known(BY_IBAN.payer_id, "iban", False, 1), "one_kind_of_evidence"),
        ("a number that nothing explains", "dossier 887766", 30_000, BY_IBAN, "unread_numbers"),
    ],
)
def test_an_instalment_in_doubt_is_proposed(why: str, text: str, amount: int, payer: Known, code: str) -> None:
    items = [*THREE, item(200, 90_000, days=20)]
    found = told(text, amount, items, payer, awaited=(PLAN,))
    assert found.auto is None, why
    plan = next(one for one in found.suggestions if one.hypothesis.shape == "plan")
    assert {code, "not_the_best"} & set(plan.unsure), plan.unsure


def test_another_item_of_just_this_amount_is_a_rival() -> None:
    found = told("", 30_000, [*THREE, item(200, 30_000, days=20)], BY_IBAN, awaited=(PLAN,))
    assert found.auto is None


def test_an_invoice_outside_the_plan_that_is_named_is_what_is_meant() -> None:
    found = told("FA-2026-000200", 30_000, [*THREE, item(200, 90_000, days=20)], BY_IBAN, awaited=(PLAN,))
    assert paid_by(found) == {200: 30_000}


@pytest.mark.parametrize(
    "awaited",
    [
        Awaited("USD", TODAY, 30_000, PLAN.item_ids),
        Awaited("EUR", TODAY, 29_999, PLAN.item_ids),
        Awaited("EUR", TODAY + timedelta(days=1), 30_000, PLAN.item_ids),
    ],
)
def test_another_amount_or_currency_or_money_from_before_is_no_instalment(awaited: Awaited) -> None:
    found = told("", 30_000, THREE, BY_IBAN, awaited=(awaited,))
    assert found.auto is None
    assert "plan" not in {one.hypothesis.shape for one in found.suggestions}


def test_a_plan_whose_items_are_another_payers_by_now_is_left_alone() -> None:
    items = [*THREE[:2], item(125, 40_000, MARTIN, days=9)]
    found = told("", 30_000, items, BY_IBAN, awaited=(PLAN,))
    assert "plan" not in {one.hypothesis.shape for one in found.suggestions}
