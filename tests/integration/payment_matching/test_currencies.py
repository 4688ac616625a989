"""Money in one currency for invoices in another: by a person with both amounts, by the machine as the bank told it."""

from typing import Any
from uuid import UUID, uuid4

from libs.common.money import Money
from tests.integration.payment_matching.test_statements import THURSDAY, whole
from tests.integration.payment_matching.test_two_people import said
from tests.integration.payment_matching.till import Till, eur
from tests.unit.payment_matching.camt_files import converted, detail, entry

ACCOUNT = "FR7612345678901234567890123"


def usd(cents: int) -> dict[str, str]:
    return Money(cents, "USD").wire()


async def invoiced(till: Till, *numbers: str, cents: int = 100_000) -> None:
    """Dupont, whose account is known, owes these in dollars."""
    await till.hear(till.customer("Dupont", iban=ACCOUNT))
    await till.hear(*(till.issued(number, "Dupont", cents, currency="USD") for number in numbers))


def part(till: Till, number: str, amount: Any = None, paid: Any = None, **facts: Any) -> dict[str, Any]:
    amounts = ({"amount": amount} if amount else {}) | ({"paid": paid} if paid else {})
    return {"item_id": str(till.item_id(number))} | amounts | facts


async def give(till: Till, payment: UUID, *parts: dict[str, Any], status: int = 201, **facts: Any) -> Any:
    wanted = {"allocations": list(parts)} | facts
    return await till.post(f"/v1/payments/{payment}/allocations", wanted, status)


async def test_a_person_gives_euros_to_an_invoice_in_dollars_and_takes_them_back(till: Till) -> None:
    await invoiced(till, "US-1")
    payment = await till.pay("P1", 92_115, "merci")
    told = await give(till, payment, part(till, "US-1", usd(100_000), eur(92_115)))
    [line] = told["allocations"]
    assert (line["amount"], line["paid"], told["unapplied"]) == (usd(100_000), eur(92_115), eur(0))
    [matched] = await till.events("PaymentMatched")
    assert (matched["allocations"][0]["amount"], matched["allocations"][0]["paid"]) == (usd(100_000), eur(92_115))
    assert (await till.owed("US-1"), len(await till.events("InvoiceSettled"))) == (0, 1)
    await till.balanced()
    back = await till.delete(f"/v1/payments/{payment}/allocations/{line['allocation_id']}")
    assert (await till.owed("US-1"), back["unapplied"], back["allocations"]) == (100_000, eur(92_115), [])
    await till.balanced()


async def test_dollars_on_a_dollar_account_pay_an_invoice_in_euros_in_part(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-1", "Dupont", 100_000))
    payment = await till.pay("P1", 0, "merci", amount=usd(50_000))
    told = await give(till, payment, part(till, "FA-1", eur(40_000), usd(43_424)))
    await till.settle()
    assert (await till.owed("FA-1"), told["unapplied"], await till.state(payment)) == (60_000, usd(6_576), "partly")
    more = await give(till, payment, part(till, "FA-1", eur(6_056), usd(6_576)))
    assert (await till.owed("FA-1"), more["unapplied"], more["state"]) == (53_944, usd(0), "matched")
    await till.balanced()


async def test_without_both_amounts_it_is_refused_with_field_and_remedy(till: Till) -> None:
    await invoiced(till, "US-1")
    await till.hear(till.issued("FA-1", "Dupont", 5_000), till.credit("AV-1", "Dupont", 100))
    payment = await till.pay("P1", 92_115, "merci")
    wrong = [
        ("paid", part(till, "US-1", usd(100_000))),
        ("paid", part(till, "US-1", usd(100_000), usd(92_115))),
        ("amount", part(till, "US-1", None, eur(92_115))),
        ("amount", part(till, "US-1", eur(92_115), eur(92_115))),
        ("amount", part(till, "US-1", usd(100_001), eur(92_115))),
        ("amount", part(till, "US-1", usd(100_000), eur(92_116))),
        ("paid", part(till, "FA-1", eur(5_000), eur(4_000))),
        ("allocations", part(till, "FA-1", usd(5_000))),
    ]
    for field, one in wrong:
        problem = await give(till, payment, one, status=422)
        assert (problem["field"], bool(problem["remedy"])) == (field, True), one
    note = (await till.events("CreditApplied"))[0]["credit_note_id"]
    both = part(till, "US-1", usd(100_000), eur(92_115))
    used = await give(till, payment, both, status=422, credits=[{"credit_note_id": note, "amount": eur(50)}])
    assert (used["field"], await till.owed("US-1")) == ("credits", 100_000)
    await till.balanced()


async def test_what_is_short_in_the_invoices_currency_is_written_off_in_it(till: Till) -> None:
    await invoiced(till, "US-1")
    payment = await till.pay("P1", 91_500, "merci")
    told = await give(till, payment, part(till, "US-1", usd(99_500), eur(91_500), write_off="fee"))
    assert [(one["amount"], one["paid"], one["kind"]) for one in told["write_offs"]] == [(usd(500), None, "fee")]
    assert await till.owed("US-1") == 0
    await till.post(f"/v1/payments/{payment}/reverse", {"code": "AC04"})
    assert await till.owed("US-1") == 100_000
    await till.balanced()


async def test_a_payment_returned_in_part_gives_back_its_share(till: Till) -> None:
    await invoiced(till, "US-1")
    payment = await till.pay("P1", 92_115, "merci")
    await give(till, payment, part(till, "US-1", usd(100_000), eur(92_115)))
    told = await till.post(f"/v1/payments/{payment}/reverse", {"code": "AC04", "amount": eur(50_000)})
    assert (await till.owed("US-1"), told["returned"]) == (54_279, eur(50_000))
    [left] = told["allocations"]
    assert (left["amount"], left["paid"]) == (usd(45_721), eur(42_115))
    await till.balanced()
    await till.post(f"/v1/payments/{payment}/reverse", {"code": "AC04"})
    assert await till.owed("US-1") == 100_000
    await till.balanced()


async def test_what_the_bank_told_to_the_cent_is_matched_alone(till: Till) -> None:
    await invoiced(till, "US-2026-00071")
    booked = detail(92_115, remittance="US-2026-00071", iban=ACCOUNT, extra=converted(100_000, "USD", "1.0856"))
    await till.upload(whole(entry(92_115, booked, on=THURSDAY), closing=92_115))
    [told] = (await till.get("/v1/payments"))["payments"]
    assert (told["state"], told["instructed"], told["exchange_rate"]) == ("matched", usd(100_000), "1.0856")
    [line] = told["allocations"]
    assert (line["how"], line["amount"], line["paid"]) == ("auto", usd(100_000), eur(92_115))
    assert await till.owed("US-2026-00071") == 0
    await till.balanced()


async def test_several_invoices_share_what_was_booked_to_the_cent(till: Till) -> None:
    await invoiced(till, "US-2026-00071", "US-2026-00072", cents=33_333)
    text = "US-2026-00071 US-2026-00072"
    payment = await till.pay("P1", 61_409, text, payer_iban=ACCOUNT, instructed=usd(66_666), exchange_rate="1.0856")
    told = await till.get(f"/v1/payments/{payment}")
    assert [one["paid"] for one in told["allocations"]] == [eur(30_704), eur(30_705)]
    assert (told["unapplied"], told["state"]) == (eur(0), "matched")
    await till.balanced()


async def test_without_the_banks_figure_nothing_is_matched_alone_and_a_person_is_told_why(till: Till) -> None:
    await invoiced(till, "US-2026-00071")
    payment = await till.pay("P1", 92_115, "US-2026-00071", payer_iban=ACCOUNT)
    assert (await till.state(payment), await till.owed("US-2026-00071")) == ("unmatched", 100_000)
    assert await till.permit("US-2026-00071", "Dupont", 100_000, currency="USD") == ("no", "money_undecided")
    for language, words in (("fr", "aucun montant en USD"), ("en", "no amount in USD")):
        [one] = (await till.get(f"/v1/payments/{payment}/suggestions", language=language))["suggestions"]
        [item] = one["items"]
        assert (item["amount"], item["paid"], one["unsure"]) == (usd(100_000), eur(92_115), ["amount_not_told"])
        assert any(words in why for why in one["evidence"]), one["evidence"]


async def test_less_than_the_invoice_or_one_kind_of_evidence_is_a_persons(till: Till) -> None:
    await invoiced(till, "US-2026-00071", "US-2026-00072")
    short = await till.pay(
        "P1", 91_000, "US-2026-00071", payer_iban=ACCOUNT, instructed=usd(98_800), exchange_rate="1.0857"
    )
    alone = await till.pay("P2", 92_115, "bonjour", instructed=usd(100_000))
    assert [await till.state(one) for one in (short, alone)] == ["unmatched", "unmatched"]
    best = (await till.get(f"/v1/payments/{short}/suggestions", language="fr"))["suggestions"][0]
    assert (best["items"][0]["amount"], best["items"][0]["paid"]) == (usd(98_800), eur(91_000))
    assert (best["items"][0]["rest"], "difference_in_currency" in best["unsure"]) == (usd(1_200), True)
    assert any("1,0857" in why and "910,00" in why for why in best["evidence"]), best["evidence"]
    assert len((await till.get(f"/v1/payments/{alone}/suggestions"))["suggestions"]) == 2
    await till.balanced()


async def test_what_was_ordered_says_nothing_of_what_is_left_of_it(till: Till) -> None:
    await invoiced(till, "US-2026-00071")
    await till.hear(till.issued("FA-2026-00090", "Dupont", 42_115))
    payment = await till.pay("P1", 92_115, "US-2026-00071", payer_iban=ACCOUNT, instructed=usd(99_000))
    await give(till, payment, part(till, "FA-2026-00090"))
    await till.settle()
    [one] = (await till.get(f"/v1/payments/{payment}/suggestions"))["suggestions"]
    assert (one["unsure"], one["items"][0]["paid"]) == (["amount_not_told"], eur(50_000))


async def test_an_invoice_in_euros_as_likely_keeps_the_machine_from_acting(till: Till) -> None:
    await invoiced(till, "US-2026-00071")
    await till.hear(till.issued("FA-2026-00090", "Dupont", 92_115))
    payment = await till.pay("P1", 92_115, "", payer_iban=ACCOUNT, instructed=usd(100_000))
    assert await till.state(payment) == "unmatched"
    found = (await till.get(f"/v1/payments/{payment}/suggestions"))["suggestions"]
    assert "rival" in found[0]["unsure"]
    assert {one["items"][0]["number"] for one in found} == {"US-2026-00071", "FA-2026-00090"}


async def test_an_invoice_that_comes_after_its_money_meets_it_in_its_currency(till: Till) -> None:
    await till.hear(till.customer("Dupont", iban=ACCOUNT))
    payment = await till.pay("P1", 92_115, "US-2026-00071", payer_iban=ACCOUNT, instructed=usd(100_000))
    assert await till.state(payment) == "unmatched"
    await invoiced(till, "US-2026-00071")
    await till.settle()
    assert (await till.state(payment), await till.owed("US-2026-00071")) == ("matched", 0)


async def test_an_invoice_that_owes_what_was_ordered_is_suggested_though_nothing_names_it(till: Till) -> None:
    payment = await till.pay("P1", 92_115, "merci", instructed=usd(100_000))
    assert (await till.get(f"/v1/payments/{payment}/suggestions"))["suggestions"] == []
    await invoiced(till, "US-2026-00071")
    await till.settle()
    [one] = (await till.get(f"/v1/payments/{payment}/suggestions"))["suggestions"]
    assert (one["items"][0]["number"], one["items"][0]["paid"]) == ("US-2026-00071", eur(92_115))


async def test_a_fee_kept_in_another_currency_makes_no_account_a_providers(till: Till) -> None:
    await invoiced(till, "US-1")
    payment = await till.pay("P1", 91_500, "merci", payer_iban="NL91ABNA0417164300")
    await give(till, payment, part(till, "US-1", usd(99_500), eur(91_500), write_off="provider_fee"))
    assert (await till.get("/v1/matching/payout-providers"))["providers"] == []


async def test_an_instructed_amount_is_in_another_currency(till: Till) -> None:
    for told in (eur(1_000), usd(0)):
        body = till.payment("P1", 1_000, instructed=told)
        assert (await till.post("/v1/payments", body, 422))["field"] == "instructed"


async def test_a_limit_in_either_currency_takes_two_people_and_parts_count_together(till: Till) -> None:
    limit = {"above": usd(150_000)}
    assert (await said(till, "user:admin", "PUT", "/v1/matching/two-people", limit, roles=("administrator",)))[0] == 200
    await invoiced(till, "US-1", "US-2")
    payment = await till.pay("P1", 200_000, "merci")
    path = f"/v1/payments/{payment}/allocations"
    first = {"allocations": [part(till, "US-1", usd(100_000), eur(92_115))]}
    assert (await said(till, "user:anne", "POST", path, first))[0] == 201
    second = {"allocations": [part(till, "US-2", usd(100_000), eur(92_115))]}
    status, waits = await said(till, "user:anne", "POST", path, second)
    assert (status, await till.owed("US-2")) == (202, 100_000)
    proposal = f"/v1/matching/proposals/{waits['proposal_id']}"
    shown = await till.get(proposal)
    assert (shown["amount"], shown["wanted"]["allocations"]) == (usd(100_000), second["allocations"])
    assert (await said(till, "user:bert", "POST", f"{proposal}/approve"))[0] == 200
    await till.settle()
    assert (await till.owed("US-2"), await till.state(payment)) == (0, "partly")
    await till.balanced()


async def test_another_currency_without_a_limit_of_its_own_is_no_way_around_the_limit(till: Till) -> None:
    limit = {"above": eur(500_000)}
    path, admin = "/v1/matching/two-people", ("administrator",)
    assert (await said(till, "user:admin", "PUT", path, limit, roles=admin))[0] == 200
    await invoiced(till, "US-1", cents=10_000_000)
    await till.hear(till.issued("FA-1", "Dupont", 5_000))
    payment = await till.pay("P1", 92_115, "merci")
    path = f"/v1/payments/{payment}/allocations"
    abroad = {"allocations": [part(till, "US-1", usd(10_000_000), eur(1))]}
    status, waits = await said(till, "user:anne", "POST", path, abroad)
    assert (status, await till.owed("US-1")) == (202, 10_000_000)
    shown = await till.get(f"/v1/matching/proposals/{waits['proposal_id']}")
    assert shown["amount"] == usd(10_000_000)
    here = {"allocations": [part(till, "FA-1", eur(5_000))]}
    assert (await said(till, "user:anne", "POST", path, here))[0] == 201, "the payment's own limit is not reached"
    assert (await said(till, "user:bert", "POST", f"/v1/matching/proposals/{waits['proposal_id']}/approve"))[0] == 200
    assert await till.owed("US-1") == 0
    await till.balanced()


async def test_more_than_the_bank_said_was_ordered_takes_two_people_whatever_the_limits(till: Till) -> None:
    await invoiced(till, "US-1", cents=1_000_000)
    await till.hear(till.issued("FA-1", "Dupont", 46_057))
    payment = await till.pay("P1", 92_115, "merci", instructed=usd(100_000))
    path = f"/v1/payments/{payment}/allocations"
    steps = [
        (part(till, "US-1", usd(100_001), eur(92_115)), 202),
        (part(till, "US-1", usd(60_000), eur(46_057)), 201),
        (part(till, "US-1", usd(40_001), eur(1)), 202),
        (part(till, "FA-1", eur(46_057)), 202),
        (part(till, "US-1", usd(40_000), eur(46_058)), 201),
    ]
    for wanted, expected in steps:
        assert (await said(till, "user:anne", "POST", path, {"allocations": [wanted]}))[0] == expected, wanted
    assert (await till.owed("US-1"), await till.owed("FA-1")) == (900_000, 46_057)
    await till.balanced()


async def test_money_ordered_in_the_invoices_currency_keeps_its_reminder_back(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("US-1", "Dupont", 100_000, currency="USD"))
    covered = whole(entry(10, detail(10, remittance="x"), on=THURSDAY), closing=10)
    await till.upload(covered)
    assert await till.permit("US-1", "Dupont", 100_000, currency="USD") == ("yes", None)
    payment = await till.pay("P1", 92_115, "virement", debtor="Dupont", instructed=usd(101_000))
    assert await till.permit("US-1", "Dupont", 100_000, currency="USD") == ("no", "cash_on_account")
    await till.post(f"/v1/payments/{payment}/reverse", {"code": "AC04"})
    assert await till.permit("US-1", "Dupont", 100_000, currency="USD") == ("yes", None)


async def test_the_bank_says_later_in_which_currency_money_of_the_erp_was_ordered(till: Till) -> None:
    await invoiced(till, "US-2026-00071")
    facts = {"payer_iban": ACCOUNT, "end_to_end_id": f"E{uuid4().hex[:20]}"}
    payment = await till.pay("P1", 92_115, "US-2026-00071", **facts)
    assert await till.state(payment) == "unmatched"
    name = facts["end_to_end_id"]
    booked = detail(92_115, remittance="US-2026-00071", iban=ACCOUNT, end_to_end=name, extra=converted(100_000, "USD"))
    await till.upload(whole(entry(92_115, booked, on=THURSDAY), closing=92_115))
    assert (await till.state(payment), await till.owed("US-2026-00071")) == ("matched", 0)


async def test_the_same_payment_told_again_with_the_banks_figure_is_tried_with_it(till: Till) -> None:
    await invoiced(till, "US-2026-00071")
    payment = await till.pay("P1", 92_115, "US-2026-00071", payer_iban=ACCOUNT)
    assert await till.state(payment) == "unmatched"
    figure = {"instructed": usd(100_000), "exchange_rate": "1.0856"}
    body = till.payment("P1", 92_115, remittance="US-2026-00071", payer_iban=ACCOUNT, **figure)
    assert (await till.post("/v1/payments", body, 200))["result"] == "unchanged"
    await till.settle()
    assert (await till.state(payment), await till.owed("US-2026-00071")) == ("matched", 0)
    other = body | {"instructed": usd(90_000)}
    await till.post("/v1/payments", other, 200)
    told = await till.get(f"/v1/payments/{payment}")
    assert told["instructed"] == usd(100_000), "what is on record stays"


async def test_what_is_left_of_an_order_keeps_reminders_back_and_no_more(till: Till) -> None:
    await till.hear(till.customer("Dupont"))
    await till.hear(*(till.issued(number, "Dupont", 100_000, currency="USD") for number in ("US-1", "US-2")))
    await till.upload(whole(entry(10, detail(10, remittance="x"), on=THURSDAY), closing=10))
    payment = await till.pay("P1", 193_000, "virement", debtor="Dupont", instructed=usd(210_000))
    await give(till, payment, part(till, "US-1", usd(100_000), eur(92_000)))
    await till.settle()
    assert await till.permit("US-2", "Dupont", 100_000, currency="USD") == ("no", "cash_on_account")
    await give(till, payment, part(till, "US-2", usd(50_000), eur(46_000)))
    await till.settle()
    assert await till.permit("US-2", "Dupont", 50_000, currency="USD") == ("no", "cash_on_account")
    await give(till, payment, part(till, "US-2", usd(49_000), eur(54_900)))
    await till.settle()
    assert await till.permit("US-2", "Dupont", 1_000, currency="USD") == ("yes", None)
