"""Recovery files from outside: prepared by one, handed over by another, sealed, collected or returned."""

import hashlib
import io
import zipfile
from dataclasses import replace
from datetime import date
from typing import Any

import httpx
import pytest

from libs.common.calls import Peers
from libs.common.devstack.postgres import Postgres
from libs.common.settings import Settings
from services.scheduler.alarming import Alarms
from services.scheduler.app import wire
from tests.integration.scheduler.test_charges import as_
from tests.integration.scheduler.test_credit import euros, insured
from tests.integration.scheduler.test_doors import got, posted
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)
TO = {"to": "Cabinet Martin", "kind": "lawyer", "why": "No answer to the formal notice"}
PDF = b"%PDF-1.7 copy"


def answering(world: World) -> httpx.MockTransport:
    """What ingest and the notifier say of the invoice F1."""
    document = {
        "invoice_id": str(world.invoice("F1")), "document_id": str(world.invoice("copy")), "kind": "invoice",
        "name": "F1.pdf", "media_type": "application/pdf", "sha256": hashlib.sha256(PDF).hexdigest(), "size": len(PDF),
    }  # fmt: skip

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/internal/v1/proofs":
            return httpx.Response(200, json={"proofs": [document]})
        if request.url.path == "/internal/v1/evidence":
            return httpx.Response(200, json={"notices": [], "calls": []})
        if request.url.path == "/internal/v1/lookups":
            payer = {"name": "Client A", "siren": "100000009", "external_id": "A", "language": "fr"}
            return httpx.Response(200, json={"debtors": {str(world.debtor("A")): payer}, "invoices": {}})
        return httpx.Response(200, content=PDF, headers={"content-type": "application/pdf"})

    return httpx.MockTransport(answer)


@pytest.fixture
async def doors(world: World, postgres: Postgres, settings: Settings) -> Any:
    """The scheduler's doors for ada, a manager, with two other services that answer."""
    app = wire(settings, world.clock)
    client = httpx.AsyncClient(transport=answering(world))
    app.http.state.room = replace(app.http.state.room, peers=Peers(settings, "scheduler", client=client))
    shown = as_(world, settings, "ada", "manager")
    transport = httpx.ASGITransport(app=app.http)
    async with httpx.AsyncClient(transport=transport, base_url="http://scheduler", headers=shown) as doors:
        yield doors
    for close in app.close:
        await close()


@pytest.fixture
async def late(world: World) -> World:
    world.go_to(date(2026, 9, 10))
    await world.tell(world.issued("F1", DUE), world.issued("F2", DUE, 300))
    return world


async def prepared(world: World, doors: httpx.AsyncClient, *numbers: str) -> str:
    told = {"item_ids": [str(world.item(number)) for number in numbers or ("F1",)], "reason": "Ladder done"}
    return f"/v1/recovery-files/{(await posted(doors, '/v1/recovery-files', told))['file_id']}"


async def handed(world: World, settings: Settings, doors: httpx.AsyncClient, path: str) -> Any:
    answer = await doors.post(f"{path}/hand-over", json=TO, headers=as_(world, settings, "bob", "manager"))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_whoever_prepared_a_file_cannot_hand_it_over(
    late: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    path = await prepared(late, doors)
    own = await doors.post(f"{path}/hand-over", json=TO)
    assert (own.status_code, own.json()["code"]) == (409, "four_eyes")
    again = await doors.post("/v1/recovery-files", json={"item_ids": [str(late.item("F1"))], "reason": "x"})
    assert (again.status_code, again.json()["field"]) == (409, "item_ids")
    assert (await handed(late, settings, doors, path))["state"] == "handed_over"


async def test_the_sealed_zip_is_the_same_bytes_every_time(
    late: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    path = await prepared(late, doors)
    check = await got(doors, f"{path}/check")
    assert [each["what"] for each in check["missing"]] == ["order", "delivery", "formal_notice"]
    file = await handed(late, settings, doors, path)
    late.go_to(date(2026, 10, 10))
    first, second = [(await doors.get(f"{path}/file.zip")).content for _ in range(2)]
    assert first == second and hashlib.sha256(first).hexdigest() == file["sha256"]
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.read("invoices/001-F1/01-invoice.pdf") == PDF
        assert "Client A" in archive.read("index.html").decode()
    assert (await got(doors, "/v1/recovery-files/seal-key"))["algorithm"] == "ed25519"


async def test_nothing_leaves_for_what_was_handed_over_and_a_returned_file_goes_on_where_it_stood(
    late: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    path = await prepared(late, doors)
    await handed(late, settings, doors, path)
    assert await late.day(date(2026, 9, 11)) == []
    explained = await got(doors, f"/v1/items/{late.item('F1')}/explain")
    assert [reason["code"] for reason in explained["reasons"]] == ["in_recovery"]
    other = await got(doors, f"/v1/items/{late.item('F2')}/explain")
    assert [reason["code"] for reason in other["reasons"]] == ["escalated"]
    assert (await got(doors, f"/v1/cases/{late.case('A')}"))["state"] == "in_recovery"
    back = await posted(doors, f"{path}/return", {"why": "Untraceable", "on": "2026-09-14"}, status=200)
    assert back["state"] == "returned"
    [due] = await late.day(date(2026, 9, 14))
    assert due.step_key == "friendly"
    steps = (await got(doors, path))["steps"]
    assert [(step["became"], step["by"]) for step in steps] == [
        ("prepared", "ada"), ("handed_over", "bob"), ("returned", "ada")
    ]  # fmt: skip


async def test_a_file_of_which_all_is_paid_is_collected_by_itself(
    late: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    path = await prepared(late, doors)
    await handed(late, settings, doors, path)
    early = await doors.post(f"{path}/collect", json={"why": "Paid"})
    assert (early.status_code, early.json()["field"]) == (422, "file_id")
    await late.tell(late.matched("P1", 500, "F1", 0), late.settled("F1"))
    await Alarms(late.database, late.clock).once()
    assert (await got(doors, path))["state"] == "collected"
    assert await prepared(late, doors, "F2")


async def test_a_court_that_costs_more_than_it_brings_needs_a_reason(
    late: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    path = await prepared(late, doors)
    poor = {"cost": euros("600.00"), "fee_percent": "10", "chance_percent": 50}
    figures = await posted(doors, f"{path}/worth", poor, status=200)
    assert (figures["pays"], figures["breaks_even_at"], figures["net"][0]) == (False, None, "-")
    assert (await doors.post(f"{path}/judicial", json=poor)).json()["code"] == "wrong_state"
    await handed(late, settings, doors, path)
    refused = await doors.post(f"{path}/judicial", json=poor)
    problem = refused.json()
    assert (refused.status_code, problem["field"], problem["rule"]) == (422, "despite", "cost_over_benefit")
    gone = await posted(doors, f"{path}/judicial", poor | {"despite": "A matter of principle"}, status=200)
    assert (gone["state"], (await got(doors, path))["figures"]["net"]) == ("judicial", figures["net"])


async def test_what_is_disputed_or_paid_is_not_handed_on(late: World, doors: httpx.AsyncClient) -> None:
    await posted(doors, "/v1/disputes", {"item_id": str(late.item("F1")), "reason": "quality"})
    told = {"item_ids": [str(late.item("F1"))], "reason": "x"}
    refused = await doors.post("/v1/recovery-files", json=told)
    assert (refused.status_code, refused.json()["field"]) == (422, "item_ids")
    await late.tell(late.matched("P1", 300, "F2", 0), late.settled("F2"))
    paid = await doors.post("/v1/recovery-files", json=told | {"item_ids": [str(late.item("F2"))]})
    assert paid.json()["detail"] == "F2 owes nothing."


async def test_a_hand_over_is_proposed_ten_days_before_the_insurers_deadline(
    late: World, doors: httpx.AsyncClient
) -> None:
    await insured(late, doors, declaration_days=60)
    assert (await got(doors, "/v1/recovery-files/proposals"))["items"] == []
    late.go_to(date(2026, 10, 21))  # declared by 31 October
    [line] = (await got(doors, "/v1/recovery-files/proposals"))["items"]
    assert (line["by"], line["why"], len(line["item_ids"])) == ("2026-10-21", "insurer", 2)
    await prepared(late, doors)
    [left] = (await got(doors, "/v1/recovery-files/proposals"))["items"]
    assert left["item_ids"] == [str(late.item("F2"))]


async def test_no_answer_of_another_service_is_no_file(
    late: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    path = await prepared(late, doors)
    room = doors._transport.app.state.room  # type: ignore[attr-defined]
    gone = httpx.AsyncClient(transport=httpx.MockTransport(lambda request: httpx.Response(503)))
    doors._transport.app.state.room = replace(room, peers=Peers(settings, "scheduler", client=gone))  # type: ignore[attr-defined]
    refused = await doors.post(f"{path}/hand-over", json=TO, headers=as_(late, settings, "bob", "manager"))
    assert refused.status_code == 503
    assert (await got(doors, path))["state"] == "prepared"
