"""The whole table of answers of one door: what was sent, what it answers, what it says."""

from typing import Any

import pytest

from libs.common.ids import invoice_id, item_id
from tests.integration.invoice_ingest.office import Office, eur, invoice


async def test_a_new_invoice_is_created_and_said_once(office: Office) -> None:
    answer = await office.post("/v1/invoices", invoice(), 201)
    one = invoice_id(office.tenant, office.entity, "invoice", "F-1", 2026)
    assert (answer["result"], answer["id"], answer["version"]) == ("created", str(one), 1)
    (said,) = await office.events("InvoiceIssued")
    assert said["invoice_id"] == str(one)
    assert said["payable"] == eur("1200.00")
    assert said["instalments"] == [
        {"item_id": str(item_id(one, 1)), "sequence": 1, "due_date": "2026-10-31", "amount": eur("1200.00")}
    ]
    assert (said["take_over"], said["not_chased"], said["due_source"]) == (False, [], "structured")


async def test_the_first_invoice_of_a_debtor_opens_its_file(office: Office) -> None:
    await office.post("/v1/invoices", invoice(), 201)
    (file,) = await office.events("DebtorChanged")
    assert (file["external_id"], file["name"], file["payer_id"]) == ("C042", "Dupont SARL", file["debtor_id"])
    assert [each["type"] for each in await office.events()] == ["DebtorChanged", "InvoiceIssued"]


async def test_the_same_invoice_again_changes_nothing(office: Office) -> None:
    first = await office.post("/v1/invoices", invoice(), 201)
    again = await office.post("/v1/invoices", invoice(), 200)
    assert (again["result"], again["id"], again["version"]) == ("unchanged", first["id"], 1)
    assert len(await office.events("InvoiceIssued", "InvoiceAmended")) == 1


async def test_another_amount_without_a_version_amends_by_arrival(office: Office) -> None:
    await office.post("/v1/invoices", invoice(), 201)
    answer = await office.post("/v1/invoices", invoice(gross="1300.00"), 200)
    assert (answer["result"], answer["version"]) == ("amended", 2)
    (said,) = await office.events("InvoiceAmended")
    assert (said["version"], said["payable"]) == (2, eur("1300.00"))


async def test_an_older_version_is_stale_and_changes_nothing(office: Office) -> None:
    await office.post("/v1/invoices", invoice(version=7), 201)
    answer = await office.post("/v1/invoices", invoice(gross="1.00", version=6), 200)
    assert answer["result"] == "stale"
    assert (await office.get(f"/v1/invoices/{answer['id']}"))["payable"] == eur("1200.00")


async def test_the_same_version_with_other_content_is_a_conflict(office: Office) -> None:
    await office.post("/v1/invoices", invoice(version=7), 201)
    answer = await office.post("/v1/invoices", invoice(gross="1.00", version=7), 409)
    assert (answer["code"], answer["field"]) == ("version_conflict", "version")


async def test_change_times_are_versions_too(office: Office) -> None:
    await office.post("/v1/invoices", invoice(version="2026-10-02T10:00:00+02:00"), 201)
    late = await office.post("/v1/invoices", invoice(gross="1.00", version="2026-10-02T07:59:59Z"), 200)
    newer = await office.post("/v1/invoices", invoice(gross="2.00", version="2026-10-02T08:00:01Z"), 200)
    assert (late["result"], newer["result"]) == ("stale", "amended")


async def test_a_newer_version_that_says_the_same_moves_the_version_on(office: Office) -> None:
    await office.post("/v1/invoices", invoice(version=1), 201)
    assert (await office.post("/v1/invoices", invoice(version=9), 200))["result"] == "unchanged"
    assert (await office.post("/v1/invoices", invoice(gross="1.00", version=5), 200))["result"] == "stale"


async def test_a_second_source_that_agrees_is_unchanged_and_says_nothing(office: Office) -> None:
    await office.post("/v1/invoices", invoice(source="sage"), 201)
    answer = await office.post("/v1/invoices", invoice(source="dms", external_id="77"), 200)
    assert answer["result"] == "unchanged"
    assert len(await office.events("InvoiceIssued", "InvoiceAmended")) == 1


async def test_a_second_source_that_differs_waits_for_a_person(office: Office) -> None:
    await office.post("/v1/invoices", invoice(source="sage"), 201)
    answer = await office.post("/v1/invoices", invoice(source="dms", gross="1.00"), 202)
    assert (answer["result"], answer["code"]) == ("quarantined", "second_source")
    assert answer["remedy"]
    assert await office.events("InvoiceAmended") == []


async def test_a_cancelled_status_makes_it_void_and_a_late_copy_stays_void(office: Office) -> None:
    await office.post("/v1/invoices", invoice(), 201)
    answer = await office.post("/v1/invoices", invoice(status="cancelled"), 200)
    again = await office.post("/v1/invoices", invoice(), 200)
    assert (answer["result"], again["result"]) == ("cancelled", "cancelled")
    (said,) = await office.events("InvoiceCancelled")
    assert (said["version"], len(said["item_ids"])) == (2, 1)


async def test_a_cancellation_that_overtakes_its_invoice_holds(office: Office) -> None:
    await office.post("/v1/invoices", invoice(status="cancelled", version=2), 200)
    assert (await office.post("/v1/invoices", invoice(version=1), 200))["result"] == "stale"
    assert await office.events("InvoiceIssued") == []


async def test_cancelling_by_its_own_route_is_said_and_safe_to_repeat(office: Office) -> None:
    one = (await office.post("/v1/invoices", invoice(), 201))["id"]
    first = await office.post(f"/v1/invoices/{one}/cancel", {"reason": "wrong customer"})
    again = await office.post(f"/v1/invoices/{one}/cancel", {})
    assert (first["result"], first["version"], again["version"]) == ("cancelled", 2, 2)
    assert len(await office.events("InvoiceCancelled")) == 1
    assert (await office.get(f"/v1/invoices/{one}"))["status"] == "cancelled"


QUARANTINED: list[tuple[str, dict[str, Any], str, str]] = [
    ("no due date and no terms", {"due_date": None, "terms_note": "30 Tage netto"}, "due_date_missing", "due_date"),
    (
        "a payable that is not the sum",
        {"totals": {"gross": eur("10.00"), "payable": eur("9.00")}},
        "wrong_sums",
        "totals.payable",
    ),
    (
        "a gross that is not net and tax",
        {"totals": {"gross": eur("10.00"), "net": eur("8.00"), "tax": eur("1.00")}},
        "wrong_sums",
        "totals.gross",
    ),
    (
        "instalments that are not the sum",
        {"due_date": None, "instalments": [{"due_date": "2026-11-01", "amount": eur("1.00")}]},
        "wrong_sums",
        "instalments",
    ),
    ("a debtor that nobody knows", {"debtor": {"external_id": "C999"}}, "debtor_unknown", "debtor"),
    (
        "a credit note with a negative amount",
        {"kind": "credit_note", "totals": {"gross": eur("-5.00")}},
        "credit_sign",
        "totals.payable",
    ),
    (
        "a credit of an invoice that is not here",
        {"kind": "credit_note", "references": {"preceding": [{"number": "F-0"}]}},
        "invoice_unknown",
        "references.preceding",
    ),
]


@pytest.mark.parametrize(("fact", "bent", "reason", "field"), QUARANTINED, ids=[row[0] for row in QUARANTINED])
async def test_what_is_doubtful_is_quarantined_with_field_and_remedy(
    office: Office, fact: str, bent: dict[str, Any], reason: str, field: str
) -> None:
    answer = await office.post("/v1/invoices", invoice() | bent, 202)
    assert (answer["result"], answer["code"], answer["field"]) == ("quarantined", reason, field)
    assert answer["remedy"]
    assert await office.events("InvoiceIssued", "CreditNoteIssued") == []
    assert [each["id"] for each in (await office.get("/v1/quarantine"))["items"]] == [answer["quarantine_id"]]


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("terms with two readings", {"due_date": None, "terms": "45 days end of month"}, "terms"),
    ("terms that are none", {"due_date": None, "terms": "as agreed"}, "terms"),
    ("an unknown currency", {"totals": {"gross": {"amount": "1.00", "currency": "XXX"}}}, "totals.gross"),
    ("two currencies", {"totals": {"gross": eur("1.00"), "net": {"amount": "1.00", "currency": "USD"}}}, "totals.net"),
    ("a number for an amount", {"totals": {"gross": {"amount": 1.0, "currency": "EUR"}}}, "totals.gross"),
    ("too many decimals", {"totals": {"gross": eur("1.001")}}, "totals.gross"),
    ("a day that is none", {"due_date": "2026-02-30"}, "due_date"),
    ("an instant for a date", {"due_date": "2026-10-31T00:00:00Z"}, "due_date"),
    ("a field that nobody knows", {"amount": "12"}, "amount"),
    ("no number", {"number": " "}, "number"),
    ("an entity that is not ours", {"entity_id": "00000000-0000-0000-0000-000000000001"}, "entity_id"),
    ("a version that is none", {"version": "soon"}, "version"),
    (
        "an e-mail that is none",
        {"debtor": {"external_id": "C1", "name": "x", "contacts": [{"name": "x", "email": "no"}]}},
        "debtor.contacts.0.email",
    ),
]


@pytest.mark.parametrize(("fact", "bent", "field"), REFUSED, ids=[row[0] for row in REFUSED])
async def test_what_cannot_be_is_refused_with_its_field(
    office: Office, fact: str, bent: dict[str, Any], field: str
) -> None:
    answer = await office.post("/v1/invoices", invoice() | bent, 422)
    assert answer["field"] == field
    assert answer["remedy"]
    assert await office.events("InvoiceIssued") == []


async def test_the_same_doubt_told_twice_waits_once(office: Office) -> None:
    first = await office.post("/v1/invoices", invoice(due_date=None), 202)
    again = await office.post("/v1/invoices", invoice(due_date=None), 202)
    assert first["quarantine_id"] == again["quarantine_id"]


async def test_the_same_object_under_another_number_waits_for_a_person(office: Office) -> None:
    await office.post("/v1/invoices", invoice(external_id="9"), 201)
    answer = await office.post("/v1/invoices", invoice("F-2", external_id="9"), 202)
    assert answer["code"] == "identity_changed"
