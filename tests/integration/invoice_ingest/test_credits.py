"""Credit notes: the invoices they name, whichever comes first, and what a permit says meanwhile."""

from typing import Any
from uuid import UUID

import pytest

from libs.common.events import event
from libs.common.events.payments import CreditApplied
from libs.common.ids import invoice_id, item_id, uuid7
from libs.common.money import Money
from services.invoice_ingest.handlers import credits_applied
from tests.integration.invoice_ingest.office import NOW, Office, eur, invoice


def credit(number: str = "A-1", amount: str = "100.00", **told: Any) -> dict[str, Any]:
    return invoice(number, amount, **told) | {"due_date": None}


async def test_a_credit_note_names_its_invoice(office: Office) -> None:
    one = (await office.post("/v1/invoices", invoice(), 201))["id"]
    named = {"preceding": [{"number": "F-1", "amount": eur("100.00")}]}
    await office.post("/v1/credit-notes", credit(references=named), 201)
    (said,) = await office.events("CreditNoteIssued")
    assert said["amount"] == eur("100.00")
    assert said["invoices"] == [{"invoice_id": one, "amount": eur("100.00")}]


async def test_a_credit_note_that_overtakes_its_invoice_finds_it_by_its_date(office: Office) -> None:
    named = {"preceding": [{"number": "F-1", "issue_date": "2026-10-01"}]}
    await office.post("/v1/credit-notes", credit(references=named), 201)
    (said,) = await office.events("CreditNoteIssued")
    one = invoice_id(office.tenant, office.entity, "invoice", "F-1", 2026)
    assert [each["invoice_id"] for each in said["invoices"]] == [str(one)]


async def test_a_credit_note_and_its_invoice_in_one_list(office: Office) -> None:
    note = credit(kind="credit_note", references={"preceding": [{"number": "F-1"}]})
    answer = await office.post("/v1/invoices/batch", [invoice(), note])
    assert answer["counts"] == {"created": 2}


async def test_a_credit_above_its_own_worth_waits_for_a_person(office: Office) -> None:
    await office.post("/v1/invoices", invoice(), 201)
    named = {"preceding": [{"number": "F-1", "amount": eur("100.01")}]}
    answer = await office.post("/v1/credit-notes", credit(references=named), 202)
    assert answer["code"] == "wrong_sums"


async def test_an_invoice_with_a_negative_payable_is_a_credit(office: Office) -> None:
    totals = {"gross": eur("100.00"), "prepaid": eur("150.00")}
    await office.post("/v1/invoices", invoice(totals=totals), 201)
    (said,) = await office.events("CreditNoteIssued")
    assert said["amount"] == eur("50.00")


async def test_an_invoice_that_is_paid_already_owes_nothing(office: Office) -> None:
    totals = {"gross": eur("100.00"), "prepaid": eur("100.00")}
    await office.post("/v1/invoices", invoice(totals=totals, due_date=None), 201)
    (said,) = await office.events("InvoiceIssued")
    assert (said["payable"], said["instalments"]) == (eur("0.00"), [])


async def test_a_void_credit_note_credits_nothing(office: Office) -> None:
    one = (await office.post("/v1/credit-notes", credit(), 201))["id"]
    await office.post(f"/v1/invoices/{one}/cancel", {})
    said = await office.events("CreditNoteIssued")
    assert [(each["version"], each["amount"]) for each in said] == [(1, eur("100.00")), (2, eur("0.00"))]


async def test_another_kind_is_refused_at_the_door_of_credit_notes(office: Office) -> None:
    assert (await office.post("/v1/credit-notes", invoice(kind="invoice"), 422))["field"] == "kind"


async def _ask(office: Office, one: str, **bent: Any) -> dict[str, Any]:
    (file,) = await office.events("DebtorChanged")
    item = {
        "occurrence_id": str(uuid7()),
        "release": 1,
        "item_id": str(item_id(UUID(one), 1)),
        "invoice_id": one,
        "invoice_version": 1,
        "debtor_id": file["debtor_id"],
        "amount": eur("1200.00"),
    }
    ask = {
        "delivery_id": str(uuid7()),
        "notice_id": str(uuid7()),
        "reminder_id": str(uuid7()),
        "entity_id": str(office.entity),
        "payer_id": file["payer_id"],
        "party_id": file["party_id"],
        "kind": "reminder",
        "tone": 1,
        "debtor_version": 1,
        "items": [item],
    } | bent
    (answer,) = (await office.ask("/internal/v1/permits", {"deliveries": [ask]}))["answers"]
    await office.client.post("/internal/v1/permits/release", json={"delivery_ids": [ask["delivery_id"]]})
    return {name: answer[name] for name in ("answer", "reason")}


async def test_a_permit_is_given_for_what_is_on_record(office: Office) -> None:
    one = (await office.post("/v1/invoices", invoice(), 201))["id"]
    assert await _ask(office, one) == {"answer": "yes", "reason": None}


async def test_a_permit_is_refused_for_an_older_file(office: Office) -> None:
    one = (await office.post("/v1/invoices", invoice(), 201))["id"]
    assert await _ask(office, one, debtor_version=0) == {"answer": "no", "reason": "debtor_changed"}


@pytest.mark.parametrize(("change", "reason"), [("amend", "invoice_amended"), ("cancel", "invoice_cancelled")])
async def test_a_permit_is_refused_after_an_amendment_and_a_cancellation(
    office: Office, change: str, reason: str
) -> None:
    one = (await office.post("/v1/invoices", invoice(), 201))["id"]
    bent = invoice(gross="1.00") if change == "amend" else invoice(status="cancelled")
    await office.post("/v1/invoices", bent, 200)
    assert await _ask(office, one) == {"answer": "no", "reason": reason}


async def test_a_permit_waits_until_a_credit_is_in_the_residuals(office: Office) -> None:
    one = (await office.post("/v1/invoices", invoice(), 201))["id"]
    note = (await office.post("/v1/credit-notes", credit(), 201))["id"]
    assert await _ask(office, one) == {"answer": "again", "reason": "credit_not_applied"}
    applied = CreditApplied(
        tenant_id=office.tenant,
        version=1,
        entity_id=office.entity,
        credit_note_id=UUID(note),
        payer_id=uuid7(),
        unapplied=Money(0, "EUR"),
        residuals=[],
    )
    async with office.loops.transaction() as db:
        await credits_applied(db, [event(applied, NOW)])
    assert (await _ask(office, one))["answer"] == "yes"
