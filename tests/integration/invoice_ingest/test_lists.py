"""Lists: a line per line, in order; each stands alone; twins at once end in one invoice."""

import asyncio
import json

from sqlalchemy import func, select

from services.invoice_ingest.tables import invoice as invoice_table
from tests.integration.invoice_ingest.office import Office, eur, invoice


async def test_a_list_answers_a_line_per_line_and_bad_lines_fail_alone(office: Office) -> None:
    told = [
        invoice("F-1"),
        {"number": "F-2"},
        invoice("F-3", due_date=None),
        "not an object",
        invoice("F-1"),
        invoice("F-1", gross="99.00"),
        invoice("F-6", due_date=None, terms="45 days end of month"),
        invoice("F-7", due_date=None, terms="45 days, end of month"),
    ]
    answer = await office.post("/v1/invoices/batch", told)
    results = [line["result"] for line in answer["results"]]
    assert results == ["created", "refused", "quarantined", "refused", "unchanged", "amended", "refused", "created"]
    assert [line["line"] for line in answer["results"]] == list(range(1, 9))
    assert answer["results"][1]["field"]
    assert answer["results"][6]["code"] == "terms_ambiguous"
    assert answer["counts"] == {"created": 2, "refused": 3, "quarantined": 1, "unchanged": 1, "amended": 1}
    said = await office.events("InvoiceIssued", "InvoiceAmended")
    assert [(each["number"], each["version"]) for each in said] == [("F-1", 1), ("F-1", 2), ("F-7", 1)]


async def test_ndjson_is_a_list_too_and_a_broken_line_is_refused_alone(office: Office) -> None:
    lines = [json.dumps(invoice("F-1")), '{"number": "F-2", "number": "F-3"}', "{", "", json.dumps(invoice("F-4"))]
    answer = await office.client.post(
        "/v1/invoices/batch",
        content="\n".join(lines),
        headers=office.headers | {"content-type": "application/x-ndjson"},
    )
    assert answer.status_code == 200, answer.text
    assert [line["result"] for line in answer.json()["results"]] == ["created", "refused", "refused", "created"]


async def test_a_long_list_comes_in_whole(office: Office) -> None:
    told = [invoice(f"F-{n}", debtor={"external_id": f"C{n % 7}", "name": "x"}) for n in range(1_203)]
    answer = await office.post("/v1/invoices/batch", told)
    assert answer["counts"] == {"created": 1_203}
    assert len(await office.events("InvoiceIssued")) == 1_203
    assert len(await office.events("DebtorChanged")) == 7


async def test_a_dry_run_answers_as_if_and_takes_nothing(office: Office) -> None:
    answer = await office.post("/v1/invoices/batch?dry_run=true", [invoice("F-1"), invoice("F-2", due_date=None)])
    assert answer["counts"] == {"created": 1, "quarantined": 1}
    assert answer["dry_run"] is True
    assert await office.events() == []
    assert (await office.get("/v1/invoices"))["items"] == []
    assert (await office.get("/v1/quarantine"))["items"] == []


async def test_an_empty_list_is_a_list(office: Office) -> None:
    assert (await office.post("/v1/invoices/batch", []))["results"] == []


async def test_more_than_ten_thousand_lines_are_too_many(office: Office) -> None:
    assert (await office.post("/v1/invoices/batch", [{}] * 10_001, 413))["code"] == "too_large"


async def test_versions_of_one_invoice_in_one_list_end_in_the_highest(office: Office) -> None:
    told = [invoice(gross=f"{n}.00", version=n) for n in (3, 1, 5, 4)]
    answer = await office.post("/v1/invoices/batch", told)
    assert [line["result"] for line in answer["results"]] == ["created", "stale", "amended", "stale"]
    (only,) = (await office.get("/v1/invoices"))["items"]
    assert only["payable"] == eur("5.00")


async def test_an_invoice_created_and_cancelled_in_one_list_is_void(office: Office) -> None:
    answer = await office.post("/v1/invoices/batch", [invoice(), invoice(status="cancelled")])
    assert [line["result"] for line in answer["results"]] == ["created", "cancelled"]
    (only,) = (await office.get("/v1/invoices"))["items"]
    assert (only["status"], only["version"]) == ("cancelled", 2)
    assert [each["type"] for each in await office.events()] == ["DebtorChanged", "InvoiceIssued", "InvoiceCancelled"]


async def test_twins_at_once_are_one_invoice_one_event_and_one_file(office: Office) -> None:
    answers = await asyncio.gather(
        *(office.client.post("/v1/invoices", json=invoice(), headers=office.headers) for _ in range(12))
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] * 11 + [201]
    assert [each["type"] for each in await office.events()] == ["DebtorChanged", "InvoiceIssued"]
    async with office.loops.transaction() as db:
        mine = select(func.count()).where(invoice_table.c.tenant_id == office.tenant)
        assert await db.scalar(mine) == 1


async def test_lists_at_once_over_the_same_debtors_do_not_lock_one_another_out(office: Office) -> None:
    def told(name: str) -> list[object]:
        return [invoice(f"{name}-{n}", debtor={"external_id": f"C{n % 40}", "name": "x"}) for n in range(300)]

    answers = await asyncio.gather(*(office.post("/v1/invoices/batch", told(name)) for name in "abcd"))
    assert [answer["counts"] for answer in answers] == [{"created": 300}] * 4
    assert len(await office.events("InvoiceIssued")) == 1_200
    assert len(await office.events("DebtorChanged")) == 40


async def test_history_waits_in_take_over_until_it_is_released(office: Office) -> None:
    old = invoice("F-0", issue_date="2026-06-01", due_date="2026-07-01")
    answer = await office.post("/v1/invoices/batch?take_over=true", [invoice("F-1")])
    late = await office.post("/v1/invoices", old, 201)
    said = await office.events("InvoiceIssued")
    assert [each["take_over"] for each in said] == [True, True]
    released = await office.post(f"/v1/invoices/{late['id']}/release", {})
    assert (released["result"], released["version"]) == ("amended", 2)
    (amended,) = await office.events("InvoiceAmended")
    assert (amended["take_over"], amended["number"]) == (False, "F-0")
    assert answer["counts"] == {"created": 1}


async def test_the_list_of_invoices_is_paged_and_filtered(office: Office) -> None:
    told = [invoice(f"F-{n}", issue_date=f"2026-09-{n:02}", due_date="2026-10-15") for n in range(1, 8)]
    await office.post("/v1/invoices/batch", told)
    seen, more = [], None
    while True:
        page = await office.get("/v1/invoices", limit=3, **({"cursor": more} if more else {}))
        seen += [each["number"] for each in page["items"]]
        more = page["next"]
        if more is None:
            break
    assert seen == [f"F-{n}" for n in range(1, 8)]
    (one,) = (await office.get("/v1/invoices", number="F-3"))["items"]
    assert one["instalments"][0]["due_date"] == "2026-10-15"
    assert (await office.get("/v1/invoices", due_before="2026-10-15"))["items"] == []
    assert len((await office.get("/v1/invoices", issued_from="2026-09-05"))["items"]) == 3
