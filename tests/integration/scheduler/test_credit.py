"""Credit control from outside: exposures, limits, blocks told to the ERP, insurers' deadlines, insolvency."""

from datetime import date
from typing import Any

import httpx
import yaml

from libs.common.events.reminders import HoldLifted, HoldPlaced
from libs.common.settings import Settings
from services.scheduler.alarming import Alarms
from services.scheduler.owing import Owing
from tests.integration.scheduler.test_charges import as_
from tests.integration.scheduler.test_doors import STANDARD, got, posted
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)
WHY = {"why": "Agreed with sales"}


def euros(amount: str, currency: str = "EUR") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


async def as_bob(world: World, settings: Settings, doors: httpx.AsyncClient, path: str, body: Any = None) -> Any:
    answer = await doors.post(path, json=body, headers=as_(world, settings, "bob", "manager"))
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


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


async def insured(world: World, doors: httpx.AsyncClient, payer: str = "A", **facts: Any) -> str:
    terms = {"name": "Policy 77", "insurer": "Prudente", "extension_days": 60, "declaration_days": 90} | facts
    made = await posted(doors, "/v1/credit/insurers", terms)
    told = {"payer_id": str(world.debtor(payer)), "terms_id": made["terms_id"], "amount": euros("50000.00"),
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


async def test_payers_over_their_limit_are_listed_page_by_page(
    world: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    world.go_to(date(2026, 9, 10))
    names = ("B", "C", "D")
    await world.tell(*(world.debtor_changed(name) for name in names))
    await world.tell(*(world.issued(f"F{name}", DUE, debtor=name) for name in names))
    for name, amount in (("B", "100.00"), ("C", "900.00"), ("D", "100.00")):
        told = {"payer_id": str(world.debtor(name)), "amount": euros(amount), "valid_from": "2026-09-01", "reason": "x"}
        limit = await posted(doors, "/v1/credit/limits", told)
        await as_bob(world, settings, doors, f"/v1/credit/limits/{limit['limit_id']}/approve")
    first = await got(doors, "/v1/credit/accounts", over=True, limit=1)
    second = await got(doors, "/v1/credit/accounts", over=True, limit=1, cursor=first["next"])
    listed = {each["external_id"] for page in (first, second) for each in page["items"]}
    assert (listed, second["next"]) == ({"B", "D"}, None)
    assert len((await got(doors, "/v1/credit/accounts"))["items"]) == 3
    named = [str(world.debtor("C")), str(world.debtor("D"))]
    told = (await got(doors, "/v1/credit/accounts", payer_id=named))["items"]
    assert {each["payer_id"] for each in told} == set(named)
    assert {each["blocked_since"] for each in told} == {None}


async def test_a_limit_that_waits_is_withdrawn_by_anybody_and_one_that_holds_by_a_second_manager(
    owing: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    path = "/v1/credit/limits/{}/withdraw"
    told = {"payer_id": str(owing.debtor("A")), "amount": euros("1.00"), "valid_from": "2026-09-01", "reason": "Rating"}
    waiting = await posted(doors, "/v1/credit/limits", told)
    collector = as_(owing, settings, "carl", "collector")
    gone = await doors.post(path.format(waiting["limit_id"]), json=WHY, headers=collector)
    assert (gone.status_code, gone.json()["state"], gone.json()["withdrawn_by"]) == (200, "withdrawn", "carl")
    assert (await doors.post(path.format(waiting["limit_id"]), json=WHY)).json()["code"] == "already_ended"
    holds = path.format((await limited(owing, settings, doors, "800.00"))["limit_id"])
    assert (await doors.post(holds, json=WHY, headers=collector)).status_code == 403
    own = await doors.post(holds, json=WHY)
    assert (own.status_code, own.json()["code"]) == (409, "four_eyes")
    withdrawn = await as_bob(owing, settings, doors, holds, WHY)
    assert (withdrawn["state"], withdrawn["why"], withdrawn["approved_by"]) == ("withdrawn", WHY["why"], "bob")
    figures = (await got(doors, f"/v1/credit/accounts/{owing.debtor('A')}"))["figures"]
    assert {each["limit"] and each["limit"]["amount"] for each in figures} == {None}


async def test_what_an_insurer_answers_is_kept_with_its_author_and_leaves_the_debt_as_it_is(
    owing: World, doors: httpx.AsyncClient
) -> None:
    await insured(owing, doors)
    item = str(owing.item("F1"))
    path = f"/v1/credit/declarations/{item}/answers"
    answer = {"outcome": "accepted", "answered_on": "2026-09-10", "reference": "S-1"}
    assert (await doors.post(path, json=answer)).status_code == 404
    declared = {"item_ids": [item], "declared_on": "2026-09-09", "reference": "DI-9"}
    await posted(doors, "/v1/credit/declarations", declared)
    [awaited] = (await got(doors, "/v1/credit/declarations", outcome="awaited"))["items"]
    assert (awaited["number"], awaited["late"], awaited["answers"]) == ("F1", False, [])
    assert (await posted(doors, path, answer))["outcome"] == "accepted"
    paid = answer | {"outcome": "indemnified", "amount": euros("300.00"), "reference": "S-2"}
    await posted(doors, path, paid)
    found = await posted(doors, path, paid | {"amount": euros("200.00"), "reference": "S-3", "note": "The rest"})
    assert (found["outcome"], found["indemnified"], found["owed"]) == ("indemnified", euros("500.00"), euros("500.00"))
    assert [each["reference"] for each in found["answers"]] == ["S-1", "S-2", "S-3"]
    assert {each["author"] for each in found["answers"]} == {"ada"}
    assert await got(doors, f"/v1/credit/declarations/{item}") == found
    payer = {"payer_id": str(owing.debtor("A"))}
    assert (await got(doors, "/v1/credit/declarations", outcome="refused", **payer))["items"] == []
    assert (await got(doors, "/v1/credit/declarations", outcome="indemnified", **payer))["items"] == [found]


async def test_declarations_are_listed_by_their_deadline_whoever_the_customer_is(
    world: World, doors: httpx.AsyncClient
) -> None:
    world.go_to(date(2026, 9, 10))
    await world.tell(*(world.debtor_changed(name) for name in "AB"))
    await insured(world, doors)
    await insured(world, doors, payer="B", name="Policy 78", claim_days=30)
    told = {"F1": ("A", date(2026, 8, 20)), "F2": ("B", date(2026, 8, 10)), "F3": ("A", date(2026, 7, 20))}
    issued = [world.issued(number, due, debtor=who) for number, (who, due) in told.items()]
    await world.tell(*(body.model_copy(update={"issue_date": date(2026, 7, 1)}) for body in issued))
    items = [str(world.item(number)) for number in told]
    await posted(doors, "/v1/credit/declarations", {"item_ids": items, "declared_on": "2026-09-09", "reference": "D"})
    listed = (await got(doors, "/v1/credit/declarations"))["items"]
    days = [each["claim_by"] or each["declare_by"] for each in listed]
    assert days == sorted(days) and [each["number"] for each in listed] == ["F2", "F3", "F1"], days
    seen, cursor = [], None
    while cursor is not None or not seen:
        page = await got(doors, "/v1/credit/declarations", limit=1, **({"cursor": cursor} if cursor else {}))
        seen += [each["number"] for each in page["items"]]
        cursor = page["next"]
    assert seen == ["F2", "F3", "F1"]
    near = (await got(doors, "/v1/credit/declarations", until=days[1]))["items"]
    assert [each["number"] for each in near] == ["F2", "F3"]


async def test_an_answer_that_cannot_be_is_refused_with_its_field(owing: World, doors: httpx.AsyncClient) -> None:
    await insured(owing, doors)
    item = str(owing.item("F1"))
    await posted(doors, "/v1/credit/declarations", {"item_ids": [item], "declared_on": "2026-09-09", "reference": "D"})
    paid = {"outcome": "indemnified", "answered_on": "2026-09-10", "amount": euros("300.00"), "reference": "S"}
    wrong = [
        (paid | {"answered_on": "2026-09-08"}, 422, "answered_on"),
        (paid | {"answered_on": "2026-09-11"}, 422, "answered_on"),
        (paid | {"amount": None}, 422, "amount"),
        (paid | {"amount": euros("0")}, 422, "amount"),
        (paid | {"amount": euros("500.01")}, 422, "amount"),
        (paid | {"amount": euros("1.00", "USD")}, 422, "amount"),
        (paid | {"outcome": "refused"}, 422, "amount"),
    ]
    path = f"/v1/credit/declarations/{item}/answers"
    for told, status, field in wrong:
        answer = await doors.post(path, json=told)
        assert (answer.status_code, answer.json()["field"]) == (status, field), told
    await posted(doors, path, paid)
    more = await doors.post(path, json=paid | {"amount": euros("200.01")})
    assert (more.status_code, more.json()["code"]) == (422, "amount_too_large")
    late = await doors.post(path, json={"outcome": "refused", "answered_on": "2026-09-10", "reference": "S"})
    assert (late.status_code, late.json()["code"]) == (409, "wrong_state")


async def test_deadlines_far_apart_are_on_one_page_in_their_order(world: World, doors: httpx.AsyncClient) -> None:
    world.go_to(date(2026, 9, 10))
    await world.tell(world.debtor_changed("A"))
    assert (await got(doors, "/v1/credit/deadlines"))["items"] == []
    await insured(world, doors)
    assert (await got(doors, "/v1/credit/deadlines"))["items"] == []
    dues = (date(2026, 9, 1), date(2026, 9, 20), date(2026, 12, 24), date(2028, 1, 31))
    issued = [world.issued(f"F{place}", due) for place, due in enumerate(dues)]
    await world.tell(*(body.model_copy(update={"issue_date": date(2026, 8, 1)}) for body in issued))
    found = [each["number"] for each in (await got(doors, "/v1/credit/deadlines"))["items"]]
    assert found == ["F0", "F1", "F2", "F3"]
    paged, cursor = [], None
    while paged == [] or cursor:
        page = await got(doors, "/v1/credit/deadlines", limit=1, **({"cursor": cursor} if cursor else {}))
        paged, cursor = [*paged, *(each["number"] for each in page["items"])], page["next"]
    assert paged == found
    near = await got(doors, "/v1/credit/deadlines", until="2026-12-20")
    assert [each["number"] for each in near["items"]] == ["F0", "F1"]


async def test_who_is_over_a_limit_is_right_after_every_fact_whether_it_was_added_up_since_or_not(
    owing: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    await owing.tell(owing.debtor_changed("B"))
    await limited(owing, settings, doors, "1100.00")
    kept, a = Owing(owing.database), str(owing.debtor("A"))
    while await kept.once():
        pass
    facts = {
        "F4 issued": (owing.issued("F4", DUE, 400), True),
        "F4 cancelled": (owing.cancelled("F4"), False),
        "F2 dearer": (owing.amended("F2", DUE, 900), True),
        "F1 paid": (owing.matched("P2", 500, "F1", 0), False),
        "F1 back": (owing.reopened("F1"), True),
        "F2 is another's": (owing.amended("F2", DUE, 900, debtor="B"), False),
        "B is paid for by A": (owing.debtor_changed("B", payer="A"), True),
        "money came": (owing.received("P3", 600), False),
    }
    for name, (fact, over) in facts.items():
        await owing.tell(fact)
        for looked in ("as it is told", "added up"):
            listed = [each["payer_id"] for each in (await got(doors, "/v1/credit/accounts", over=True))["items"]]
            assert listed == [a] * over, (name, looked)
            assert (await kept.once() == 1) == (looked == "as it is told"), (name, looked)


async def test_what_waits_is_counted_and_what_of_it_others_asked_for(
    owing: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    bob = as_(owing, settings, "bob", "manager")

    async def counted(path: str) -> list[tuple[int, int]]:
        told = [(await doors.get(path, headers=who)).json() for who in ({}, bob)]
        return [(each["count"], each["by_others"]) for each in told]

    assert await counted("/v1/credit/undecided") == [(0, 0), (0, 0)]
    told = {"payer_id": str(owing.debtor("A")), "amount": euros("1.00"), "valid_from": "2026-09-01", "reason": "Rating"}
    limit = await posted(doors, "/v1/credit/limits", told)
    await posted(doors, "/v1/credit/blocks", {"payer_id": told["payer_id"], "act": "block", "reason": "Over"})
    given_up = {"item_id": str(owing.item("F1")), "reason": "commercial", "note": "Geste"}
    assert (await doors.post("/v1/credit/write-offs", json=given_up, headers=bob)).status_code == 201
    assert await counted("/v1/credit/undecided") == [(3, 1), (3, 2)]
    await as_bob(owing, settings, doors, f"/v1/credit/limits/{limit['limit_id']}/approve")
    assert await counted("/v1/credit/undecided") == [(2, 1), (2, 1)]
    assert await counted("/v1/policies/undecided") == [(0, 0), (0, 0)]
    await posted(doors, "/v1/policies", {"policy": yaml.safe_load(STANDARD)})
    assert await counted("/v1/policies/undecided") == [(1, 0), (1, 1)]
