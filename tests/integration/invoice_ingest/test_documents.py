"""Documents, imports and quarantine: read, kept, corrected by a person."""

import io
import json
from datetime import date
from typing import Any

import httpx
from openpyxl import Workbook

from libs.common.auth import service_token
from tests.integration.invoice_ingest.office import Office, eur, invoice
from tests.unit.invoice_ingest.documents import CII, UBL, pdf_with


async def _send(office: Office, data: bytes, path: str = "/v1/documents", **params: Any) -> httpx.Response:
    headers = office.headers | {"content-type": "application/octet-stream"}
    return await office.client.post(path, content=data, headers=headers, params=params)


async def test_a_facturx_pdf_is_an_invoice_and_its_own_copy(office: Office) -> None:
    pdf = pdf_with(CII.encode())
    answer = await _send(office, pdf, name="F-2026-1.pdf")
    assert answer.status_code == 201, answer.text
    (said,) = await office.events("InvoiceIssued")
    assert (said["number"], said["instalments"][0]["due_date"]) == ("F-2026-1", "2026-10-01")
    token = service_token(office.settings, audience="invoice_ingest", tenant=office.tenant, subject="service:notifier")
    kept = await office.client.get(
        f"/internal/v1/documents/{said['document_id']}", headers={"Authorization": f"Bearer {token}"}
    )
    assert (kept.status_code, kept.content, kept.headers["content-type"]) == (200, pdf, "application/pdf")


async def test_the_ubl_twin_is_the_same_invoice(office: Office) -> None:
    await _send(office, CII.encode())
    answer = await _send(office, UBL.encode())
    assert (answer.status_code, answer.json()["result"]) == (200, "amended")
    assert len({each["invoice_id"] for each in await office.events("InvoiceIssued", "InvoiceAmended")}) == 1


async def test_the_document_of_an_invoice_told_before_becomes_its_copy(office: Office) -> None:
    told = invoice("F-2026-1", issue_date="2026-09-01", due_date="2026-10-01")
    await office.post("/v1/invoices", told, 201)
    answer = await _send(office, UBL.encode())
    assert (answer.status_code, answer.json()["version"]) == (200, 2)
    (said,) = await office.events("InvoiceAmended")
    assert said["document_id"] is not None


async def test_a_document_that_says_otherwise_waits_for_a_person(office: Office) -> None:
    await office.post("/v1/invoices", invoice("F-2026-1", "7.00", issue_date="2026-09-01"), 201)
    answer = await _send(office, UBL.encode())
    assert (answer.status_code, answer.json()["code"]) == (202, "second_source")


async def test_the_document_of_another_seller_waits_for_a_person(office: Office) -> None:
    office.entity = office.tenant
    await office.add_entity(office.entity, siren="552100554")
    seller = (
        "<ram:SpecifiedLegalOrganization><ram:ID schemeID='0002'>732829320</ram:ID></ram:SpecifiedLegalOrganization>"
    )
    other = CII.replace("<ram:Name>Nous SA</ram:Name>", f"<ram:Name>Autre</ram:Name>{seller}")
    answer = await _send(office, other.encode(), entity_id=str(office.entity))
    assert (answer.status_code, answer.json()["code"]) == (202, "other_seller")


async def test_hostile_documents_are_refused_and_the_reader_goes_on(office: Office) -> None:
    bomb = UBL.replace("\n", '\n<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', 1)
    refused = await _send(office, bomb.encode())
    assert (refused.status_code, refused.json()["code"]) == (422, "document_hostile")
    deep = await _send(office, b"<a>" * 400_000)
    assert deep.status_code == 422
    assert (await _send(office, UBL.encode())).status_code == 201


async def test_what_is_no_document_is_not_read(office: Office) -> None:
    assert (await _send(office, b"hello")).status_code == 415


async def test_a_proof_is_kept_beside_its_invoice(office: Office) -> None:
    one = (await office.post("/v1/invoices", invoice(), 201))["id"]
    answer = await _send(office, pdf_with(b"x", "x.txt"), f"/v1/invoices/{one}/documents", kind="delivery_note")
    assert answer.status_code == 201, answer.text
    shown = await office.get(f"/v1/invoices/{one}")
    assert shown["documents"] == [{"document_id": answer.json()["document_id"], "kind": "delivery_note"}]
    assert await office.events("InvoiceAmended") == []


async def test_a_copy_sent_later_is_told(office: Office) -> None:
    one = (await office.post("/v1/invoices", invoice(), 201))["id"]
    answer = await _send(office, pdf_with(b"x", "x.txt"), f"/v1/invoices/{one}/documents")
    (said,) = await office.events("InvoiceAmended")
    assert (said["document_id"], said["payable"]) == (answer.json()["document_id"], eur("1200.00"))


async def _import(office: Office, table: str, mapping: Any = None, **form: Any) -> dict[str, Any]:
    data = {"mapping": json.dumps(mapping or {})} | {name: str(value) for name, value in form.items()}
    answer = await office.client.post(
        "/v1/imports", files={"file": ("factures.csv", table.encode("cp1252"))}, data=data, headers=office.headers
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


TABLE = """N° facture;Date;Échéance;Montant TTC;Code client;Nom client
F-1;01/09/2026;01/10/2026;"1 200,50";C1;Dupont
F-2;31/02/2026;01/10/2026;10,00;C1;Dupont
F-3;01/09/2026;;10,00;C1;Dupont

F-4;01/09/2026;15/10/2026;99,99 €;C2;Élan
"""


async def test_a_table_is_imported_by_its_headings_and_reports_what_it_left(office: Office) -> None:
    report = await _import(office, TABLE, {"date_format": "DD/MM/YYYY"})
    assert report["counts"] == {"created": 2, "refused": 1, "quarantined": 1}
    assert [(each["line"], each["field"]) for each in report["errors"]] == [(3, "issue_date"), (4, "due_date")]
    said = await office.events("InvoiceIssued")
    assert [(each["number"], each["payable"]["amount"]) for each in said] == [("F-1", "1200.50"), ("F-4", "99.99")]
    again = await office.get(f"/v1/imports/{report['id']}")
    assert again == report
    errors = await office.client.get(f"/v1/imports/{report['id']}/errors.csv", headers=office.headers)
    assert errors.text.splitlines()[0].endswith("line;external_id;result;code;field;detail;remedy")
    assert len(errors.text.splitlines()) == 3


async def test_a_table_may_be_tried_first_and_mapped(office: Office) -> None:
    columns = {
        "number": "Ref",
        "issue_date": "Du",
        "terms": "Cond",
        "totals.gross": "Total",
        "debtor.external_id": "Cli",
        "debtor.name": "Qui",
    }
    table = "Ref,Du,Cond,Total,Cli,Qui\nF-1,2026-09-01,30 days,12.00,C1,Dupont\n"
    tried = await _import(office, table, {"columns": columns}, dry_run="true")
    assert (tried["counts"], await office.events()) == ({"created": 1}, [])
    taken = await _import(office, table, {"columns": columns}, take_over="true")
    (said,) = await office.events("InvoiceIssued")
    assert (taken["counts"], said["take_over"], said["due_source"]) == ({"created": 1}, True, "terms_computed")


async def test_a_heading_that_is_not_there_is_refused(office: Office) -> None:
    answer = await office.client.post(
        "/v1/imports",
        files={"file": ("t.csv", b"a;b\n1;2\n")},
        data={"mapping": '{"columns": {"number": "c"}}'},
        headers=office.headers,
    )
    assert (answer.status_code, answer.json()["field"]) == (422, "mapping.columns.number")


async def test_a_person_corrects_and_releases_what_waits(office: Office) -> None:
    waits = (await office.post("/v1/invoices", invoice(due_date=None), 202))["quarantine_id"]
    refused = await office.post(f"/v1/quarantine/{waits}/release", {}, 422)
    assert (refused["field"], refused["reason"]) == ("due_date", "due_date_missing")
    answer = await office.post(f"/v1/quarantine/{waits}/release", {"changes": {"due_date": "2026-11-30"}}, 201)
    assert answer["result"] == "created"
    assert (await office.get("/v1/quarantine"))["items"] == []
    (kept,) = (await office.get("/v1/quarantine", state="released"))["items"]
    assert kept["decided_by"].startswith("key:")
    await office.post(f"/v1/quarantine/{waits}/release", {}, 409)


async def test_a_person_may_take_the_second_source_at_its_word(office: Office) -> None:
    await office.post("/v1/invoices", invoice(source="sage"), 201)
    waits = (await office.post("/v1/invoices", invoice(source="dms", gross="5.00"), 202))["quarantine_id"]
    answer = await office.post(f"/v1/quarantine/{waits}/release", {}, 200)
    assert (answer["result"], answer["version"]) == ("amended", 2)


async def test_what_is_rejected_stays_out(office: Office) -> None:
    waits = (await office.post("/v1/invoices", invoice(due_date=None), 202))["quarantine_id"]
    shown = await office.post(f"/v1/quarantine/{waits}/reject", {"note": "a test of theirs"})
    assert (shown["state"], shown["note"]) == ("rejected", "a test of theirs")
    assert await office.events("InvoiceIssued") == []


async def test_a_corrected_copy_makes_the_doubt_obsolete(office: Office) -> None:
    await office.post("/v1/invoices", invoice(due_date=None), 202)
    await office.post("/v1/invoices", invoice(), 201)
    assert (await office.get("/v1/quarantine"))["items"] == []
    assert len((await office.get("/v1/quarantine", state="superseded"))["items"]) == 1


def _workbook() -> bytes:
    book = Workbook()
    page = book.active
    assert page is not None
    page.append(["N° facture", "Date", "Échéance", "Montant TTC", "Code client", "Nom client"])
    page.append(["F-1", date(2026, 9, 1), date(2026, 10, 1), 1200.5, "C1", "Dupont"])
    page.append(["F-2", date(2026, 9, 1), None, 10, "C1", "Dupont"])
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


async def test_a_workbook_is_looked_at_and_imported_like_a_table(office: Office) -> None:
    files = {"file": ("factures.xlsx", _workbook())}
    looked = await office.client.post("/v1/imports/look", files=files, headers=office.headers)
    assert looked.status_code == 200, looked.text
    assert looked.json()["understood"]["totals.gross"] == "Montant TTC"
    assert looked.json()["sample"][0][:2] == ["F-1", "2026-09-01"]
    answer = await office.client.post("/v1/imports", files=files, headers=office.headers)
    assert answer.json()["counts"] == {"created": 1, "quarantined": 1}
    assert [each["line"] for each in answer.json()["errors"]] == [3]
    (said,) = await office.events("InvoiceIssued")
    assert (said["number"], said["payable"]["amount"]) == ("F-1", "1200.50")
