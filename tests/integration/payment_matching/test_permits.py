"""The permit: nothing leaves after we knew, and nothing leaves on stale bank data."""

import asyncio
from datetime import timedelta

from tests.integration.payment_matching.till import IBAN, NOW, Till
from tests.unit.payment_matching.camt_files import camt053, entry, statement

ACCOUNT = "FR7612345678901234567890123"


async def fresh(till: Till) -> None:
    """The bank's data reach yesterday, the last banking day."""
    told = statement(IBAN, [entry(100, on="2026-11-19")], opening=0, closing=100, closes="2026-11-19")
    await till.upload(camt053(told))


async def test_an_item_that_owes_what_is_printed_may_be_reminded(till: Till) -> None:
    await fresh(till)
    await till.hear(till.customer("Dupont", iban=ACCOUNT), till.issued("FA-1", "Dupont", 10_000))
    await till.settle()
    assert await till.permit("FA-1", "Dupont", 10_000) == ("yes", None)
    assert await till.permit("FA-1", "Dupont", 9_999) == ("no", "residual_changed")
    assert await till.permit("FA-9", "Dupont", 9_999) == ("again", "item_unknown")


async def test_money_that_waits_is_tried_before_any_yes(till: Till) -> None:
    await fresh(till)
    await till.hear(till.customer("Dupont", iban=ACCOUNT), till.issued("FA-2026-0001", "Dupont", 10_000))
    await till.settle()
    await till.post("/v1/payments", till.payment("P1", 10_000, "FA-2026-0001"), 201)
    assert await till.permit("FA-2026-0001", "Dupont", 10_000) == ("again", "money_untried")
    asked = asyncio.create_task(till.permit("FA-2026-0001", "Dupont", 10_000))
    await till.settle()
    assert await asked == ("no", "residual_changed")


async def test_a_thank_you_needs_nothing_but_that_the_item_is_paid(till: Till) -> None:
    await till.hear(till.customer("Dupont", iban=ACCOUNT), till.issued("FA-1", "Dupont", 10_000))
    await till.pay("P1", 10_000, "FA-1", payer_iban=ACCOUNT)
    await till.pay("P2", 9_800, "merci", payer_iban=ACCOUNT)
    assert await till.permit("FA-1", "Dupont", 0, "acknowledge") == ("yes", None)
    assert await till.permit("FA-1", "Dupont", 10_000, "acknowledge") == ("no", "residual_changed")


async def test_money_on_account_keeps_silent_what_it_could_pay(till: Till) -> None:
    await fresh(till)
    await till.hear(till.customer("Dupont", iban=ACCOUNT), till.issued("FA-1", "Dupont", 10_000))
    await till.hear(till.issued("FA-2", "Dupont", 99_000))
    await till.pay("P1", 9_800, "merci", payer_iban=ACCOUNT)
    assert await till.permit("FA-1", "Dupont", 10_000) == ("no", "cash_on_account")
    assert await till.permit("FA-2", "Dupont", 99_000) == ("yes", None)
    till.clock.advance(timedelta(days=7))
    try:
        told = statement(IBAN, [], opening=100, closing=100, closes="2026-11-26", reference="S2")
        await till.upload(camt053(told))
        assert await till.permit("FA-1", "Dupont", 10_000) == ("yes", None)
    finally:
        till.clock.at = NOW


async def test_money_whose_best_guess_is_the_item_keeps_it_silent_too(till: Till) -> None:
    await fresh(till)
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
    await till.pay("P1", 9_000, "FA-2026-0001", payer_name="Affacturage SA")
    assert await till.permit("FA-2026-0001", "Dupont", 10_000) == ("no", "money_undecided")


async def test_stale_bank_data_stop_everything_but_a_feed_that_is_not_required(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-1", "Dupont", 10_000))
    await till.settle()
    assert await till.permit("FA-1", "Dupont", 10_000) == ("no", "feed_stale")
    await fresh(till)
    assert await till.permit("FA-1", "Dupont", 10_000) == ("yes", None)
    await till.upload(b"<junk/>", 422)
    assert await till.permit("FA-1", "Dupont", 10_000) == ("no", "feed_stale")


async def test_a_stopping_command_waits_for_the_leases_over_its_scope(till: Till) -> None:
    await fresh(till)
    await till.hear(till.customer("Dupont", iban=ACCOUNT), till.issued("FA-1", "Dupont", 10_000))
    await till.settle()
    assert await till.permit("FA-1", "Dupont", 10_000) == ("yes", None)
    began = asyncio.get_running_loop().time()
    await till.post("/v1/payments", till.payment("P1", 10_000, "FA-1"), 201)
    assert asyncio.get_running_loop().time() - began > 1, "the lease of the permit was live"
