"""What ingest proves for a recovery file."""

from hashlib import sha256

from libs.common.ids import uuid7
from tests.integration.invoice_ingest.office import Office, invoice
from tests.unit.invoice_ingest.documents import pdf_with


async def test_the_documents_of_an_invoice_are_listed_with_their_hashes(office: Office) -> None:
    one = (await office.post("/v1/invoices", invoice(), 201))["id"]
    note = pdf_with(b"x", "x.txt")
    headers = office.headers | {"content-type": "application/octet-stream"}
    sent = await office.client.post(
        f"/v1/invoices/{one}/documents", content=note, headers=headers, params={"kind": "delivery_note"}
    )
    assert sent.status_code == 201, sent.text
    [proof] = (await office.ask("/internal/v1/proofs", {"invoices": [one, str(uuid7())]}))["proofs"]
    assert (proof["invoice_id"], proof["kind"], proof["size"]) == (one, "delivery_note", len(note))
    assert proof["sha256"] == sha256(note).hexdigest()
