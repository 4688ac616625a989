"""What one press may accept for many payments: what uses the payment up and settles its invoices, to the cent."""

from typing import Any
from uuid import UUID

import pytest

from libs.common.money import Money
from services.console.pages.payments import is_equal

ONE, TWO = UUID(int=1), UUID(int=2)


def suggestion(share: float = 0.9, **parts: str) -> dict[str, object]:
    given = [(item, parts[name]) for name, item in (("one", ONE), ("two", TWO)) if name in parts]
    items = [{"item_id": str(item), "amount": {"amount": amount, "currency": "EUR"}} for item, amount in given]
    return {"share": share, "credits": [], "items": items}


def in_dollars(told: dict[str, Any]) -> dict[str, object]:
    """The same, for items in dollars, as many as the payment has euros."""
    items = [each | {"amount": each["amount"] | {"currency": "USD"}, "paid": each["amount"]} for each in told["items"]]
    return told | {"items": items}


@pytest.mark.parametrize(
    ("owing", "best", "equal"),
    [
        ({ONE: 10_000}, suggestion(one="100.00"), True),
        ({ONE: 4_000, TWO: 6_000}, suggestion(one="40.00", two="60.00"), True),
        ({ONE: 11_005}, suggestion(one="100.00"), False),
        ({ONE: 4_000, TWO: 7_000}, suggestion(one="40.00", two="60.00"), False),
        ({ONE: 9_000}, suggestion(one="90.00"), False),
        ({ONE: 10_000}, suggestion(0.4, one="100.00"), False),
        ({ONE: 10_000}, suggestion(one="100.00") | {"credits": [{}]}, False),
        ({ONE: 10_000}, in_dollars(suggestion(one="100.00")), False),
        ({ONE: 10_000}, None, False),
    ],
)
def test_only_what_settles_its_invoices_is_accepted_with_others(
    owing: dict[UUID, int], best: dict[str, object] | None, *, equal: bool
) -> None:
    assert is_equal({"rest": Money(10_000, "EUR")}, best, owing) is equal
