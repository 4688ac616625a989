"""Plans that the scheduler tells of: the next instalment is known, until the plan fell or was taken off."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from libs.common.events.envelope import Body
from libs.common.events.reminders import HoldLifted, PlanAgreed, PlanDefaulted
from libs.common.ids import uuid7
from libs.common.money import Money
from tests.integration.payment_matching.till import Till

PLAN = UUID(int=7)
ACCOUNT = "FR1420041010050500013M02606"
DAYS = [date(2026, 11, 20), date(2026, 12, 20), date(2027, 1, 20)]


def about(till: Till) -> dict[str, Any]:
    payer = till.debtor("Dupont")
    return {"tenant_id": till.tenant, "version": 1, "entity_id": till.entity, "case_id": uuid7(), "payer_id": payer}


def agreed(till: Till) -> PlanAgreed:
    """300.00, 200.00 and 200.00 over two invoices of 500.00 and 200.00."""
    amounts = [Money(cents, "EUR") for cents in (30_000, 20_000, 20_000)]
    items = [till.item_id("FA-2026-000123"), till.item_id("FA-2026-000124")]
    return PlanAgreed(**about(till), plan_id=PLAN, dates=DAYS, amounts=amounts, item_ids=items)


def lifted(till: Till, why: str) -> HoldLifted:
    facts = {name: each for name, each in about(till).items() if name != "case_id"}
    scope = {"scope": "item", "scope_id": till.item_id("FA-2026-000124"), "kind": "plan", "reason": why}
    return HoldLifted(**facts, hold_id=uuid7(), **scope)


async def two_owed(till: Till) -> None:
    await till.hear(
        till.customer("Dupont", iban=ACCOUNT),
        till.issued("FA-2026-000123", "Dupont", 50_000),
        till.issued("FA-2026-000124", "Dupont", 20_000, due=date(2026, 11, 12)),
        till.issued("FA-2026-000125", "Dupont", 90_000, due=date(2026, 11, 14)),
    )


async def owed(till: Till) -> list[int]:
    return [await till.owed(f"FA-2026-00012{n}") for n in (3, 4, 5)]


async def pay(till: Till, name: str, cents: int, day: str = "2026-11-20") -> str:
    return await till.state(await till.pay(name, cents, payer_iban=ACCOUNT, value_date=day))


async def test_instalments_are_matched_as_they_come_one_after_the_other(till: Till) -> None:
    await two_owed(till)
    await till.hear(agreed(till), agreed(till))
    assert await pay(till, "P0", 30_000, "2026-11-19") == "unmatched", "from before the plan"
    assert await pay(till, "P1", 30_000) == "matched"
    assert await owed(till) == [20_000, 20_000, 90_000]
    assert await pay(till, "P2", 30_000, "2026-11-21") == "unmatched", "the first instalment came already"
    found = await till.get(f"/v1/payments/{await till.pay('P3', 15_000, payer_iban=ACCOUNT, value_date='2026-11-21')}")
    assert found["state"] == "unmatched", "less than the next"
    await till.balanced()


async def test_money_that_waits_is_tried_again_once_a_plan_is_agreed(till: Till) -> None:
    await two_owed(till)
    payment = await till.pay("P1", 30_000, payer_iban=ACCOUNT, value_date="2026-11-20")
    assert await till.state(payment) == "unmatched"
    await till.hear(agreed(till))
    await till.settle()
    assert await till.state(payment) == "matched"
    [given] = (await till.get(f"/v1/payments/{payment}"))["allocations"]
    assert (given["how"], given["amount"]["amount"]) == ("auto", "300.00")


@pytest.mark.parametrize("why", ["defaulted", "withdrawn", "kept"])
async def test_a_plan_that_is_over_is_waited_for_no_more(till: Till, why: str) -> None:
    await two_owed(till)
    await till.hear(agreed(till))
    fell = PlanDefaulted(**about(till), plan_id=PLAN, missed_on=DAYS[0])
    over: Body = fell if why == "defaulted" else lifted(till, why)
    await till.hear(over)
    assert await pay(till, "P1", 30_000) == "unmatched"


async def test_one_item_of_a_plan_settled_ends_it_not(till: Till) -> None:
    await two_owed(till)
    await till.hear(agreed(till), lifted(till, "settled"))
    assert await pay(till, "P1", 30_000) == "matched"
