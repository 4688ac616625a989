"""Debtors' files: payer, party, group, contacts, versions, erasure; and tenants that never meet."""

import asyncio
from typing import Any

from libs.common.ids import debtor_id
from tests.integration.invoice_ingest.office import Office, invoice

CONTACT = {"name": "Service comptable", "email": "compta@dupont.example", "roles": ["accounts_payable", "approver"]}


def told(**more: Any) -> dict[str, Any]:
    return {"name": "Dupont SARL", "siren": "552 100 554", "contacts": [CONTACT]} | more


async def test_a_file_is_created_and_told_whole(office: Office) -> None:
    answer = await office.put("/v1/debtors/C042", told(terms="30 days"), 201)
    (said,) = await office.events("DebtorChanged")
    assert (answer["result"], said["version"], said["siren"]) == ("created", 1, "552100554")
    assert said["contacts"][0]["email"] == "compta@dupont.example"
    shown = await office.get("/v1/debtors/C042")
    assert (shown["terms"], shown["contacts"][0]["roles"]) == ("30 days", ["accounts_payable", "approver"])


async def test_a_file_again_is_unchanged_and_another_contact_amends_it(office: Office) -> None:
    await office.put("/v1/debtors/C042", told(), 201)
    assert (await office.put("/v1/debtors/C042", told()))["result"] == "unchanged"
    answer = await office.put("/v1/debtors/C042", told(contacts=[CONTACT | {"email": "new@dupont.example"}]))
    assert (answer["result"], answer["version"]) == ("amended", 2)
    said = await office.events("DebtorChanged")
    assert [each["contacts"][0]["email"] for each in said] == ["compta@dupont.example", "new@dupont.example"]


async def test_older_files_are_stale_and_the_same_version_otherwise_is_a_conflict(office: Office) -> None:
    await office.put("/v1/debtors/C042", told(version=5), 201)
    assert (await office.put("/v1/debtors/C042", told(version=4, name="Old")))["result"] == "stale"
    assert (await office.put("/v1/debtors/C042", told(version=5, name="Other"), 409))["code"] == "version_conflict"


async def test_an_edit_made_from_an_older_view_is_refused(office: Office) -> None:
    await office.put("/v1/debtors/C042", told(), 201)
    answer = await office.put("/v1/debtors/C042", told(name="New"), 412, headers={"If-Match": '"7"'})
    assert answer["code"] == "precondition_failed"


async def test_head_office_pays_for_its_shops(office: Office) -> None:
    await office.put("/v1/debtors/HQ", {"name": "Siège"}, 201)
    answer = await office.post(
        "/v1/debtors/batch", [{"external_id": f"S{n}", "name": f"Shop {n}", "payer": "HQ"} for n in range(3)]
    )
    assert answer["counts"] == {"created": 3}
    head = debtor_id(office.tenant, office.entity, "HQ")
    assert {each["payer_id"] for each in await office.events("DebtorChanged")} == {str(head)}
    await office.post("/v1/invoices", invoice(debtor={"external_id": "S1"}), 201)
    (said,) = await office.events("InvoiceIssued")
    assert said["payer_id"] == str(head)
    assert len((await office.get("/v1/debtors", payer_id=str(head)))["items"]) == 4


async def test_a_payer_that_is_unknown_or_does_not_pay_for_itself_is_refused(office: Office) -> None:
    await office.put("/v1/debtors/HQ", {"name": "Siège"}, 201)
    await office.put("/v1/debtors/S1", {"name": "Shop", "payer": "HQ"}, 201)
    assert (await office.put("/v1/debtors/S2", {"name": "x", "payer": "nobody"}, 422))["field"] == "payer"
    assert (await office.put("/v1/debtors/S2", {"name": "x", "payer": "S1"}, 422))["field"] == "payer"
    await office.put("/v1/debtors/TOP", {"name": "Top"}, 201)
    assert (await office.put("/v1/debtors/HQ", {"name": "Siège", "payer": "TOP"}, 422))["field"] == "payer"


async def test_a_payer_may_stand_before_its_shops_in_one_list_but_not_after(office: Office) -> None:
    head, shop = {"external_id": "HQ", "name": "Siège"}, {"external_id": "S1", "name": "Shop", "payer": "HQ"}
    answer = await office.post("/v1/debtors/batch", [shop, head, shop])
    assert [line["result"] for line in answer["results"]] == ["refused", "created", "created"]


async def test_accounts_of_one_siren_are_one_party_and_share_its_group(office: Office) -> None:
    await office.put("/v1/debtors/A", told(), 201)
    await office.put("/v1/debtors/B", told(siren=None, vat_number="FR 83 552100554", group="Groupe Dupont"), 201)
    said = await office.events("DebtorChanged")
    assert len({each["party_id"] for each in said}) == 1
    assert [(each["external_id"], each["version"], each["group_id"] is None) for each in said] == [
        ("A", 1, True),
        ("B", 1, False),
        ("A", 2, False),
    ]
    await office.put("/v1/debtors/C", told(), 201)
    assert (await office.events("DebtorChanged"))[-1]["group_id"] == said[-1]["group_id"]


async def test_terms_of_the_file_give_the_due_date_of_an_invoice_without_any(office: Office) -> None:
    await office.put("/v1/debtors/C042", told(terms="30 days, end of month"), 201)
    await office.post("/v1/invoices", invoice(due_date=None), 201)
    (said,) = await office.events("InvoiceIssued")
    assert (said["due_source"], said["instalments"][0]["due_date"]) == ("debtor_default", "2026-10-31")


async def test_consumers_intercompany_and_money_we_collect_ourselves_are_not_chased(office: Office) -> None:
    await office.put("/v1/debtors/C042", told(consumer=True, intercompany=True), 201)
    await office.post("/v1/invoices", invoice(payment_means="direct_debit", not_chased=["undelivered"]), 201)
    (said,) = await office.events("InvoiceIssued")
    assert said["not_chased"] == ["collected_otherwise", "consumer", "intercompany", "undelivered"]


async def test_files_that_cannot_be_are_refused_with_their_field(office: Office) -> None:
    assert (await office.put("/v1/debtors/A", told(ibans=["FR7630006000011234567890188"]), 422))["field"] == "ibans"
    assert (await office.put("/v1/debtors/A", told(terms="45 days end of month"), 422))["field"] == "terms"
    assert (await office.put("/v1/debtors/A", told(siren="12"), 422))["field"] == "siren"
    assert await office.events() == []


async def test_an_erased_debtor_leaves_the_ledger_and_nothing_else(office: Office) -> None:
    await office.put("/v1/debtors/C042", told(), 201)
    one = (await office.post("/v1/invoices", invoice(), 201))["id"]
    await office.post("/v1/debtors/C042/erase", {})
    shown = await office.get("/v1/debtors/C042")
    assert (shown["name"], shown["siren"], shown["contacts"], shown["erased"]) == ("erased", None, [], True)
    assert (await office.get(f"/v1/invoices/{one}"))["payable"]["amount"] == "1200.00"
    assert len(await office.events("DebtorErased")) == 1
    assert await office.events("DebtorChanged") == []
    assert (await office.post("/v1/invoices", invoice("F-2"), 202))["code"] == "debtor_erased"


async def test_an_invoice_never_overwrites_a_file(office: Office) -> None:
    await office.put("/v1/debtors/C042", told(), 201)
    await office.post("/v1/invoices", invoice(debtor={"external_id": "C042", "name": "Someone else"}), 201)
    assert (await office.get("/v1/debtors/C042"))["name"] == "Dupont SARL"


async def test_two_tenants_with_the_same_numbers_never_meet(office: Office) -> None:
    async with office.for_a_tenant() as other:
        both = await asyncio.gather(
            office.post("/v1/invoices", invoice(gross="1.00"), 201), other.post("/v1/invoices", invoice(), 201)
        )
        mine, theirs = (answer["id"] for answer in both)
        assert mine != theirs
        await office.get(f"/v1/invoices/{theirs}", 404)
        await office.post(f"/v1/invoices/{theirs}/cancel", {}, 404)
        await office.post(f"/v1/invoices/{theirs}/release", {}, 404)
        assert [each["id"] for each in (await office.get("/v1/invoices"))["items"]] == [mine]
        seen = await office.ask("/internal/v1/lookups", {"invoices": [mine, theirs]})
        assert set(seen["invoices"]) == {mine}
        answer = await office.post("/v1/invoices", invoice("F-2", entity_id=str(other.entity)), 422)
        assert answer["field"] == "entity_id"
