"""Batch payouts: what a provider pays out of many customers' invoices, less its fee. One row, one world."""

from dataclasses import replace

import pytest

from services.payment_matching.evidence import Provider
from services.payment_matching.words import say
from tests.unit.payment_matching.test_gate import DUPONT, MARTIN, item, told

STRIPE = Provider("Stripe", 300, 25)
"""3 % and 0.25 an invoice."""
TWO = [item(123, 10_000), item(124, 25_000, MARTIN, days=5)]
BOTH = "FA-2026-000123 FA-2026-000124"


def test_a_payout_of_named_invoices_less_a_fee_within_bounds_is_taken_and_each_bears_its_part() -> None:
    # 3 % of 350.00 and twice 0.25 are 11.00.
    chosen = told(BOTH, 33_900, TWO, provider=STRIPE).auto
    assert chosen is not None
    assert chosen.kinds == {"reference", "payer"}
    assert {line.item_id.int: line.amount for line in chosen.hypothesis.lines} == {123: 9_686, 124: 24_214}
    assert {line.item_id.int: line.amount for line in chosen.hypothesis.written_off} == {123: 314, 124: 786}
    said = [say(why.code, why.facts, "en") for why in chosen.reasons]
    assert "account of the payment provider Stripe" in said
    assert any(each.startswith("less ") and "11.00" in each for each in said)


@pytest.mark.parametrize(
    ("why", "text", "amount", "code"),
    [
        ("a cent more than the bounds", BOTH, 33_899, "difference_not_one_invoice"),
        ("a number that nothing explains", f"{BOTH} 887766", 33_900, "unread_numbers"),
        ("digits of a number only", "FA-2026-000123 2026-000124", 33_900, "difference_weak_reference"),
        ("the text may be cut off", BOTH.ljust(140, "."), 33_900, "unread_numbers"),
    ],
)
def test_a_payout_in_doubt_is_proposed(why: str, text: str, amount: int, code: str) -> None:
    found = told(text, amount, TWO, provider=STRIPE)
    assert found.auto is None, why
    assert code in found.suggestions[0].unsure


def test_from_an_account_that_nobody_named_a_payout_is_proposed_with_its_fee() -> None:
    found = told(BOTH, 34_300, TWO)
    assert found.auto is None
    best = found.suggestions[0]
    assert (best.hypothesis.shape, best.kinds) == ("payout", {"reference"})
    assert "one_kind_of_evidence" in best.unsure
    assert sum(line.amount for line in best.hypothesis.written_off) == 700


def test_of_one_customer_alone_a_short_payment_is_no_payout() -> None:
    items = [replace(one, payer_id=DUPONT) for one in TWO]
    found = told(BOTH, 34_300, items)
    assert "payout" not in {one.hypothesis.shape for one in found.suggestions}


def test_a_payout_equal_to_one_of_its_invoices_is_proposed() -> None:
    items = [item(123, 700), item(124, 25_000, MARTIN, days=5)]
    found = told(BOTH, 25_000, items, provider=STRIPE)
    assert found.auto is None
    assert found.suggestions[0].hypothesis.shape == "payout"
    assert found.suggestions[0].unsure == ("difference_rival_exact",)
