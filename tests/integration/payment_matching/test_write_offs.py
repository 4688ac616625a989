"""Write-offs: a difference settles its item, within what its kind allows, and falls with the money beside it."""

from datetime import date
from typing import Any

from tests.integration.payment_matching.till import Till, eur


async def _short(till: Till, owed: int = 10_000, paid: int = 9_800, **facts: Any) -> tuple[Any, Any]:
    """An invoice, and a payment that nobody can tell alone."""
    await till.hear(till.customer("C1"), till.issued("FA-1", "C1", owed))
    payment = await till.pay("P1", paid, "sans objet", **facts)
    return payment, str(till.item_id("FA-1"))


async def _settle(till: Till, payment: Any, item: str, kind: str, status: int = 201) -> Any:
    told = {"allocations": [{"item_id": item, "write_off": kind}]}
    return await till.post(f"/v1/payments/{payment}/allocations", told, status)


async def test_a_discount_taken_settles_the_item_and_the_event_says_what_the_erp_must_book(till: Till) -> None:
    payment, item = await _short(till)
    found = await _settle(till, payment, item, "discount")
    assert [(one["amount"], one["kind"]) for one in found["write_offs"]] == [(eur(200), "discount")]
    assert [one["amount"] for one in found["allocations"]] == [eur(9_800)]
    assert (found["state"], await till.owed("FA-1")) == ("matched", 0)
    settled = (await till.events("InvoiceSettled"))[-1]
    assert settled["write_offs"] == [{"kind": "discount", "amount": eur(200), "payment_id": str(payment)}]
    await till.balanced()


async def test_more_than_the_kind_allows_is_refused_and_nothing_is_given(till: Till) -> None:
    payment, item = await _short(till, paid=9_000)
    problem = await _settle(till, payment, item, "rounding", 422)
    assert problem["code"] == "over_tolerance"
    assert await till.owed("FA-1") == 10_000
    await till.balanced()


async def test_a_suggestion_says_what_would_remain_and_what_that_is_small_enough_for(till: Till) -> None:
    await till.hear(till.customer("C1"), till.issued("FA-1", "C1", 10_000), till.issued("FA-2", "C1", 30_000))
    for name, paid, rest, kinds in (
        ("P1", 9_800, 200, ["discount", "fee", "provider_fee", "withholding", "other"]),
        ("P2", 5_000, 5_000, ["fee"]),
    ):
        payment = await till.pay(name, paid, "FA-1 acompte")
        told = (await till.get(f"/v1/payments/{payment}/suggestions"))["suggestions"]
        part = next(each for one in told for each in one["items"] if each["number"] == "FA-1")
        assert (part["rest"], part["may_write_off"]) == (eur(rest), kinds)


async def test_what_was_written_off_falls_with_the_money_beside_it(till: Till) -> None:
    payment, item = await _short(till)
    found = await _settle(till, payment, item, "discount")
    line = found["allocations"][0]["allocation_id"]
    after = await till.delete(f"/v1/payments/{payment}/allocations/{line}")
    assert (after["write_offs"], await till.owed("FA-1")) == ([], 10_000)
    reopened = (await till.events("InvoiceReopened"))[-1]
    assert (reopened["residual"], reopened["write_offs"][0]["amount"]) == (eur(10_000), eur(200))
    await till.balanced()


async def test_a_returned_payment_takes_its_discount_with_it(till: Till) -> None:
    payment, item = await _short(till)
    await _settle(till, payment, item, "discount")
    await till.post(f"/v1/payments/{payment}/reverse", {"code": "AC04"})
    assert await till.owed("FA-1") == 10_000
    await till.balanced()


async def test_a_write_off_alone_is_taken_back_and_the_money_stays(till: Till) -> None:
    payment, item = await _short(till)
    found = await _settle(till, payment, item, "fee")
    await till.delete(f"/v1/payments/{payment}/allocations/{found['write_offs'][0]['allocation_id']}")
    assert await till.owed("FA-1") == 200
    assert (await till.get(f"/v1/payments/{payment}"))["unapplied"] == eur(0)
    await till.balanced()


async def test_a_rest_is_written_off_without_a_payment_and_owed_again_when_taken_back(till: Till) -> None:
    await till.hear(till.customer("C1"), till.issued("FA-1", "C1", 400))
    item = till.item_id("FA-1")
    made = await till.post(f"/v1/open-items/{item}/write-offs", {"kind": "other"}, 201)
    assert made["item"]["residual"] == eur(0)
    assert (await till.events("InvoiceSettled"))[-1]["by"] == "write_off"
    after = await till.delete(f"/v1/open-items/{item}/write-offs/{made['write_off_id']}")
    assert after["residual"] == eur(400)
    assert (await till.events("InvoiceReopened"))[-1]["residual"] == eur(400)
    await till.balanced()


async def test_an_invoice_amended_to_what_was_paid_needs_no_discount_any_more(till: Till) -> None:
    payment, item = await _short(till)
    await _settle(till, payment, item, "discount")
    await till.hear(till.amended("FA-1", "C1", 9_800))
    assert await till.owed("FA-1") == 0
    assert (await till.get(f"/v1/payments/{payment}"))["write_offs"] == []
    await till.hear(till.amended("FA-1", "C1", 9_900))
    assert await till.owed("FA-1") == 100
    await till.balanced()


async def test_a_discount_within_its_terms_is_taken_by_the_machine_and_can_be_taken_back(till: Till) -> None:
    terms = {"discount_percent": "2", "discount_until": date(2026, 11, 19)}
    await till.hear(till.customer("C1", iban="FR7630004000031234567890143"), till.issued("FA-1", "C1", 10_000, **terms))
    payment = await till.pay("P1", 9_800, "facture FA-1", payer_iban="FR7630004000031234567890143")
    found = await till.get(f"/v1/payments/{payment}")
    assert [(one["kind"], one["how"], one["amount"]) for one in found["write_offs"]] == [("discount", "auto", eur(200))]
    assert (found["state"], await till.owed("FA-1")) == ("matched", 0)
    assert (await till.events("InvoiceSettled"))[-1]["write_offs"][0]["kind"] == "discount"
    await till.delete(f"/v1/payments/{payment}/allocations/{found['allocations'][0]['allocation_id']}")
    assert await till.owed("FA-1") == 10_000
    await till.balanced()
