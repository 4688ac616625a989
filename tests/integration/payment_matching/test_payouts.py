"""A payment provider pays out what many paid, less its fee: given, its fee written off, its account nobody's."""

from typing import Any

from tests.integration.payment_matching.test_two_people import said
from tests.integration.payment_matching.till import Till, eur

PATH = "/v1/matching/payout-providers"
ADYEN = "NL91ABNA0417164300"
BOTH = "FA-2026-000123 FA-2026-000124"


async def two_owe(till: Till) -> None:
    await till.hear(
        till.customer("Dupont"),
        till.customer("Martin"),
        till.issued("FA-2026-000123", "Dupont", 10_000),
        till.issued("FA-2026-000124", "Martin", 25_000),
    )


async def known(till: Till, **facts: Any) -> tuple[int, Any]:
    told = {"name": "Adyen", "iban": "NL91 ABNA 0417 1643 00", "most_percent": "3", "most_each": eur(25)} | facts
    return await said(till, "user:admin", "PUT", PATH, told, roles=("administrator",))


async def test_a_payout_is_matched_and_the_fee_is_booked_as_a_deduction_of_its_own(till: Till) -> None:
    await two_owe(till)
    assert (await known(till))[0] == 200
    payment = await till.pay("P1", 33_900, BOTH, payer_name="Adyen NV", payer_iban=ADYEN)
    found = await till.get(f"/v1/payments/{payment}")
    assert (found["state"], found["unapplied"]) == ("matched", eur(0))
    assert sorted(one["amount"]["amount"] for one in found["allocations"]) == ["242.14", "96.86"]
    assert [await till.owed(f"FA-2026-00012{n}") for n in (3, 4)] == [0, 0]
    settled = await till.events("InvoiceSettled")
    parts = [part for one in settled for part in one["write_offs"]]
    assert {part["kind"] for part in parts} == {"provider_fee"}
    assert sorted(part["amount"]["amount"] for part in parts) == ["3.14", "7.86"]
    await till.balanced()


async def test_money_that_waits_is_tried_again_once_its_account_is_a_providers(till: Till) -> None:
    await two_owe(till)
    payment = await till.pay("P1", 33_900, BOTH, payer_iban=ADYEN)
    [first, *_] = (await till.get(f"/v1/payments/{payment}/suggestions"))["suggestions"]
    assert any(one.startswith("moins 11,00") and "prestataire de paiement" in one for one in first["evidence"])
    assert ({one["write_off"] for one in first["items"]}, await till.state(payment)) == ({"provider_fee"}, "unmatched")
    await known(till)
    await till.settle()
    assert await till.state(payment) == "matched"


async def test_the_account_of_a_provider_is_learned_as_nobodys(till: Till) -> None:
    await two_owe(till)
    await till.hear(till.issued("FA-2026-000125", "Dupont", 10_000))
    await known(till)
    payment = await till.pay("P1", 4_000, payer_iban=ADYEN)
    wanted = {"allocations": [{"item_id": str(till.item_id("FA-2026-000123"))}]}
    assert (await said(till, "user:anne", "POST", f"/v1/payments/{payment}/allocations", wanted))[0] == 201
    for n, paid in ((1, 6_000), (2, 10_000)):
        await till.pay(f"A{n}", paid, f"FA-2026-00012{3 if n == 1 else 5}", payer_iban=ADYEN)
    assert (await said(till, "user:admin", "DELETE", f"{PATH}/{ADYEN}/EUR", roles=("administrator",)))[0] == 204
    await till.hear(till.issued("FA-2026-000126", "Dupont", 7_000))
    later = await till.pay("P9", 7_000, payer_iban=ADYEN)
    found = (await till.get(f"/v1/payments/{later}/suggestions"))["suggestions"]
    assert all("compte bancaire connu pour ce client" not in one["evidence"] for one in found)
    assert await till.state(later) == "unmatched"


async def test_a_fee_that_a_person_wrote_off_tells_whose_account_it_is_and_what_it_keeps(till: Till) -> None:
    await two_owe(till)
    first = await till.pay("P1", 9_700, "FA-2026-000123", payer_name="Adyen NV", payer_iban=ADYEN)
    part = {"item_id": str(till.item_id("FA-2026-000123")), "write_off": "provider_fee"}
    path = f"/v1/payments/{first}/allocations"
    assert (await said(till, "user:anne", "POST", path, {"allocations": [part]}))[0] == 201
    [known_now] = (await till.get(PATH))["providers"]
    assert (known_now["name"], known_now["most_percent"], known_now["learned"]) == ("Adyen NV", "3.00", True)
    dear = await till.pay("P2", 24_249, "FA-2026-000124", payer_iban=ADYEN)
    assert await till.state(dear) == "unmatched", "more than it was seen to keep"
    cheap = await till.pay("P3", 24_250, "FA-2026-000124", payer_iban=ADYEN)
    assert await till.state(cheap) == "matched"


async def test_what_an_administrator_set_is_not_learned_away(till: Till) -> None:
    await two_owe(till)
    await known(till, most_percent="1")
    payment = await till.pay("P1", 9_500, "FA-2026-000123", payer_iban=ADYEN)
    part = {"item_id": str(till.item_id("FA-2026-000123")), "write_off": "provider_fee"}
    assert (await said(till, "user:anne", "POST", f"/v1/payments/{payment}/allocations", {"allocations": [part]}))[
        0
    ] == 201
    [found] = (await till.get(PATH))["providers"]
    assert (found["most_percent"], found["learned"]) == ("1.00", False)


async def test_a_customers_own_account_is_not_taken_for_a_providers(till: Till) -> None:
    await till.hear(till.customer("Dupont", iban=ADYEN), till.issued("FA-2026-000123", "Dupont", 10_000))
    payment = await till.pay("P1", 9_500, payer_iban=ADYEN)
    part = {"item_id": str(till.item_id("FA-2026-000123")), "write_off": "provider_fee"}
    assert (await said(till, "user:anne", "POST", f"/v1/payments/{payment}/allocations", {"allocations": [part]}))[
        0
    ] == 201
    assert (await till.get(PATH))["providers"] == []


async def test_bounds_beyond_reason_and_keys_are_refused(till: Till) -> None:
    status, problem = await known(till, most_percent="10.01")
    assert (status, problem["field"]) == (422, "most_percent")
    assert (await known(till, most_each=eur(-1)))[0] == 422
    told = {"name": "A", "iban": ADYEN, "most_percent": "1", "most_each": eur(0)}
    assert (await said(till, "user:anne", "PUT", PATH, told))[0] == 403
    assert (await said(till, "user:admin", "DELETE", f"{PATH}/{ADYEN}/EUR", roles=("administrator",)))[0] == 404
    assert (await known(till, most_percent="2.5"))[1]["providers"][0]["most_percent"] == "2.50"
