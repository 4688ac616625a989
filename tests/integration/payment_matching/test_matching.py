"""Money meets what is owed: matched alone on two kinds of evidence, else shown; whatever comes first."""

from itertools import permutations

import pytest

from libs.common import ids
from services.payment_matching.store.candidates import claim
from services.payment_matching.world import OF_PAYMENT, look
from tests.integration.payment_matching.till import Till, eur


async def test_a_payment_that_names_its_invoice_settles_it(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
    payment = await till.pay("P1", 10_000, "Facture FA-2026-0001")
    assert await till.owed("FA-2026-0001") == 0
    assert await till.state(payment) == "matched"
    kinds = [told["type"] for told in await till.events()]
    assert kinds == ["FeedAdvanced", "PaymentReceived", "PaymentMatched", "InvoiceSettled"]
    matched = (await till.events("PaymentMatched"))[0]
    assert (matched["how"], matched["payer_id"]) == ("auto", str(till.debtor("Dupont")))
    assert matched["residuals"][0]["item_version"] == 1
    await till.balanced()


async def test_a_payment_that_overtakes_its_invoice_settles_it_when_it_opens(till: Till) -> None:
    payment = await till.pay("P1", 10_000, "Facture FA-2026-0001")
    assert await till.state(payment) == "unmatched"
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
    assert await till.permit("FA-2026-0001", "Dupont", 10_000) == ("again", "item_untried")
    await till.settle()
    assert await till.owed("FA-2026-0001") == 0
    assert (await till.permit("FA-2026-0001", "Dupont", 10_000))[0] == "no"


async def test_a_known_account_and_the_exact_amount_are_enough(till: Till) -> None:
    iban = "FR7612345678901234567890123"
    await till.hear(till.customer("Dupont", iban=iban), till.issued("A1", "Dupont", 12_345))
    await till.pay("P1", 12_345, "reglement", payer_iban=iban)
    assert await till.owed("A1") == 0


async def test_an_amount_alone_is_shown_with_words_and_left_to_a_person(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("A1", "Dupont", 12_345))
    payment = await till.pay("P1", 12_345, "virement")
    assert await till.state(payment) == "unmatched"
    shown = (await till.get(f"/v1/payments/{payment}/suggestions"))["suggestions"]
    assert shown[0]["items"][0]["number"] == "A1"
    assert "montant égal au centime près" in shown[0]["evidence"]
    english = (await till.get(f"/v1/payments/{payment}/suggestions", language="en"))["suggestions"]
    assert "amount equal to the cent" in english[0]["evidence"]


async def test_a_part_payment_from_a_known_account_leaves_the_rest_owed(till: Till) -> None:
    iban = "FR7612345678901234567890123"
    await till.hear(till.customer("Dupont", iban=iban), till.issued("FA-2026-0001", "Dupont", 10_000))
    await till.pay("P1", 4_000, "acompte FA-2026-0001", payer_iban=iban)
    assert await till.owed("FA-2026-0001") == 6_000
    residual = (await till.events("PaymentMatched"))[0]["residuals"][0]
    assert residual["residual"] == {"amount": "60.00", "currency": "EUR"}
    assert await till.events("InvoiceSettled") == []
    await till.pay("P2", 6_000, "solde FA-2026-0001", payer_iban=iban)
    assert await till.owed("FA-2026-0001") == 0


async def test_head_office_pays_for_three_shops(till: Till) -> None:
    iban = "FR7612345678901234567890123"
    await till.hear(till.customer("Siege", iban=iban))
    for n, shop in enumerate(("Lyon", "Lille", "Nice"), 1):
        await till.hear(till.customer(shop, payer="Siege"), till.issued(f"FA-2026-000{n}", shop, n * 1_000))
    await till.pay("P1", 6_000, "novembre", payer_iban=iban)
    assert [await till.owed(f"FA-2026-000{n}") for n in (1, 2, 3)] == [0, 0, 0]
    matched = (await till.events("PaymentMatched"))[0]
    assert matched["payer_id"] == str(till.debtor("Siege"))
    await till.balanced()


async def test_one_of_three_equal_instalments_is_the_oldest(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 5_000, 5_000, 5_000))
    await till.pay("P1", 5_000, "FA-2026-0001")
    assert [await till.owed("FA-2026-0001", n) for n in (1, 2, 3)] == [0, 5_000, 5_000]


async def test_an_erps_own_allocations_are_authoritative_and_wait_for_their_invoice(till: Till) -> None:
    told = [{"number": "FA-2", "amount": {"amount": "30.00", "currency": "EUR"}}, {"number": "FA-1"}]
    payment = await till.pay("P1", 10_000, "texte", allocations=told)
    assert await till.state(payment) == "unmatched"
    await till.hear(till.customer("Dupont"), till.issued("FA-2", "Dupont", 10_000))
    await till.settle()
    assert await till.owed("FA-2") == 7_000
    await till.hear(till.issued("FA-1", "Dupont", 2_000))
    await till.settle()
    assert await till.owed("FA-1") == 0
    assert {told["how"] for told in await till.events("PaymentMatched")} == {"erp"}
    assert (await till.get(f"/v1/payments/{payment}"))["unapplied"]["amount"] == "50.00"
    await till.balanced()


async def test_the_customer_a_source_names_and_the_amount_are_enough(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-1", "Dupont", 10_000), till.issued("FA-2", "Dupont", 900))
    await till.pay("P1", 10_000, debtor="Dupont")
    assert (await till.owed("FA-1"), await till.owed("FA-2")) == (0, 900)


async def test_an_unknown_payers_money_waits_with_its_amount_in_nobodys_name(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-1", "Dupont", 10_000))
    payment = await till.pay("P1", 77_700, "merci", payer_name="Inconnu SA")
    listed = (await till.get("/v1/payments", state="unmatched"))["payments"]
    assert [one["payment_id"] for one in listed] == [str(payment)]
    assert listed[0]["payer_id"] is None
    assert await till.permit("FA-1", "Dupont", 10_000, "pre_due") == ("no", "feed_stale")


async def test_an_account_is_known_after_it_paid_twice_what_it_named(till: Till) -> None:
    iban = "DE89370400440532013000"
    await till.hear(till.customer("Dupont"), *(till.issued(f"FA-2026-000{n}", "Dupont", 1_000 * n) for n in (1, 2, 3)))
    await till.pay("P1", 1_000, "FA-2026-0001", payer_iban=iban)
    await till.pay("P2", 2_000, "FA-2026-0002", payer_iban=iban)
    await till.pay("P3", 3_000, "merci", payer_iban=iban)
    assert await till.owed("FA-2026-0003") == 0


async def test_a_settled_invoice_paid_again_goes_to_a_person(till: Till) -> None:
    iban = "FR7612345678901234567890123"
    await till.hear(till.customer("Dupont", iban=iban), till.issued("FA-2026-0001", "Dupont", 10_000))
    await till.hear(till.issued("FA-2026-0002", "Dupont", 10_000))
    await till.pay("P1", 10_000, "FA-2026-0001", payer_iban=iban)
    payment = await till.pay("P2", 10_000, "FA-2026-0001", payer_iban=iban)
    assert await till.owed("FA-2026-0002") == 10_000
    assert await till.state(payment) == "unmatched"
    received = (await till.events("PaymentReceived"))[-1]
    assert received["payer_id"] == str(till.debtor("Dupont"))


@pytest.mark.parametrize("order", list(permutations(("file", "invoice", "money", "credit"))))
async def test_whatever_comes_first_the_end_is_the_same(till: Till, order: tuple[str, ...]) -> None:
    """The debtor's file, the invoice, the money and a credit note come by three roads."""
    heard = {
        "file": till.customer("Dupont"),
        "invoice": till.issued("FA-1", "Dupont", 10_000),
        "credit": till.credit("AV-1", "Dupont", 1_000, "FA-1"),
    }
    for what in order:
        if what == "money":
            await till.pay("P1", 9_000, payer_name="DUPONT")
        else:
            await till.hear(heard[what])
            await till.settle()
    assert await till.owed("FA-1") == 0
    await till.balanced()


async def test_two_payments_of_one_batch_never_take_the_same_item(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
    batch = [till.payment(f"P{n}", 10_000, "FA-2026-0001") for n in range(3)]
    answer = await till.post("/v1/payments/batch", batch)
    assert answer["counts"] == {"created": 3}
    await till.settle()
    assert await till.owed("FA-2026-0001") == 0
    assert len(await till.events("PaymentMatched")) == 1
    await till.balanced()


async def test_money_that_a_person_leaves_on_account_is_its_payers_and_no_machines(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
    payment = await till.pay("P1", 7_000, "acompte", payer_iban="FR7612345678901234567890123")
    body = {"debtor_id": str(till.debtor("Dupont"))}
    kept = await till.post(f"/v1/payments/{payment}/account", body)
    assert (kept["state"], kept["payer_id"]) == ("unmatched", str(till.debtor("Dupont")))
    told = (await till.events("PaymentMatched"))[-1]
    assert (told["how"], told["allocations"], told["unapplied"]) == ("person", [], eur(7_000))
    await till.hear(till.issued("FA-2026-0002", "Dupont", 7_000))
    await till.settle()
    assert await till.state(payment) == "unmatched", "the machine keeps still"
    again = await till.post(f"/v1/payments/{payment}/retry", {})
    assert again["unapplied"] == eur(7_000)
    await till.settle()
    assert (await till.events("PaymentReceived"))[-1]["payer_id"] == str(till.debtor("Dupont"))
    await till.post(f"/v1/payments/{payment}/account", {"debtor_id": str(ids.uuid7())}, status=404)


async def test_suggestions_that_a_person_rejects_are_gone_until_they_want_another_look(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("A1", "Dupont", 12_345))
    payment = await till.pay("P1", 12_345, "virement")
    asked = {"suggestions": [str(payment)]}
    first = (await till.ask("/internal/v1/lookups", asked))["suggestions"][str(payment)]
    assert [one["number"] for one in first["items"]] == ["A1"]
    await till.post(f"/v1/payments/{payment}/suggestions/reject", {})
    assert (await till.get(f"/v1/payments/{payment}/suggestions"))["suggestions"] == []
    await till.post(f"/v1/payments/{payment}/retry", {})
    await till.settle()
    assert (await till.get(f"/v1/payments/{payment}/suggestions"))["suggestions"]


async def test_an_account_that_pays_for_many_brings_in_a_thousand_items_at_most(till: Till) -> None:
    iban = "FR7612345987650123456789014"
    shops = [f"Shop {n}" for n in range(21)]
    await till.hear(*(till.customer(shop, iban=iban) for shop in shops))
    for shop in shops:
        await till.hear(*(till.issued(f"{shop}-2026-{n:03d}", shop, 1_000 + n) for n in range(60)))
    await till.settle()
    await till.post("/v1/payments", till.payment("P1", 5_000, "2026", payer_iban=iban), 201)
    async with till.loops.transaction() as db:
        mine = [one for one in await claim(db, 200) if one.tenant_id == till.tenant]
        world = await look(db, mine)
    assert 0 < len(world.items) <= OF_PAYMENT
    assert len({item.payer_id for item in world.items.values()}) == len(shops)
    await till.settle()
    await till.balanced()
