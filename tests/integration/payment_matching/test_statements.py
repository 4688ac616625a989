"""Bank files over HTTP: money told twice is one payment, feeds are fresh or stale, broken files say why."""

from datetime import date, timedelta

from libs.common.ids import uuid7
from tests.integration.payment_matching.till import IBAN, Till, eur
from tests.unit.payment_matching.camt_files import camt053, camt054, detail, entry, statement

ACCOUNT = "FR7612345678901234567890123"
THURSDAY = "2026-11-19"


def day(number: int) -> str:
    return (date(2026, 11, 1) + timedelta(days=number - 1)).isoformat()


def whole(*entries: str, opening: int = 0, closing: int = 0, on: int = 19, reference: str = "S1") -> bytes:
    told = statement(
        IBAN, entries, opening=opening, closing=closing, opens=day(on - 1), closes=day(on), reference=reference
    )
    return camt053(told)


async def test_a_statement_settles_and_its_feed_is_fresh(till: Till) -> None:
    await till.hear(till.customer("Dupont", iban=ACCOUNT), till.issued("FA-2026-0001", "Dupont", 10_000))
    booked = entry(10_000, detail(10_000, remittance="FA-2026-0001", iban=ACCOUNT), reference="R1", on=THURSDAY)
    told = await till.upload(whole(booked, closing=10_000))
    assert (told["result"], told["statements"][0]["payments"]) == ("created", 1)
    assert await till.owed("FA-2026-0001") == 0
    account = (await till.get("/v1/bank-accounts"))[0]
    assert (account["covered_to"], account["fresh"]) == (THURSDAY, True)
    fed = (await till.events("FeedAdvanced"))[-1]
    assert (fed["covered_to"], fed["required"], fed["bank_account_id"]) == (THURSDAY, True, str(till.account))
    received = (await till.events("PaymentReceived"))[0]
    assert (received["source"], received["bank_account_id"]) == ("statement", str(till.account))


async def test_the_same_file_again_changes_nothing(till: Till) -> None:
    body = whole(entry(10_000, detail(10_000), on=THURSDAY), closing=10_000)
    first = await till.upload(body)
    again = await till.upload(body, 200)
    assert (again["result"], again["id"]) == ("unchanged", first["id"])
    assert len((await till.get("/v1/payments"))["payments"]) == 1


async def test_the_same_money_in_a_054_and_a_053_is_one_payment(till: Till) -> None:
    one = entry(10_000, detail(10_000, iban=ACCOUNT, transaction="T1"), reference="R1", on=THURSDAY)
    await till.upload(camt054(IBAN, [one]))
    told = await till.upload(whole(one, closing=10_000))
    assert (told["statements"][0]["payments"], told["statements"][0]["known"]) == (0, 1)
    assert len((await till.get("/v1/payments"))["payments"]) == 1


async def test_two_like_transfers_of_one_day_stay_two(till: Till) -> None:
    one = entry(10_000, detail(10_000, iban=ACCOUNT), on=THURSDAY)
    await till.upload(camt054(IBAN, [one]))
    await till.upload(whole(one, one, closing=20_000))
    assert len((await till.get("/v1/payments"))["payments"]) == 2


async def test_money_told_by_the_erp_and_then_by_the_bank_is_one_payment(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
    payment = await till.pay("ERP-1", 10_000, "FA-2026-0001", payer_iban=ACCOUNT)
    told = await till.upload(whole(entry(10_000, detail(10_000, iban=ACCOUNT), on="2026-11-20"), closing=10_000))
    assert told["statements"][0]["known"] == 1
    assert [one["payment_id"] for one in (await till.get("/v1/payments"))["payments"]] == [str(payment)]
    again = await till.post("/v1/payments", till.payment("ERP-1", 10_000, payer_iban=ACCOUNT))
    assert again == {"result": "unchanged", "id": str(payment), "external_id": "ERP-1"}
    await till.post("/v1/payments", till.payment("ERP-1", 9_000), 409)


async def test_money_told_by_the_bank_first_is_given_as_the_erp_says(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-1", "Dupont", 4_000), till.issued("FA-2", "Dupont", 9_000))
    await till.upload(whole(entry(10_000, detail(10_000, iban=ACCOUNT), on=THURSDAY), closing=10_000))
    told = [{"number": "FA-1"}, {"number": "FA-2"}]
    body = till.payment("ERP-1", 10_000, payer_iban=ACCOUNT, allocations=told)
    assert (await till.post("/v1/payments", body))["result"] == "unchanged"
    await till.settle()
    assert (await till.owed("FA-1"), await till.owed("FA-2")) == (0, 3_000)
    await till.post("/v1/payments", body)
    await till.settle()
    assert await till.owed("FA-2") == 3_000
    await till.balanced()


async def test_a_lump_gives_way_to_its_details(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 4_000))
    await till.hear(till.issued("FA-2026-0002", "Dupont", 6_000))
    await till.upload(whole(entry(10_000, reference="R1", on=THURSDAY), closing=10_000))
    details = [detail(4_000, remittance="FA-2026-0001"), detail(6_000, remittance="FA-2026-0002")]
    await till.upload(camt054(IBAN, [entry(10_000, *details, reference="R1", on=THURSDAY)]))
    assert (await till.owed("FA-2026-0001"), await till.owed("FA-2026-0002")) == (0, 0)
    amounts = [one["amount"]["amount"] for one in (await till.get("/v1/payments"))["payments"]]
    assert sorted(amounts) == ["40.00", "60.00"]
    await till.balanced()


async def test_details_first_and_then_the_lump_are_the_details(till: Till) -> None:
    details = [detail(4_000, transaction="T1"), detail(6_000, transaction="T2")]
    await till.upload(camt054(IBAN, [entry(10_000, *details, reference="R1", on=THURSDAY)]))
    told = await till.upload(whole(entry(10_000, reference="R1", on=THURSDAY), closing=10_000))
    assert told["statements"][0]["payments"] == 0
    assert len((await till.get("/v1/payments"))["payments"]) == 2


async def test_a_returned_debit_reopens_its_invoice_whichever_file_comes_first(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
    await till.hear(till.issued("FA-2026-0002", "Dupont", 5_000))
    paid = entry(10_000, detail(10_000, remittance="FA-2026-0001", end_to_end="E1"), reference="R1", on=day(18))
    await till.upload(whole(paid, closing=10_000, on=18))
    assert await till.owed("FA-2026-0001") == 0
    back = entry(-10_000, detail(-10_000, end_to_end="E1", code="AC04"), reference="R2", on=THURSDAY)
    told = await till.upload(whole(back, opening=10_000, reference="S2"))
    assert told["statements"][0]["returns"] == 1
    assert await till.owed("FA-2026-0001") == 10_000
    assert (await till.events("InvoiceReopened"))[0]["reason"] == "returned"
    # The return of a payment that nobody told yet waits for it.
    early = entry(-5_000, detail(-5_000, end_to_end="E2", code="MD06"), reference="R4", on=THURSDAY)
    await till.upload(camt054(IBAN, [early], reference="N1"))
    late = entry(5_000, detail(5_000, remittance="FA-2026-0002", end_to_end="E2"), reference="R3", on=day(18))
    await till.upload(camt054(IBAN, [late], reference="N2"))
    assert await till.owed("FA-2026-0002") == 5_000
    await till.balanced()


async def test_a_pending_entry_settles_nothing(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
    pending = entry(10_000, detail(10_000, remittance="FA-2026-0001"), status="PDNG", on=THURSDAY)
    told = await till.upload(camt054(IBAN, [pending]))
    assert (told["statements"][0]["payments"], told["statements"][0]["pending"]) == (0, 1)
    assert await till.owed("FA-2026-0001") == 10_000
    await till.upload(whole(entry(10_000, detail(10_000, remittance="FA-2026-0001"), on=THURSDAY), closing=10_000))
    assert await till.owed("FA-2026-0001") == 0


async def test_a_missing_statement_stops_the_feed_until_it_comes_or_a_person_accepts(till: Till) -> None:
    await till.upload(whole(entry(1_000, on=day(16)), closing=1_000, on=16))
    await till.upload(whole(entry(1_000, on=day(18)), opening=3_000, closing=4_000, on=18, reference="S3"))
    account = (await till.get("/v1/bank-accounts"))[0]
    assert (account["covered_to"], account["gap_after"], account["fresh"]) == (day(16), day(16), False)
    await till.upload(whole(entry(2_000, on=day(17)), opening=1_000, closing=3_000, on=17, reference="S2"))
    account = (await till.get("/v1/bank-accounts"))[0]
    assert (account["covered_to"], account["gap_after"]) == (day(18), None)
    await till.upload(whole(entry(1, on=THURSDAY), opening=9_999, closing=10_000, reference="S9"))
    assert (await till.get("/v1/bank-accounts"))[0]["gap_after"] == day(18)
    accepted = await till.post(f"/v1/bank-accounts/{till.account}/accept-gap", None)
    assert (accepted[0]["covered_to"], accepted[0]["fresh"]) == (THURSDAY, True)


async def test_an_unreadable_file_says_why_and_makes_its_feed_stale(till: Till) -> None:
    await till.upload(whole(entry(1_000, on=THURSDAY), closing=1_000))
    broken = whole(entry(1_000, on=day(20)), opening=1_000, closing=2_001, on=20)
    refused = await till.upload(broken, 422)
    assert refused["code"] == "unreadable_statement"
    assert "is not closing 2001" in refused["detail"]
    account = (await till.get("/v1/bank-accounts"))[0]
    assert (account["unreadable"], account["fresh"]) == (True, False)
    assert (await till.events("FeedAdvanced"))[-1]["unreadable"] is True
    listed = (await till.get("/v1/statements"))["files"]
    assert [one["state"] for one in listed] == ["refused", "taken"]
    await till.upload(whole(entry(1_000, on=day(20)), opening=1_000, closing=2_000, on=20))
    assert (await till.get("/v1/bank-accounts"))[0]["fresh"] is True


async def test_a_statement_of_an_account_nobody_knows_is_refused_unless_its_entity_is_named(till: Till) -> None:
    other = "DE89370400440532013000"
    body = camt053(statement(other, [entry(1_000)], opening=0, closing=1_000))
    await till.hear(till.entity_configured(uuid7()))
    refused = await till.upload(body, 422)
    assert (refused["code"], other in refused["detail"]) == ("unknown_account", True)
    told = await till.upload(body, entity_id=str(till.entity))
    assert told["statements"][0]["payments"] == 1
    known = {one["account"]: one["required"] for one in await till.get("/v1/bank-accounts")}
    assert known[other] is False


async def test_a_big_file_is_read_in_a_child_and_taken_whole(till: Till) -> None:
    entries = [
        entry(100, detail(100, remittance=f"X{n}", transaction=f"T{n}"), reference=f"R{n}", on=THURSDAY)
        for n in range(1_200)
    ]
    body = whole(*entries, closing=120_000)
    assert len(body) > 400_000
    told = await till.upload(body)
    assert told["statements"][0]["payments"] == 1_200


async def test_a_signed_webhook_tells_money_and_takes_it_back(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
    answer = await till.webhook(till.payment("W1", 10_000, "FA-2026-0001"))
    assert answer.status_code == 201, answer.text
    await till.settle()
    assert await till.owed("FA-2026-0001") == 0
    assert (await till.webhook(till.payment("W1", 10_000, "FA-2026-0001"))).status_code == 200
    told = {"type": "payment.reversed", "external_id": "W1", "code": "MS02", "on": "2026-11-20"}
    assert (await till.webhook(told)).json()["result"] == "created"
    assert (await till.webhook(told)).json()["result"] == "unchanged"
    assert await till.owed("FA-2026-0001") == 10_000
    forged = await till.webhook(till.payment("W2", 1), secret="whsec_" + "B" * 32)
    assert forged.status_code == 401


async def test_a_batch_answers_line_by_line(till: Till) -> None:
    lines = [
        till.payment("B1", 1_000),
        {"external_id": "B2"},
        till.payment("B3", 0),
        till.payment("B1", 2_000),
        till.payment("B4", 1_000, allocations=[{"number": "X", "amount": eur(5)}, {}]),
    ]
    told = await till.post("/v1/payments/batch", lines)
    assert [line["result"] for line in told["results"]] == ["created", "refused", "refused", "conflict", "refused"]
    assert told["results"][1]["field"] == "value_date"
