"""The scheduler's doors: holds, promises, plans, disputes, take-over, policies, explanations, permits."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx

from libs.common.events.reminders import (
    DisputeOpened,
    DisputeResolved,
    HoldLifted,
    HoldPlaced,
    PlanAgreed,
    PromiseBroken,
    PromiseCancelled,
    PromiseKept,
    PromiseMade,
)
from libs.common.ids import named, uuid7
from libs.common.settings import Settings
from services.scheduler.reviewing import Reviews
from tests.integration.scheduler.versions import activated
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)
STANDARD = Path("services/scheduler/policies/standard.yaml").read_text("utf-8")
EUR = {"amount": "500.00", "currency": "EUR"}


async def posted(doors: httpx.AsyncClient, path: str, body: Any = None, status: int = 201) -> Any:
    answer = await doors.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def got(doors: httpx.AsyncClient, path: str, **params: Any) -> Any:
    answer = await doors.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_hold_pauses_its_scope_until_it_is_lifted(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE))
    told = {"scope": "payer", "scope_id": str(world.debtor("A")), "reason": "Call first", "review_on": "2026-09-30"}
    hold = await posted(doors, "/v1/holds", told)
    assert await world.day(date(2026, 9, 3)) == []
    explained = await got(doors, f"/v1/items/{world.item('F1')}/explain")
    assert [reason["code"] for reason in explained["reasons"]] == ["held"]
    assert "30/09/2026" in explained["reasons"][0]["fr"]
    listed = await got(doors, "/v1/holds")
    assert [row["hold_id"] for row in listed["items"]] == [hold["hold_id"]]
    lifted = await posted(doors, f"/v1/holds/{hold['hold_id']}/lift", status=200)
    assert lifted["state"] == "lifted"
    assert [due.step_key for due in await world.sweep()] == ["friendly"]
    assert (len(await world.said(HoldPlaced)), len(await world.said(HoldLifted))) == (1, 1)
    again = await doors.post(f"/v1/holds/{hold['hold_id']}/lift")
    assert (again.status_code, again.json()["code"]) == (409, "already_ended")


async def test_a_hold_needs_a_known_scope_and_a_review_date_ahead(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE))
    told = {"scope": "item", "scope_id": str(world.item("F1")), "reason": "x", "review_on": "2026-09-30"}
    for change, code in (
        ({"review_on": "2026-08-01"}, "review_date_invalid"),
        ({"review_on": "2028-08-01"}, "review_date_invalid"),
        ({"scope_id": str(uuid7())}, "scope_unknown"),
        ({"amount": {"amount": "501.00", "currency": "EUR"}}, "amount_too_large"),
        ({"amount": {"amount": "1.00", "currency": "USD"}}, "amount_too_large"),
    ):
        answer = await doors.post("/v1/holds", json=told | change)
        assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_promise_pauses_the_case_and_is_broken_after_two_banking_days(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE))
    told = {"case_id": str(world.case("A")), "amount": EUR, "promised_for": "2026-09-10"}
    promise = await posted(doors, "/v1/promises", told)
    assert (promise["until"], promise["item_ids"]) == ("2026-09-14", [str(world.item("F1"))])
    reviews = Reviews(world.database, world.clock)
    assert await world.day(date(2026, 9, 14)) == []
    await reviews.once()
    assert await world.said(PromiseBroken) == []
    world.go_to(date(2026, 9, 15))
    await reviews.once()
    assert [due.step_key for due in await world.sweep()] == ["friendly"]
    assert (len(await world.said(PromiseMade)), len(await world.said(PromiseBroken))) == (1, 1)
    assert (await got(doors, f"/v1/promises/{promise['promise_id']}"))["state"] == "broken"


async def test_a_promise_is_kept_as_soon_as_the_money_came(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE), world.issued("F2", DUE))
    told = {"case_id": str(world.case("A")), "amount": EUR, "promised_for": "2026-09-10"}
    promise = await posted(doors, "/v1/promises", told)
    reviews = Reviews(world.database, world.clock)
    world.go_to(date(2026, 9, 9))
    await world.tell(world.matched("P", 500, "F1", 0), world.settled("F1"))
    await reviews.once()
    assert (await got(doors, f"/v1/promises/{promise['promise_id']}"))["state"] == "kept"
    assert len(await world.said(PromiseKept)) == 1
    assert [[line.number for line in due.lines] for due in await world.sweep()] == [["F2"]]


async def test_a_cancelled_promise_lets_the_case_go_on(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE))
    told = {"case_id": str(world.case("A")), "amount": EUR, "promised_for": "2026-09-10"}
    promise = await posted(doors, "/v1/promises", told)
    await posted(doors, f"/v1/promises/{promise['promise_id']}/cancel", status=200)
    assert [str(told.promise_id) for told in await world.said(PromiseCancelled)] == [promise["promise_id"]]
    assert len(await world.day(date(2026, 9, 3))) == 1


async def test_a_dispute_pauses_its_amount_and_the_rest_is_chased(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE))
    told = {"item_id": str(world.item("F1")), "amount": {"amount": "200.00", "currency": "EUR"}, "reason": "quality"}
    dispute = await posted(doors, "/v1/disputes", told)
    due = (await world.day(date(2026, 9, 3)))[0]
    assert (str(due.lines[0].residual), str(due.lines[0].paused)) == ("500.00 EUR", "200.00 EUR")
    await world.tell(world.sent(due))
    world.go_to(date(2026, 9, 4))
    await posted(doors, f"/v1/disputes/{dispute['dispute_id']}/resolve", {"outcome": "rejected"}, 200)
    again = await world.day(date(2026, 9, 10))
    assert [(each.step_key, each.lines[0].paused) for each in again] == [("friendly", None)]
    assert (len(await world.said(DisputeOpened)), len(await world.said(DisputeResolved))) == (1, 1)


async def test_a_plan_pauses_its_items_until_its_last_date(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE))
    half = {"amount": "250.00", "currency": "EUR"}
    parts = [{"on": "2026-09-10", "amount": half}, {"on": "2026-10-12", "amount": half}]
    await posted(doors, "/v1/plans", {"item_ids": [str(world.item("F1"))], "instalments": parts})
    assert await world.day(date(2026, 9, 20)) == []
    assert len(await world.said(PlanAgreed)) == 1
    world.go_to(date(2026, 10, 14))
    await Reviews(world.database, world.clock).once()
    assert len(await world.sweep()) == 1


async def test_history_waits_in_take_over_until_a_person_decides(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(*(world.issued(number, DUE, take_over=True) for number in ("F1", "F2", "F3")))
    assert await world.day(date(2026, 9, 14)) == []
    for number, told in (("F1", {"decision": "release"}), ("F2", {"decision": "statement"})):
        await posted(doors, f"/v1/items/{world.item(number)}/take-over", told, 200)
    held = {"decision": "hold", "review_on": "2026-12-01"}
    await posted(doors, f"/v1/items/{world.item('F3')}/take-over", held, 200)
    due = (await world.sweep())[0]
    assert {line.number: line.step_key for line in due.lines} == {"F1": "friendly", "F2": "statement"}
    again = await doors.post(f"/v1/items/{world.item('F1')}/take-over", json={"decision": "release"})
    assert again.json()["code"] == "not_in_take_over"


async def test_an_explanation_of_a_past_day_knows_what_was_known_then(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE))
    await world.tell(world.sent((await world.day(date(2026, 9, 3)))[0]))
    world.go_to(date(2026, 9, 9))
    await world.tell(world.matched("P", 500, "F1", 0), world.settled("F1"))
    path = f"/v1/items/{world.item('F1')}/explain"
    now = await got(doors, path)
    assert ([r["code"] for r in now["reasons"]], now["level"]) == (["gap", "settled"], 2)
    then = await got(doors, path, at="2026-09-04T10:00:00+02:00")
    assert (then["residual"]["amount"], then["level"], then["next_step"]) == ("500.00", 2, "firm")
    before = await got(doors, path, at="2026-09-02T10:00:00+02:00")
    assert (before["level"], before["next_step"], before["next_on"], before["history"]) == (
        0,
        "friendly",
        "2026-09-03",
        [],
    )


async def test_the_plan_of_a_day_shows_what_would_be_said_in_shadow_too(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.entity_configured(mode="shadow"), world.issued("F1", DUE))
    await world.sweep()
    plan = await got(doors, "/v1/plan", date="2026-09-03")
    assert [(notice["step"], notice["shown_only"]) for notice in plan["notices"]] == [("friendly", True)]
    assert (await got(doors, "/v1/plan", date="2026-09-02"))["notices"] == []


async def test_a_case_shows_its_items_with_their_reasons(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE), world.issued("F2", DUE, take_over=True))
    await world.sweep()
    case = await got(doors, f"/v1/cases/{world.case('A')}")
    told = {each["number"]: [reason["code"] for reason in each["reasons"]] for each in case["open_items"]}
    assert told == {"F1": ["not_yet"], "F2": ["take_over"]}
    assert [each["case_id"] for each in (await got(doors, "/v1/cases"))["items"]] == [str(world.case("A"))]
    found = await got(doors, "/v1/items", number="F1")
    assert [each["item_id"] for each in found["items"]] == [str(world.item("F1"))]


async def test_a_policy_is_activated_by_another_person_and_new_cases_get_it(
    world: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    text = STANDARD.replace("offset: 2\n", "offset: 3\n")
    draft = await posted(doors, "/v1/policies", {"yaml": text})
    assert (draft["number"], draft["state"]) == (2, "draft")
    assert (await activated(doors, draft, world, settings))["state"] == "active"
    await world.tell(world.issued("F1", DUE))
    assert await world.day(date(2026, 9, 3)) == []
    assert len(await world.day(date(2026, 9, 7))) == 1
    known = (await got(doors, "/v1/policies"))["items"]
    states = {row["number"]: row["state"] for row in known if row["name"] == "standard"}
    assert states == {1: "retired", 2: "active"}


async def test_a_wrong_policy_is_refused_with_every_place(doors: httpx.AsyncClient) -> None:
    answer = await doors.post("/v1/policies", json={"yaml": "name: x\nsteps: []"})
    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, "policy_invalid")
    assert {error["field"] for error in body["errors"]} == {"window", "steps"}


def asked(world: World, due: Any, **facts: Any) -> dict[str, Any]:
    told = {
        "delivery_id": str(uuid7()), "notice_id": str(uuid7()), "reminder_id": str(due.reminder_id),
        "entity_id": str(due.entity_id), "payer_id": str(due.payer_id), "party_id": str(due.party_id),
        "kind": due.kind, "tone": due.tone, "debtor_version": 1,
        "items": [
            {"occurrence_id": str(line.occurrence_id), "release": line.release, "item_id": str(line.item_id),
             "invoice_id": str(line.invoice_id), "invoice_version": line.invoice_version,
             "debtor_id": str(line.debtor_id), "amount": line.residual.wire()}
            for line in due.lines
        ],
    }  # fmt: skip
    return told | facts


async def permit(doors: httpx.AsyncClient, *asks: dict[str, Any]) -> list[tuple[str, str | None]]:
    answer = await doors.post(
        "/internal/v1/permits", json={"deliveries": list(asks)}, headers={"authorization": doors.headers["x-notifier"]}
    )
    assert answer.status_code == 200, answer.text
    return [(each["answer"], each["reason"]) for each in answer.json()["answers"]]


async def test_a_permit_is_given_for_the_current_release_only_and_within_the_window(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE))
    due = (await world.day(date(2026, 9, 3)))[0]
    assert await permit(doors, asked(world, due)) == [("yes", None)]
    old = asked(world, due)
    old["items"][0]["release"] = 7
    assert await permit(doors, old) == [("no", "release_superseded")]
    world.go_to(date(2026, 9, 3), 20)
    assert await permit(doors, asked(world, due)) == [("again", "window_closed")]


async def test_a_permit_refused_in_the_evening_tells_when_the_window_opens(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE))
    due = (await world.day(date(2026, 9, 4)))[0]
    world.go_to(date(2026, 9, 4), 20)
    answer = await doors.post(
        "/internal/v1/permits",
        json={"deliveries": [asked(world, due)]},
        headers={"authorization": doors.headers["x-notifier"]},
    )
    opens = datetime.fromisoformat(answer.json()["answers"][0]["opens_at"])
    assert opens == datetime(2026, 9, 7, 7, tzinfo=UTC), "Monday at nine in Paris"


async def test_no_permit_once_something_over_it_is_paused(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE))
    due = (await world.day(date(2026, 9, 3)))[0]
    world.go_to(date(2026, 9, 3), 9)
    for scope, scope_id in (
        ("item", world.item("F1")),
        ("case", world.case("A")),
        ("debtor", world.debtor("A")),
        ("payer", world.debtor("A")),
        ("party", named("party", world.tenant, "A")),
        ("entity", world.entity),
        ("tenant", world.tenant),
    ):
        told = {"scope": scope, "scope_id": str(scope_id), "reason": "wait", "review_on": "2026-09-30"}
        hold = await posted(doors, "/v1/holds", told)
        assert await permit(doors, asked(world, due)) == [("no", "held")], scope
        await posted(doors, f"/v1/holds/{hold['hold_id']}/lift", status=200)
    assert await permit(doors, asked(world, due)) == [("yes", None)]
    part = {"item_id": str(world.item("F1")), "amount": {"amount": "1.00", "currency": "EUR"}, "reason": "price"}
    await posted(doors, "/v1/disputes", part)
    assert await permit(doors, asked(world, due)) == [("no", "held")]


async def test_of_two_notices_to_one_party_one_gets_the_gap(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.debtor_changed("B", party="one"), world.debtor_changed("C", party="two"))
    await world.tell(world.issued("FB", DUE, debtor="B"), world.issued("FC", DUE, debtor="C"))
    both = sorted(await world.day(date(2026, 9, 3)), key=lambda due: due.lines[0].number)
    await world.tell(world.debtor_changed("C", party="one"))
    one = str(named("party", world.tenant, "one"))
    answers = await permit(doors, *(asked(world, due, party_id=one) for due in both))
    assert answers == [("yes", None), ("no", "gap_reserved")]
    await world.tell(world.sent(both[0]))
    assert await permit(doors, asked(world, both[0], party_id=one)) == [("no", "release_superseded")]
