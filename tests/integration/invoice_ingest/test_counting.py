"""What waits in quarantine, and what was told, are on the metrics that the alert and the dashboard read."""

from libs.common.db import Database
from libs.common.metrics import INVOICES_TAKEN, QUARANTINED_OPEN
from services.invoice_ingest.counting import Counting
from tests.integration.invoice_ingest.office import Office, invoice


async def waiting(office: Office) -> float:
    loops = Database(office.settings, "invoice_ingest", "loop")
    await Counting(loops).once()
    await loops.close()
    return QUARANTINED_OPEN._value.get()


async def test_what_waits_in_quarantine_is_counted_until_a_person_ends_it(office: Office) -> None:
    before, told = await waiting(office), INVOICES_TAKEN.labels("quarantined")._value.get()
    entry = await office.post("/v1/invoices", invoice() | {"debtor": {"external_id": "C999"}}, 202)
    assert await waiting(office) == before + 1
    assert INVOICES_TAKEN.labels("quarantined")._value.get() == told + 1
    await office.post(f"/v1/quarantine/{entry['quarantine_id']}/reject", {"note": "sent twice"})
    assert await waiting(office) == before


async def test_what_is_taken_is_counted_once(office: Office) -> None:
    told = INVOICES_TAKEN.labels("created")._value.get()
    for status in (201, 200):
        await office.post("/v1/invoices", invoice(), status)
    assert INVOICES_TAKEN.labels("created")._value.get() == told + 1
