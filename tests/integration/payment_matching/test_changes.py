"""Invoices that change, credits, returns and people's decisions: what is owed follows, to the cent."""

from datetime import date
from uuid import uuid4

from libs.common.events.invoices import DebtorErased
from tests.integration.payment_matching.till import Till, eur

ACCOUNT = "FR7612345678901234567890123"


async def test_a_credit_note_reduces_the_invoice_it_names_and_is_answered(till: Till) -> None:
    await till.hear(
        till.customer("Dupont"), till.issued("FA-1", "Dupont", 10_000), till.issued("FA-2", "Dupont", 5_000)
    )
    await till.hear(till.credit("AV-1", "Dupont", 4_000, "FA-2"))
    assert (await till.owed("FA-1"), await till.owed("FA-2")) == (10_000, 1_000)
    applied = (await till.events("CreditApplied"))[0]
    assert applied["unapplied"]["amount"] == "0.00"
    await till.balanced()


async def test_a_credit_note_that_overtakes_its_invoice_is_answered_at_once_and_applied_when_it_opens(
    till: Till,
) -> None:
    await till.hear(till.customer("Dupont"), till.credit("AV-1", "Dupont", 10_000, "FA-1"))
    assert (await till.events("CreditApplied"))[0]["unapplied"]["amount"] == "100.00"
    await till.hear(till.issued("FA-1", "Dupont", 10_000))
    assert await till.owed("FA-1") == 0
    assert (await till.events("InvoiceSettled"))[0]["by"] == "credit"


async def test_a_credit_note_without_names_reduces_the_oldest_first(till: Till) -> None:
    await till.hear(
        till.customer("Dupont"),
        till.issued("FA-1", "Dupont", 3_000),
        till.issued("FA-2", "Dupont", 5_000, due=date(2026, 12, 1)),
        till.credit("AV-1", "Dupont", 4_000),
    )
    assert (await till.owed("FA-1"), await till.owed("FA-2")) == (0, 4_000)


async def test_an_amended_invoice_owes_its_new_amount_and_gives_back_what_no_longer_fits(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
    payment = await till.pay("P1", 10_000, "FA-2026-0001")
    await till.hear(till.amended("FA-2026-0001", "Dupont", 7_000))
    assert await till.owed("FA-2026-0001") == 0
    assert (await till.get(f"/v1/payments/{payment}"))["unapplied"]["amount"] == "30.00"
    await till.hear(till.amended("FA-2026-0001", "Dupont", 9_000))
    assert await till.owed("FA-2026-0001") == 2_000
    assert (await till.events("InvoiceReopened"))[0]["reason"] == "amended"
    await till.balanced()


async def test_an_invoice_amended_into_another_currency_gives_everything_back_and_owes_in_that(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
    await till.hear(till.issued("FA-2026-0002", "Dupont", 10_000))
    payment = await till.pay("P1", 10_000, "FA-2026-0001")
    for number in ("FA-2026-0001", "FA-2026-0002"):
        await till.hear(till.amended(number, "Dupont", 10_000, currency="USD"))
        item = await till.get(f"/v1/open-items/{till.item_id(number)}")
        assert (item["amount"], item["residual"]) == ({"amount": "100.00", "currency": "USD"},) * 2
    await till.settle()
    told = await till.get(f"/v1/payments/{payment}")
    assert (told["unapplied"], told["allocations"], told["state"]) == (eur(10_000), [], "unmatched")
    back, again = (await till.events("PaymentUnmatched", "InvoiceReopened"))[:2]
    assert (back["residuals"][0]["residual"], again["residual"]["currency"]) == (eur(0), "USD")
    await till.balanced()


async def test_an_older_version_of_an_invoice_changes_nothing(till: Till) -> None:
    old = till.issued("FA-1", "Dupont", 10_000)
    new = till.amended("FA-1", "Dupont", 8_000)
    await till.hear(new)
    await till.hear(old)
    assert await till.owed("FA-1") == 8_000


async def test_a_cancelled_invoice_owes_nothing_even_if_it_is_issued_later(till: Till) -> None:
    issued = till.issued("FA-1", "Dupont", 10_000)
    await till.hear(till.cancelled("FA-1", "Dupont"))
    await till.hear(issued)
    await till.get(f"/v1/open-items/{till.item_id('FA-1')}", 404)
    assert (await till.permit("FA-1", "Dupont", 10_000))[0] == "again"


async def test_a_cancelled_invoice_sets_its_money_free(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
    payment = await till.pay("P1", 10_000, "FA-2026-0001")
    await till.hear(till.cancelled("FA-2026-0001", "Dupont"))
    assert await till.state(payment) == "unmatched"
    assert await till.permit("FA-2026-0001", "Dupont", 0) == ("no", "item_cancelled")
    await till.balanced()


async def test_a_returned_payment_reopens_what_it_had_settled(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
    payment = await till.pay("P1", 10_000, "FA-2026-0001")
    told = await till.post(f"/v1/payments/{payment}/reverse", {"code": "MD06", "on": "2026-11-20"})
    assert (told["state"], told["returned"]["amount"]) == ("reversed", "100.00")
    reopened = (await till.events("InvoiceReopened"))[0]
    assert (reopened["reason"], reopened["on"]) == ("refused_by_debtor", "2026-11-20")
    assert await till.owed("FA-2026-0001") == 10_000
    await till.post(f"/v1/payments/{payment}/reverse", {"code": "AC04"}, 409)
    await till.settle()
    assert await till.owed("FA-2026-0001") == 10_000
    await till.balanced()


async def test_a_person_matches_and_the_machine_never_changes_it(till: Till) -> None:
    await till.hear(
        till.customer("Dupont"), till.issued("FA-1", "Dupont", 10_000), till.issued("FA-2", "Dupont", 4_000)
    )
    payment = await till.pay("P1", 12_000, "merci", payer_iban=ACCOUNT)
    wanted = {"allocations": [{"item_id": str(till.item_id("FA-2"))}, {"item_id": str(till.item_id("FA-1"))}]}
    told = await till.post(f"/v1/payments/{payment}/allocations", wanted, 201)
    assert (await till.owed("FA-2"), await till.owed("FA-1"), told["state"]) == (0, 2_000, "matched")
    allocation = next(one for one in told["allocations"] if one["number"] == "FA-2")
    await till.delete(f"/v1/payments/{payment}/allocations/{allocation['allocation_id']}")
    await till.settle()
    assert await till.owed("FA-2") == 4_000
    assert await till.state(payment) == "partly"
    assert (await till.events("InvoiceReopened"))[0]["reason"] == "unallocated"
    await till.pay("P2", 2_000, "merci", payer_iban=ACCOUNT)
    assert await till.owed("FA-1") == 0, "the account that a person matched is known"
    await till.balanced()


async def test_more_than_is_owed_or_left_is_refused_whole(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-1", "Dupont", 10_000))
    payment = await till.pay("P1", 5_000, "merci")
    item = str(till.item_id("FA-1"))
    path = f"/v1/payments/{payment}/allocations"
    refused = await till.post(path, {"allocations": [{"item_id": item, "amount": eur(5_001)}]}, 422)
    assert refused["code"] == "over_allocated"
    other = {"item_id": item, "amount": {"amount": "1.00", "currency": "USD"}}
    await till.post(path, {"allocations": [other]}, 422)
    await till.post(path, {"allocations": [{"item_id": str(uuid4())}]}, 404)
    await till.post(f"/v1/payments/{uuid4()}/allocations", {"allocations": [{"item_id": item}]}, 404)
    await till.delete(f"{path}/{uuid4()}", 404)
    assert await till.owed("FA-1") == 10_000


async def test_an_erased_debtor_leaves_the_ledger_and_no_name(till: Till) -> None:
    await till.hear(till.customer("Dupont", iban=ACCOUNT), till.issued("FA-2026-0001", "Dupont", 10_000))
    payment = await till.pay("P1", 10_000, "FA-2026-0001 Dupont", payer_iban=ACCOUNT, payer_name="Dupont")
    await till.hear(DebtorErased(tenant_id=till.tenant, version=2, debtor_id=till.debtor("Dupont")))
    told = await till.get(f"/v1/payments/{payment}")
    assert (told["payer_name"], told["payer_iban"], told["remittance"]) == (None, None, "")
    assert told["state"] == "matched"


async def test_a_shop_that_gets_a_head_office_takes_its_items_along(till: Till) -> None:
    await till.hear(till.customer("Siege", iban=ACCOUNT), till.customer("Lyon"), till.issued("FA-1", "Lyon", 3_300))
    payment = await till.pay("P1", 3_300, "merci", payer_iban=ACCOUNT)
    assert await till.state(payment) == "unmatched"
    await till.hear(till.customer("Lyon", payer="Siege"))
    await till.settle()
    assert await till.owed("FA-1") == 0
