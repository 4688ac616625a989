"""What payers write by habit, how they are called, and the references that we gave them."""

from libs.common import creditor_reference
from tests.integration.payment_matching.till import Till

ACCOUNT = "FR76123456789012345678901"


async def test_a_number_that_payers_write_by_habit_is_no_strangers_invoice_by_chance(till: Till) -> None:
    await till.hear(till.customer("Lointain"), till.issued("FB-2026-55102", "Lointain", 77_701))
    paid = []
    for n in range(6):
        name = f"Client {n}"
        await till.hear(till.customer(name, iban=f"{ACCOUNT}{n:02d}"), till.issued(f"FA-2026-7{n}", name, 10_007 + n))
        paid.append(await till.pay(f"P{n}", 10_007 + n, "ONZE REF 55102", payer_iban=f"{ACCOUNT}{n:02d}"))
    states = [await till.state(one) for one in paid]
    assert states == ["unmatched"] * 4 + ["matched"] * 2, "said by four before, it is habit"
    named = await till.pay("P9", 77_701, "ONZE REF 55102", payer_name="Lointain")
    assert await till.state(named) == "matched", "to whoever owes it, it means what it says"


async def test_a_serial_in_a_longer_number_names_it_among_its_payers_own(till: Till) -> None:
    await till.hear(till.customer("Dupont", iban=f"{ACCOUNT}10"), till.issued("9502941299", "Dupont", 30_003))
    await till.hear(till.customer("Martin"), till.issued("FB-2026-41299", "Martin", 88_800))
    payment = await till.pay("P1", 30_003, "VIR 41299", payer_iban=f"{ACCOUNT}10")
    assert await till.state(payment) == "matched"
    assert await till.owed("9502941299") == 0


async def test_the_legal_form_tells_two_companies_of_one_name_apart(till: Till) -> None:
    other = till.customer("D2").model_copy(update={"name": "Dupont SAS"})
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 40_000))
    await till.hear(other, till.issued("FA-2026-0002", "D2", 50_000))
    part = await till.pay("P1", 15_000, "acompte FA-2026-0002", payer_name="SAS DUPONT")
    assert await till.state(part) == "matched"
    either = await till.pay("P2", 15_001, "acompte FA-2026-0001", payer_name="DUPONT")
    assert await till.state(either) == "unmatched"


async def test_the_reference_that_our_reminder_printed_settles_its_invoice(till: Till) -> None:
    number = "FA-2026/000123"
    await till.hear(till.customer("Dupont"), till.issued(number, "Dupont", 12_345))
    printed = creditor_reference.printed(creditor_reference.issued(number) or "")
    payment = await till.pay("P1", 12_345, "", structured_reference=printed)
    assert await till.state(payment) == "matched"
    matched = (await till.events("PaymentMatched"))[0]
    assert matched["how"] == "auto"
