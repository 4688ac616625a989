"""Credit notes that are corrected or voided after they were applied: what is owed follows, to the cent."""

from itertools import permutations

import pytest

from tests.integration.payment_matching.till import Till


async def test_an_amended_credit_note_grants_its_new_amount(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-1", "Dupont", 10_000))
    await till.hear(till.credit("AV-1", "Dupont", 4_000, "FA-1"))
    await till.hear(till.credit("AV-1", "Dupont", 2_500, "FA-1", version=2))
    assert await till.owed("FA-1") == 7_500
    await till.hear(till.credit("AV-1", "Dupont", 6_000, "FA-1", version=3))
    assert await till.owed("FA-1") == 4_000
    await till.balanced()


async def test_a_void_credit_note_is_owed_again_and_reopens_what_it_settled(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-1", "Dupont", 10_000))
    await till.hear(till.credit("AV-1", "Dupont", 10_000, "FA-1"))
    assert await till.owed("FA-1") == 0
    await till.hear(till.credit("AV-1", "Dupont", 0, version=2))
    assert await till.owed("FA-1") == 10_000
    assert (await till.events("InvoiceReopened"))[0]["reason"] == "amended"
    await till.balanced()


async def test_a_credit_note_that_comes_to_name_another_invoice_leaves_the_first(till: Till) -> None:
    await till.hear(
        till.customer("Dupont"), till.issued("FA-1", "Dupont", 10_000), till.issued("FA-2", "Dupont", 10_000)
    )
    await till.hear(till.credit("AV-1", "Dupont", 3_000, "FA-1"))
    await till.hear(till.credit("AV-1", "Dupont", 3_000, "FA-2", version=2))
    assert (await till.owed("FA-1"), await till.owed("FA-2")) == (10_000, 7_000)
    await till.balanced()


async def test_a_correction_that_changes_nothing_moves_nothing_and_is_answered(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-1", "Dupont", 10_000))
    await till.hear(till.credit("AV-1", "Dupont", 10_000, "FA-1"))
    await till.hear(till.credit("AV-1", "Dupont", 10_000, "FA-1", version=2))
    assert await till.events("InvoiceReopened") == []
    assert [told["note_version"] for told in await till.events("CreditApplied")] == [1, 2]


async def test_a_credit_note_that_moves_to_another_account_reduces_only_that_one(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.customer("Durand"))
    await till.hear(till.issued("FA-1", "Dupont", 10_000), till.issued("FA-2", "Durand", 10_000))
    await till.hear(till.credit("AV-1", "Dupont", 3_000))
    await till.hear(till.credit("AV-1", "Durand", 3_000, version=2))
    assert (await till.owed("FA-1"), await till.owed("FA-2")) == (10_000, 7_000)
    await till.balanced()


@pytest.mark.parametrize("order", list(permutations(("invoice", "first", "second", "money"))))
async def test_whatever_the_order_the_newest_credit_note_counts(till: Till, order: tuple[str, ...]) -> None:
    told = {
        "invoice": till.issued("FA-2026-0001", "Dupont", 10_000),
        "first": till.credit("AV-1", "Dupont", 9_000, "FA-2026-0001"),
        "second": till.credit("AV-1", "Dupont", 2_000, "FA-2026-0001", version=2),
    }
    await till.hear(till.customer("Dupont"))
    for name in order:
        if name == "money":
            await till.pay("P1", 8_000, "FA-2026-0001")
        else:
            await till.hear(told[name])
    await till.settle()
    assert await till.owed("FA-2026-0001") == 0
    await till.balanced()
