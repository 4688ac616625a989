"""Bank files of every format over HTTP: one code path after reading, so the same money is one payment."""

from typing import Any

from libs.common.ids import uuid7
from tests.integration.payment_matching.till import IBAN, Till
from tests.unit.payment_matching import flat_files
from tests.unit.payment_matching.camt_files import camt053, detail, entry, statement
from tests.unit.payment_matching.flat_files import MT942, cfonb, more, ofx, ofx_entry, operation, whole

OTHER = "FR7612345678909876543210123"
HEADINGS: dict[str, Any] = {
    "columns": {"booked_on": "Date", "amount": "Montant", "text": ["Libellé"], "balance": "Solde"},
    "date_format": "DD/MM/YYYY",
}
TABLE = "Date;Libellé;Montant;Solde\n19/11/2026;VIR FA-2026-0001;100,00;100,00\n"


def mt940(*, opening: str = "0,", closing: str = "100,", on: str = "261119", reference: str = "R1") -> bytes:
    """One receipt of 100.00 that names FA-2026-0001."""
    return (
        f":20:S\n:25:{IBAN}\n:28C:1\n:60F:C261118EUR{opening}\n:61:{on}C100,NTRFE2E-1//{reference}\n"
        f":86:/NAME/DUPONT/REMI/FA-2026-0001/EREF/E2E-1/\n:62F:C{on}EUR{closing}\n-\n"
    ).encode()


def in_camt(*, opening: int = 0, closing: int = 10_000, days: tuple[str, str] = ("2026-11-19", "2026-11-19")) -> bytes:
    """The same receipt in a camt.053."""
    one = entry(10_000, detail(10_000, remittance="FA-2026-0001", end_to_end="E2E-1"), reference="R1", on=days[1])
    return camt053(statement(IBAN, [one], opening=opening, closing=closing, opens=days[0], closes=days[1]))


async def payments(till: Till) -> int:
    return len((await till.get("/v1/payments"))["payments"])


async def test_an_mt940_settles_and_its_feed_is_fresh(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
    told = await till.upload(mt940())
    assert (told["format"], told["statements"][0]["payments"]) == ("mt940", 1)
    assert await till.owed("FA-2026-0001") == 0
    account = (await till.get("/v1/bank-accounts"))[0]
    assert (account["covered_to"], account["fresh"], account["mapped"]) == ("2026-11-19", True, False)
    received = (await till.events("PaymentReceived"))[0]
    assert received["source"] == "statement"


async def test_a_debit_that_comes_back_in_a_cfonb_or_coda_file_reopens_its_invoice_with_the_reason(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 5_000))
    paid = [operation(5_000, "PRLV SEPA", reference="R1"), more("LCC", "FA-2026-0001"), more("RCN", "E2E-1")]
    await till.upload(cfonb(*whole(0, paid, 5_000)))
    assert await till.owed("FA-2026-0001") == 0
    back = [operation(-5_000, "REJET PRLV", reference="R2", rejected="80", on="211126"), more("RCN", "E2E-1")]
    await till.upload(cfonb(*whole(5_000, back, 0, ("201126", "211126"))))
    assert await till.owed("FA-2026-0001") == 5_000
    [taken] = await till.events("PaymentReversed")
    assert (taken["code"], taken["refused_by_debtor"]) == ("MD06", True)
    assert (await till.events("InvoiceReopened"))[0]["reason"] == "refused_by_debtor"
    await till.hear(till.bank_details("BE68539007547034"))
    await till.pay("P2", 5_000, "FA-2026-0001", end_to_end_id="E2E-9")
    debit = [one.replace("E2E-1", "E2E-9") for one in flat_files.coda_debit("2", "2", "AM04")]
    await till.upload(flat_files.coda_of(-5_000, *debit))
    assert (await till.events("PaymentReversed"))[-1]["code"] == "AM04"
    assert await till.owed("FA-2026-0001") == 5_000
    await till.balanced()


async def test_the_same_money_in_an_mt942_an_mt940_a_cfonb_and_a_053_is_one_payment(till: Till) -> None:
    records = [operation(10_000, "VIR SEPA", reference="R1", on="191126"), more("LCC", "FA-2026-0001")]
    intraday = MT942.replace("2611201120C100", "2611191119C100").replace("//B1", "//R1").replace("/E1/", "/E2E-1/")
    await till.upload(intraday.encode())
    for body in (mt940(), cfonb(*whole(0, records, 10_000, ("181126", "191126"))), in_camt()):
        told = (await till.upload(body))["statements"][0]
        assert (told["payments"], told["known"]) == (0, 1)
    assert await payments(till) == 1
    account = (await till.get("/v1/bank-accounts"))[0]
    assert (account["covered_to"], account["gap_after"]) == ("2026-11-19", None)


async def test_a_bank_that_changes_its_format_goes_on_with_the_chain(till: Till) -> None:
    await till.upload(mt940(on="261118"))
    following = statement(
        IBAN, [entry(500, on="2026-11-19")], opening=10_000, closing=10_500, opens="2026-11-18", closes="2026-11-19"
    )
    await till.upload(camt053(following))
    account = (await till.get("/v1/bank-accounts"))[0]
    assert (account["covered_to"], account["gap_after"]) == ("2026-11-19", None)


async def test_a_missing_mt940_is_a_gap(till: Till) -> None:
    await till.upload(mt940(on="261117"))
    await till.upload(mt940(opening="150,", closing="250,", reference="R2"))
    account = (await till.get("/v1/bank-accounts"))[0]
    assert (account["covered_to"], account["gap_after"], account["fresh"]) == ("2026-11-17", "2026-11-17", False)


async def test_an_expected_entry_settles_nothing(till: Till) -> None:
    told = await till.upload(MT942.encode())
    assert (told["statements"][0]["payments"], told["statements"][0]["pending"]) == (1, 1)


async def test_an_ofx_file_brings_money_and_moves_no_feed(till: Till) -> None:
    told = await till.upload(ofx(ofx_entry("+12,50")))
    assert (told["format"], told["statements"][0]["payments"]) == ("ofx", 1)
    assert (await till.get("/v1/bank-accounts"))[0]["covered_to"] is None


async def test_a_bai2_file_is_read_under_limits(till: Till) -> None:
    told = await till.upload(flat_files.bai2(), entity_id=str(till.entity))
    assert (told["format"], told["statements"][0]["payments"]) == ("bai2", 1)
    refused = await till.upload(flat_files.bai2()[:-30], 422)
    assert "whole BAI2 file" in refused["detail"]


async def test_a_broken_mt940_makes_only_its_own_feed_stale(till: Till) -> None:
    await till.hear(till.bank_details(OTHER))
    refused = await till.upload(mt940(closing="101,"), 422)
    assert (refused["code"], bool(refused["remedy"])) == ("unreadable_statement", True)
    stale = {one["account"]: one["unreadable"] for one in await till.get("/v1/bank-accounts")}
    assert stale == {IBAN: True, OTHER: False}


async def test_a_file_that_is_no_statement_makes_no_feed_stale(till: Till) -> None:
    refused = await till.upload(b"Dear all,\nplease find attached", 422)
    assert refused["code"] == "unknown_format"
    assert (await till.get("/v1/bank-accounts"))[0]["unreadable"] is False


async def test_a_table_is_read_by_the_mapping_saved_for_its_account(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
    await till.upload(TABLE.encode(), 422)
    path = f"/v1/bank-accounts/{till.account}/table-mapping"
    saved = (await till.client.put(path, json=HEADINGS, headers=till.headers)).json()
    assert (saved["delimiter"], saved["decimal"], saved["header_row"]) == (";", ",", 1)
    assert await till.get(path) == saved
    told = await till.upload(TABLE.encode())
    assert (told["format"], told["statements"][0]["payments"]) == ("csv", 1)
    account = (await till.get("/v1/bank-accounts"))[0]
    # More may be booked on the last day of a table, so it is covered up to the day before.
    assert (account["mapped"], account["covered_to"]) == (True, "2026-11-18")
    assert (await till.client.delete(path, headers=till.headers)).status_code == 204
    assert (await till.client.get(path, headers=till.headers)).status_code == 404


async def test_a_mapping_of_no_account_or_that_cannot_work_is_refused(till: Till) -> None:
    unknown = await till.client.put(f"/v1/bank-accounts/{uuid7()}/table-mapping", json=HEADINGS, headers=till.headers)
    assert unknown.status_code == 404
    path = f"/v1/bank-accounts/{till.account}/table-mapping"
    wrong = HEADINGS | {"columns": {"booked_on": "Date"}}
    assert (await till.client.put(path, json=wrong, headers=till.headers)).status_code == 422


async def test_a_table_that_two_mappings_fit_is_whose_it_is_told_to_be(till: Till) -> None:
    await till.hear(till.bank_details(OTHER))
    ids = {one["account"]: one["bank_account_id"] for one in await till.get("/v1/bank-accounts")}
    for chosen in ids.values():
        await till.client.put(f"/v1/bank-accounts/{chosen}/table-mapping", json=HEADINGS, headers=till.headers)
    refused = await till.upload(TABLE.encode(), 422)
    assert refused["field"] == "bank_account_id"
    answer = await till.client.post(
        "/v1/statements", params={"bank_account_id": ids[OTHER]}, content=TABLE.encode(), headers=till.headers
    )
    assert answer.json()["statements"][0]["account"] == OTHER


async def test_a_big_mt940_is_read_in_a_process_of_its_own(till: Till) -> None:
    lines = [f":61:261119C1,NTRFE{n}//R{n}\n:86:/NAME/DUPONT {n}/REMI/{'FACTURE ' * 8}{n}\n" for n in range(4_000)]
    body = f":20:S\n:25:{IBAN}\n:28C:1\n:60F:C261118EUR0,\n{''.join(lines)}:62F:C261119EUR4000,\n-\n".encode()
    assert len(body) > 400_000
    told = await till.upload(body)
    assert told["statements"][0]["payments"] == 4_000
