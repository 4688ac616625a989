"""Signed webhooks: who may post, what is taken once, what a group of arrivals does to one bad one."""

import asyncio
import json
import time

from libs.common.ids import uuid7
from services.invoice_ingest.room import Room
from tests.integration.invoice_ingest.office import Office, invoice


async def test_a_signed_invoice_is_created_for_the_entity_of_its_source(office: Office) -> None:
    answer = await office.webhook(invoice())
    assert answer.status_code == 201, answer.text
    (said,) = await office.events("InvoiceIssued")
    assert said["entity_id"] == str(office.entity)


async def test_the_same_webhook_again_is_unchanged(office: Office) -> None:
    first = await office.webhook(invoice(), webhook_id="msg_one")
    again = await office.webhook(invoice(), webhook_id="msg_one")
    assert (first.status_code, again.status_code, again.json()["result"]) == (201, 200, "unchanged")
    assert len(await office.events("InvoiceIssued")) == 1


async def test_a_webhook_id_with_another_body_is_a_conflict(office: Office) -> None:
    await office.webhook(invoice(), webhook_id="msg_one")
    answer = await office.webhook(invoice(gross="1.00"), webhook_id="msg_one")
    assert (answer.status_code, answer.json()["code"]) == (409, "webhook_id_reused")
    assert await office.events("InvoiceAmended") == []


async def test_of_two_bodies_under_one_id_at_once_only_one_is_taken(office: Office) -> None:
    both = [office.webhook(invoice(f"F-{n}"), webhook_id="msg_one") for n in range(2)]
    answers = await asyncio.gather(*both)
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert len(await office.events("InvoiceIssued")) == 1


async def test_a_wrong_signature_an_old_stamp_and_an_unknown_source_are_the_same_401(office: Office) -> None:
    wrong = await office.webhook(invoice(), secret="whsec_" + "A" * 32)
    old = await office.webhook(invoice(), at=int(time.time()) - 4_000)
    office.source = uuid7()
    unknown = await office.webhook(invoice())
    bodies = [answer.json() for answer in (wrong, old, unknown)]
    assert [answer.status_code for answer in (wrong, old, unknown)] == [401, 401, 401]
    assert bodies[0] == bodies[1] == bodies[2]
    assert await office.events() == []


async def test_a_signed_body_that_is_no_invoice_is_refused_with_its_field(office: Office) -> None:
    broken = await office.webhook(b"{")
    wrong = await office.webhook(invoice(due_date="soon"))
    assert (broken.status_code, wrong.status_code, wrong.json()["field"]) == (422, 422, "due_date")


async def test_many_at_once_share_commits_and_each_gets_its_own_answer(office: Office) -> None:
    told = [invoice(f"F-{n}") for n in range(60)] + [invoice("F-60", due_date=None), {"number": "F-61"}]
    answers = await asyncio.gather(*(office.webhook(each) for each in told))
    assert [answer.status_code for answer in answers] == [201] * 60 + [202, 422]
    numbers = {(await office.get(f"/v1/invoices/{answer.json()['id']}"))["number"] for answer in answers[:60]}
    assert numbers == {f"F-{n}" for n in range(60)}


async def test_an_arrival_that_cannot_be_committed_fails_alone(office: Office) -> None:
    await office.webhook(invoice("F-0"), webhook_id="msg_zero")
    reused = office.webhook(invoice("F-1"), webhook_id="msg_zero")
    others = [office.webhook(invoice(f"F-{n}")) for n in range(2, 12)]
    answers = await asyncio.gather(reused, *others)
    assert [answer.status_code for answer in answers] == [409] + [201] * 10


async def test_newer_versions_that_overtake_older_ones_stand(office: Office) -> None:
    told = [invoice(gross=f"{n}.00", version=n) for n in range(1, 21)]
    answers = await asyncio.gather(*(office.webhook(each) for each in reversed(told)))
    assert {answer.status_code for answer in answers} <= {200, 201}
    (only,) = (await office.get("/v1/invoices"))["items"]
    assert only["payable"]["amount"] == "20.00"
    versions = [each["version"] for each in await office.events("InvoiceIssued", "InvoiceAmended")]
    assert versions == list(range(1, len(versions) + 1))


async def test_nothing_is_taken_while_the_outbox_is_full(office: Office) -> None:
    room: Room = office.app.http.state.room
    room._full.kept["outbox"] = (time.monotonic() + 60, "Too many events wait for the broker.")
    try:
        answer = await office.client.post("/v1/invoices", json=invoice(), headers=office.headers)
    finally:
        room._full.kept.clear()
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert json.loads(answer.content)["code"] == "unavailable"
