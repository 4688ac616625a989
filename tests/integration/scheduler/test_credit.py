"""Credit control from outside: exposures, limits, blocks told to the ERP, insurers' deadlines, insolvency."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import httpx
import pytest
from sqlalchemy import func, update

from libs.common.events.reminders import HoldLifted, HoldPlaced
from libs.common.settings import Settings
from libs.common.webhooks import Shown, genuine, secret_bytes
from services.scheduler.alarming import Alarms
from services.scheduler.outgoing import Courier
from services.scheduler.tables import message
from tests.integration.scheduler.test_charges import as_
from tests.integration.scheduler.test_doors import got, posted
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)
WHY = {"why": "Agreed with sales"}


def euros(amount: str, currency: str = "EUR") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


async def as_bob(world: World, settings: Settings, doors: httpx.AsyncClient, path: str, body: Any = None) -> Any:
    answer = await doors.post(path, json=body, headers=as_(world, settings, "bob", "manager"))
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


@pytest.fixture
async def owing(world: World) -> World:
    """A owes 500 overdue, 700 to come and 300 dollars; 200 euros are on account."""
    world.go_to(date(2026, 9, 10))
    await world.tell(
        world.issued("F1", DUE),
        world.issued("F2", date(2026, 10, 1), 700),
        world.issued("F3", date(2026, 10, 1), 300, currency="USD"),
        world.received("P1", 200),
    )
    return world


async def limited(world: World, settings: Settings, doors: httpx.AsyncClient, amount: str) -> Any:
    told = {"payer_id": str(world.debtor("A")), "amount": euros(amount), "valid_from": "2026-09-01", "reason": "Rating"}
    limit = await posted(doors, "/v1/credit/limits", told)
    return await as_bob(world, settings, doors, f"/v1/credit/limits/{limit['limit_id']}/approve")


async def test_an_exposure_stands_beside_the_limit_of_its_own_currency(
    owing: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    await limited(owing, settings, doors, "800.00")
    found = await got(doors, f"/v1/credit/accounts/{owing.debtor('A')}")
    by = {each["exposure"]["currency"]: each for each in found["figures"]}
    assert (by["EUR"]["exposure"]["amount"], by["EUR"]["overdue"]["amount"]) == ("1000.00", "500.00")
    assert (by["EUR"]["available"]["amount"], by["EUR"]["used_percent"], by["EUR"]["over"]) == ("-200.00", 125, True)
    assert (by["USD"]["exposure"]["amount"], by["USD"]["limit"], by["USD"]["over"]) == ("300.00", None, False)
    assert (found["external_id"], found["blocked"], found["advice"]) == ("A", False, "block")
    assert [each["payer_id"] for each in (await got(doors, "/v1/credit/accounts", over=True))["items"]] == [
        str(owing.debtor("A"))
    ]
    await limited(owing, settings, doors, "2000.00")
    assert (await got(doors, "/v1/credit/accounts", over=True))["items"] == []
    states = {each["state"] for each in (await got(doors, "/v1/credit/limits", payer_id=owing.debtor("A")))["items"]}
    assert states == {"approved", "replaced"}


async def test_nobody_approves_a_limit_or_a_block_that_they_asked_for(
    owing: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    told = {"payer_id": str(owing.debtor("A")), "amount": euros("1.00"), "valid_from": "2026-09-01", "reason": "Rating"}
    limit = await posted(doors, "/v1/credit/limits", told)
    own = await doors.post(f"/v1/credit/limits/{limit['limit_id']}/approve")
    assert (own.status_code, own.json()["code"]) == (409, "four_eyes")
    block = await posted(doors, "/v1/credit/blocks", {"payer_id": told["payer_id"], "act": "block", "reason": "Over"})
    path = f"/v1/credit/blocks/{block['block_id']}"
    assert (await doors.post(f"{path}/approve", json=WHY)).json()["code"] == "four_eyes"
    collector = await doors.post(f"{path}/approve", json=WHY, headers=as_(owing, settings, "carl", "collector"))
    assert collector.status_code == 403
    second = await doors.post("/v1/credit/blocks", json={"payer_id": told["payer_id"], "act": "block", "reason": "x"})
    assert (second.status_code, second.json()["remedy"]) == (409, "Decide that one first.")
    assert (await posted(doors, f"{path}/reject", WHY, status=200))["state"] == "rejected"


async def test_a_granted_block_reaches_the_erp_signed_and_once(
    owing: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    door = await posted(doors, "/v1/credit/endpoints", {"url": "http://erp.test:9999/credit"})
    told = {"payer_id": str(owing.debtor("A")), "act": "block", "reason": "Over its limit"}
    block = await posted(doors, "/v1/credit/blocks", told)
    assert (await got(doors, "/v1/credit/messages"))["items"] == []
    await as_bob(owing, settings, doors, f"/v1/credit/blocks/{block['block_id']}/approve", WHY)
    assert (await got(doors, f"/v1/credit/accounts/{owing.debtor('A')}"))["blocked"] is True
    heard: list[httpx.Request] = []
    answers = [httpx.Response(503), httpx.Response(204)]

    def erp(request: httpx.Request) -> httpx.Response:
        heard.append(request)
        return answers[len(heard) - 1]

    courier = courier_to(owing, settings, erp)
    assert await mine(courier, doors) == ["waiting"]
    [failed] = (await got(doors, "/v1/credit/messages", subject_id=block["block_id"]))["items"]
    assert [each["status"] for each in failed["attempts"]] == [503]
    await hurried(owing)
    assert await mine(courier, doors) == ["delivered"]
    await hurried(owing)
    assert await mine(courier, doors) == ["delivered"]
    assert len(heard) == 2
    assert {request.headers["webhook-id"] for request in heard} == {failed["message_id"]}
    assert (str(heard[0].url), heard[0].headers["host"]) == ("http://127.0.0.1:9999/credit", "erp.test:9999")
    shown = Shown(*(heard[1].headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")))
    stamp = float(heard[1].headers["webhook-timestamp"])
    assert genuine([secret_bytes(door["secret"])], shown, heard[1].content, stamp)
    again = await doors.post(f"/v1/credit/messages/{failed['message_id']}/retry")
    assert (again.status_code, again.json()["code"]) == (409, "already_ended")


async def test_nothing_is_posted_to_an_address_that_this_installation_may_not_reach(
    owing: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    await posted(doors, "/v1/credit/endpoints", {"url": "http://erp.test/credit"})
    block = await posted(
        doors, "/v1/credit/blocks", {"payer_id": str(owing.debtor("A")), "act": "block", "reason": "x"}
    )
    await as_bob(owing, settings, doors, f"/v1/credit/blocks/{block['block_id']}/approve", WHY)

    def nobody(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    assert await mine(courier_to(owing, settings, nobody, "93.184.215.14"), doors) == ["waiting"]
    [told] = (await got(doors, "/v1/credit/messages"))["items"]
    assert [(each["status"], each["error"]) for each in told["attempts"]] == [(None, "address_refused")]


async def test_a_door_that_never_answers_is_left_in_time_and_an_endless_answer_is_not_read(
    owing: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    await posted(doors, "/v1/credit/endpoints", {"url": "http://erp.test/credit"})
    body = {"payer_id": str(owing.debtor("A")), "act": "block", "reason": "x"}
    block = await posted(doors, "/v1/credit/blocks", body)
    await as_bob(owing, settings, doors, f"/v1/credit/blocks/{block['block_id']}/approve", WHY)

    async def silent(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"and so on "

    assert await mine(courier_to(owing, settings, silent, seconds=0.1), doors) == ["waiting"]
    [told] = (await got(doors, "/v1/credit/messages"))["items"]
    assert [(each["status"], each["error"]) for each in told["attempts"]] == [(None, "TimeoutError")]
    await hurried(owing)
    talks = courier_to(owing, settings, lambda _: httpx.Response(200, content=endless()))
    assert await mine(talks, doors) == ["delivered"]


def courier_to(world: World, settings: Settings, erp: Any, address: str = "127.0.0.1", **how: Any) -> Courier:
    async def look_up(host: str, port: int) -> list[str]:
        return [address]

    client = httpx.AsyncClient(transport=httpx.MockTransport(erp))
    return Courier(settings, world.database, world.clock, client=client, look_up=look_up, **how)


async def mine(courier: Courier, doors: httpx.AsyncClient) -> list[str]:
    """Post all that waits, and say how the messages of this tenant stand."""
    while await courier.once():
        pass
    return [each["state"] for each in (await got(doors, "/v1/credit/messages"))["items"]]


async def hurried(world: World) -> None:
    """The time of every message of this tenant has come."""
    async with world.database.transaction() as db:
        due = update(message).where(message.c.tenant_id == world.tenant, message.c.next_try_at.is_not(None))
        await db.execute(due.values(next_try_at=func.clock_timestamp()))


async def insured(world: World, doors: httpx.AsyncClient, **facts: Any) -> str:
    terms = {"name": "Policy 77", "insurer": "Prudente", "extension_days": 60, "declaration_days": 90} | facts
    made = await posted(doors, "/v1/credit/insurers", terms)
    told = {"payer_id": str(world.debtor("A")), "terms_id": made["terms_id"], "amount": euros("50000.00"),
            "valid_from": "2026-01-01", "reference": "C-1"}  # fmt: skip
    await posted(doors, "/v1/credit/covers", told)
    return str(made["terms_id"])


async def test_every_covered_item_has_its_deadlines_the_first_first(owing: World, doors: httpx.AsyncClient) -> None:
    await insured(owing, doors)
    found = (await got(doors, "/v1/credit/deadlines"))["items"]
    assert tuple(found[0][name] for name in ("number", "declare_by", "extend_to")) == (
        "F1", "2026-11-30", "2026-10-31"
    )  # fmt: skip
    assert [each["declare_by"] for each in found] == ["2026-11-30", "2026-12-30", "2026-12-30"]
    page = await got(doors, "/v1/credit/deadlines", limit=1)
    rest = await got(doors, "/v1/credit/deadlines", cursor=page["next"])
    assert [each["item_id"] for each in page["items"] + rest["items"]] == [each["item_id"] for each in found]
    assert len((await got(doors, "/v1/credit/deadlines", until="2026-11-30"))["items"]) == 1
    assert found[0]["hand_over_by"] == "2026-11-20"


async def test_each_alarm_is_raised_once_on_its_day_and_a_declaration_ends_them(
    owing: World, doors: httpx.AsyncClient
) -> None:
    await insured(owing, doors)
    alarms = Alarms(owing.database, owing.clock)
    path = {"subject_id": str(owing.item("F1"))}
    for day in (date(2026, 10, 30), date(2026, 10, 31), date(2026, 10, 31), date(2026, 11, 26)):
        owing.go_to(day)
        await alarms.once()
    raised = (await got(doors, "/v1/credit/alarms", **path))["items"]
    assert [(each["stage"], each["due_on"]) for each in raised] == [(30, "2026-11-30"), (5, "2026-11-30")]
    told = {"item_ids": [str(owing.item("F1"))], "declared_on": "2026-11-26", "reference": "DI-9"}
    [declared] = (await posted(doors, "/v1/credit/declarations", told))["items"]
    assert (declared["late"], declared["reference"], declared["stage"]) == (False, "DI-9", None)
    again = await doors.post("/v1/credit/declarations", json=told)
    assert (again.status_code, again.json()["field"]) == (422, "item_ids")
    owing.go_to(date(2026, 12, 2))
    await alarms.once()
    assert len((await got(doors, "/v1/credit/alarms", **path))["items"]) == 2


async def test_a_promise_or_plan_beyond_the_insurers_extension_needs_its_recorded_consent(
    owing: World, doors: httpx.AsyncClient
) -> None:
    await insured(owing, doors)
    item, amount = str(owing.item("F1")), euros("500.00")
    promise = {"case_id": str(owing.case("A")), "amount": amount, "item_ids": [item], "promised_for": "2026-11-01"}
    refused = await doors.post("/v1/promises", json=promise)
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["field"]) == (422, "insurer_consent_missing", "promised_for")
    assert problem["rule"] == "longest_extension"
    assert "2026-10-31" in problem["remedy"] and "/v1/credit/consents" in problem["remedy"]
    plan = {"item_ids": [item], "instalments": [{"on": "2026-11-20", "amount": amount}]}
    assert (await doors.post("/v1/plans", json=plan)).json()["field"] == "instalments"
    told = {"payer_id": str(owing.debtor("A")), "item_ids": [item], "extended_to": "2026-11-20",
            "given_on": "2026-09-09", "reference": "OK-3"}  # fmt: skip
    await posted(doors, "/v1/credit/consents", told)
    await posted(doors, "/v1/plans", plan)
    await posted(doors, "/v1/promises", promise)
    late = await doors.post("/v1/promises", json=promise | {"promised_for": "2026-11-21"})
    assert late.json()["code"] == "insurer_consent_missing"


async def test_a_promise_within_the_extension_needs_nobody(owing: World, doors: httpx.AsyncClient) -> None:
    await insured(owing, doors)
    told = {"case_id": str(owing.case("A")), "amount": euros("500.00"), "promised_for": "2026-10-31"}
    assert (await posted(doors, "/v1/promises", told))["state"] == "open"


async def test_a_write_off_is_proposed_by_one_and_granted_by_another_and_the_erp_books_it(
    owing: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    await posted(doors, "/v1/credit/endpoints", {"url": "http://erp.test/credit"})
    told = {"item_id": str(owing.item("F1")), "reason": "cost_over_benefit", "note": "Three letters came back."}
    proposal = await posted(doors, "/v1/credit/write-offs", told)
    assert proposal["amount"] == euros("500.00")
    path = f"/v1/credit/write-offs/{proposal['proposal_id']}"
    assert (await doors.post(f"{path}/approve", json=WHY)).json()["code"] == "four_eyes"
    assert (await doors.post("/v1/credit/write-offs", json=told)).status_code == 409
    granted = await as_bob(owing, settings, doors, f"{path}/approve", WHY)
    assert (granted["state"], granted["decided_by"]) == ("approved", "bob")
    [sent] = (await got(doors, "/v1/credit/messages", subject_id=proposal["proposal_id"]))["items"]
    assert (sent["kind"], '"number":"F1"' in sent["body"]) == ("credit.write_off_approved", True)
    more = await doors.post("/v1/credit/write-offs", json=told | {"amount": euros("500.01")})
    assert more.json()["code"] == "amount_too_large"


async def test_nothing_is_chased_in_insolvency_and_the_claim_has_its_alarms(
    owing: World, doors: httpx.AsyncClient
) -> None:
    told = {"payer_id": str(owing.debtor("A")), "kind": "receivership", "judgment_on": "2026-09-08",
            "trustee": "SELARL Dupont"}  # fmt: skip
    opened = await posted(doors, "/v1/credit/insolvencies", told)
    assert (opened["file_by"], len(await owing.said(HoldPlaced))) == (None, 1)
    explained = await got(doors, f"/v1/items/{owing.item('F1')}/explain")
    assert [reason["code"] for reason in explained["reasons"]] == ["insolvent"]
    assert await owing.day(date(2026, 9, 11)) == []
    path = f"/v1/credit/insolvencies/{opened['insolvency_id']}"
    wrong = await doors.post(f"{path}/publish", json={"published_on": "2026-09-07"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "published_on")
    owing.go_to(date(2026, 9, 16))
    published = await posted(doors, f"{path}/publish", {"published_on": "2026-09-15"}, status=200)
    assert published["file_by"] == "2026-11-15"
    alarms = Alarms(owing.database, owing.clock)
    for day in (date(2026, 10, 15), date(2026, 10, 16), date(2026, 10, 31), date(2026, 11, 10)):
        owing.go_to(day)
        await alarms.once()
    raised = (await got(doors, "/v1/credit/alarms", subject_id=opened["insolvency_id"]))["items"]
    assert [each["stage"] for each in raised] == [30, 15, 5]
    bears = await got(doors, f"/v1/items/{owing.item('F1')}/charges")
    assert bears["interest"]["amount"] == interest_of(6)  # 2 to 7 September
    hold = (await got(doors, "/v1/holds"))["items"][0]
    lift = await doors.post(f"/v1/holds/{hold['hold_id']}/lift")
    assert (lift.status_code, lift.json()["remedy"]) == (409, "End insolvency proceedings instead.")
    await posted(doors, f"{path}/file", {"filed_on": "2026-11-10", "reference": "LRAR 1A"}, status=200)
    await posted(doors, f"{path}/end", {"ended_on": "2026-11-10"}, status=200)
    assert len(await owing.said(HoldLifted)) == 1


def interest_of(days: int) -> str:
    """500 euros at 12.40 % (2.40 + 10 points) for so many days."""
    cents = (2 * 50_000 * 1240 * days + 365 * 10_000) // (2 * 365 * 10_000)
    return f"{cents // 100}.{cents % 100:02d}"
