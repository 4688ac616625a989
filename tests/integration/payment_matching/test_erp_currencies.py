"""What an ERP says of money in another currency than its invoice's, and what it is told to book."""

from typing import Any

import pytest

from libs.common.money import Money
from tests.integration.payment_matching.test_currencies import give, invoiced, part, usd
from tests.integration.payment_matching.till import Till, eur


async def test_an_erp_says_both_amounts_and_less_money_pays_less(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("US-1", "Dupont", 60_000, 40_000, currency="USD"))
    told = [{"number": "US-1", "amount": usd(100_000), "paid": eur(92_115)}]
    payment = await till.pay("P1", 92_115, allocations=told)
    assert [await till.owed("US-1", n) for n in (1, 2)] == [0, 0]
    given = (await till.get(f"/v1/payments/{payment}"))["allocations"]
    assert [(one["amount"], one["paid"], one["how"]) for one in given] == [
        (usd(60_000), eur(55_269), "erp"),
        (usd(40_000), eur(36_846), "erp"),
    ]
    await till.hear(till.issued("US-2", "Dupont", 100_000, currency="USD"))
    over = [{"number": "US-3", "amount": usd(100_000), "paid": eur(92_115)}]
    await till.hear(till.issued("US-3", "Dupont", 60_000, currency="USD"))
    rest = await till.get(f"/v1/payments/{await till.pay('P4', 92_115, allocations=over)}")
    assert (await till.owed("US-3"), rest["unapplied"]) == (0, eur(36_846)), "never more than owed"
    await till.pay("P2", 46_057, allocations=[{"number": "US-2", "amount": usd(100_000), "paid": eur(92_115)}])
    assert await till.owed("US-2") == 50_001
    await till.balanced()
    for wrong in ({"amount": usd(100)}, {"amount": usd(100), "paid": usd(90)}, {"amount": eur(100), "paid": eur(100)}):
        body = till.payment("P3", 100, allocations=[{"number": "US-2", **wrong}])
        assert (await till.post("/v1/payments", body, 422))["field"] == "allocations", wrong


async def test_an_erp_that_asks_for_all_gets_it_where_that_is_what_was_ordered(till: Till) -> None:
    await till.hear(till.customer("Dupont"))
    await till.hear(till.issued("US-1", "Dupont", 40_000, 20_000, currency="USD"))
    await till.hear(till.issued("US-2", "Dupont", 40_000, currency="USD"))
    told = [{"number": "US-1"}, {"number": "US-2"}]
    payment = await till.pay("P1", 92_115, instructed=usd(100_000), allocations=told)
    given = (await till.get(f"/v1/payments/{payment}"))["allocations"]
    assert {(one["number"], one["amount"]["amount"], one["how"]) for one in given} == {
        ("US-1", "400.00", "erp"),
        ("US-1", "200.00", "erp"),
        ("US-2", "400.00", "erp"),
    }
    assert (await till.state(payment), [await till.owed("US-1", n) for n in (1, 2)]) == ("matched", [0, 0])
    await till.balanced()


@pytest.mark.parametrize(
    ("cents", "currency", "said", "facts"),
    [
        (100_000, "USD", {}, {}),
        (100_000, "USD", {}, {"instructed": usd(98_800)}),
        (100_000, "USD", {"amount": Money(100_000, "GBP").wire(), "paid": eur(92_115)}, {}),
        (92_115, "EUR", {"amount": Money(80_000, "GBP").wire(), "paid": eur(92_115)}, {}),
    ],
)
async def test_what_an_erp_said_that_gives_nothing_waits_and_a_person_is_told_why(
    till: Till, cents: int, currency: str, said: dict[str, Any], facts: dict[str, Any]
) -> None:
    await till.hear(till.customer("Dupont"), till.issued("US-1", "Dupont", cents, currency=currency))
    payment = await till.pay("P1", 92_115, allocations=[{"number": "US-1", **said}], **facts)
    assert await till.state(payment) == "unmatched"
    for language, words in (("fr", "l'ERP nomme US-1"), ("en", "the ERP named US-1")):
        best = (await till.get(f"/v1/payments/{payment}/suggestions", language=language))["suggestions"][0]
        assert (best["unsure"], best["items"][0]["number"]) == (["erp_unclear"], "US-1")
        assert any(words in why for why in best["evidence"]), best["evidence"]
    assert await till.permit("US-1", "Dupont", cents, currency=currency) == ("no", "money_undecided")
    paid = None if currency == "EUR" else eur(92_115)
    whole = part(till, "US-1", Money(cents, currency).wire(), paid)
    await give(till, payment, whole, status=202 if facts else 201)
    await till.settle()
    assert await till.state(payment) == ("unmatched" if facts else "matched")
    await till.balanced()


async def test_a_part_too_small_for_a_cent_is_a_persons(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("JP-1", "Dupont", 1, 149_999, currency="JPY"))
    told = [{"number": "JP-1", "amount": Money(150_000, "JPY").wire(), "paid": eur(92_115)}]
    payment = await till.pay("P1", 92_115, allocations=told)
    [best] = (await till.get(f"/v1/payments/{payment}/suggestions"))["suggestions"]
    [item] = best["items"]
    assert (best["unsure"], item["amount"]["amount"], item["paid"]) == (["erp_unclear"], "149999", eur(92_115))
    assert await till.owed("JP-1", 2) == 149_999
    await till.balanced()


async def test_what_an_erp_said_that_gives_something_leaves_the_rest_to_a_person(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-1", "Dupont", 10_000))
    await till.hear(till.issued("US-1", "Dupont", 100_000, currency="USD"))
    payment = await till.pay("P1", 102_115, allocations=[{"number": "US-1"}, {"number": "FA-1"}])
    assert (await till.state(payment), await till.owed("FA-1"), await till.owed("US-1")) == ("partly", 0, 100_000)
    [best] = (await till.get(f"/v1/payments/{payment}/suggestions"))["suggestions"]
    assert (best["unsure"], best["items"][0]["paid"]) == (["erp_unclear"], eur(92_115))


async def test_the_erp_is_told_both_amounts_to_book_the_difference_of_rates(till: Till) -> None:
    await till.hear(
        till.entity_configured(till.entity).model_copy(update={"version": 2, "settlement_master": "relance"})
    )
    await invoiced(till, "US-1")
    await till.hear(till.issued("FA-1", "Dupont", 5_000))
    payment = await till.pay("P1", 97_115, "merci")
    await give(till, payment, part(till, "US-1", usd(100_000), eur(92_115)), part(till, "FA-1"))
    lines = (await till.get("/v1/settlements"))["settlements"]
    assert [(one["number"], one["amount"], one["paid"]) for one in lines] == [
        ("US-1", usd(100_000), eur(92_115)),
        ("FA-1", eur(5_000), None),
    ]


async def test_what_the_bank_leaves_of_a_line_of_the_erps_is_to_be_booked_anew(till: Till) -> None:
    await till.hear(
        till.entity_configured(till.entity).model_copy(update={"version": 2, "settlement_master": "relance"})
    )
    await invoiced(till, "US-1")
    await till.hear(till.issued("FA-1", "Dupont", 5_000))
    told = [{"number": "US-1", "amount": usd(100_000), "paid": eur(92_115)}]
    abroad = await till.pay("P1", 92_115, allocations=told)
    here = await till.pay("P2", 5_000, allocations=[{"number": "FA-1"}])
    assert (await till.get("/v1/settlements"))["settlements"] == []
    for payment in (abroad, here):
        await till.post(f"/v1/payments/{payment}/reverse", {"code": "AC04", "amount": eur(100)})
    lines = (await till.get("/v1/settlements"))["settlements"]
    assert [(one["act"], one["amount"], one["paid"]) for one in lines] == [
        ("undo", usd(100_000), eur(92_115)),
        ("undo", eur(5_000), None),
        ("book", usd(99_892), eur(92_015)),
        ("book", eur(4_900), None),
    ]
