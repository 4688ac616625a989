"""Late-payment charges from outside: what an item bears, to whom it may be claimed, and never twice."""

import asyncio
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
import yaml

from libs.common.auth import service_token
from libs.common.ids import uuid7
from libs.common.settings import Settings
from tests.integration.scheduler.test_doors import STANDARD, got, posted
from tests.integration.scheduler.versions import activated
from tests.integration.scheduler.world import World

DUE = date(2025, 9, 30)
"""Its delay begins in a half-year whose rate is sure: 2.15 % + 10 points."""
TEN_DAYS = "33.29"
"""10,000 × 12.15 % × 10 / 365, rounded once."""


def path(world: World, number: str = "F1", end: str = "") -> str:
    return f"/v1/items/{world.item(number)}/charges{end}"


def as_(world: World, settings: Settings, subject: str, *roles: str) -> dict[str, str]:
    token = service_token(settings, audience="scheduler", tenant=world.tenant, subject=subject, roles=roles)
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
async def late(world: World) -> World:
    """An invoice of 10,000 euros, ten days late."""
    await world.tell(world.issued("F1", DUE, 10_000))
    world.go_to(date(2025, 10, 10))
    return world


async def test_a_late_item_bears_interest_and_the_lump_sum(late: World, doors: httpx.AsyncClient) -> None:
    bears = await got(doors, path(late))
    assert (bears["regime"], bears["interest"]["amount"], bears["lump_sum"]["amount"]) == (
        "fr_private", TEN_DAYS, "40.00"
    )  # fmt: skip
    assert (bears["not_claimable"], bears["provisional"], bears["claims"]) == (None, False, [])
    assert "L. 441-10" in bears["basis"]["fr"]
    earlier = await got(doors, path(late), until="2025-10-01")
    assert earlier["interest"]["amount"] == "3.33"
    assert (await doors.get(path(late), params={"until": "2026-01-01"})).json()["field"] == "until"
    assert (await doors.get(f"/v1/items/{uuid7()}/charges")).status_code == 404


async def test_the_proof_is_cut_at_the_payment_and_at_the_half_year(late: World, doors: httpx.AsyncClient) -> None:
    late.go_to(date(2025, 12, 15))
    await late.tell(late.matched("P1", 4000, "F1", 6000))
    late.go_to(date(2026, 1, 10))
    proof = await got(doors, path(late, end="/proof"))
    assert [row["formula"] for row in proof["rows"]] == [
        "10000.00 × 12.15 % × 76 / 365",
        "6000.00 × 12.15 % × 16 / 365",
        "6000.00 × 12.15 % × 10 / 365",
    ]
    assert proof["exact"].startswith(proof["interest"]["amount"][:-1])
    assert any("arrondie une seule fois" in line for line in proof["remarks"]["fr"])
    await late.tell(late.reopened("F1", 10_000))
    assert (await got(doors, path(late)))["principal_left"]["amount"] == "10000.00"


async def test_what_was_invoiced_is_not_claimed_again_and_the_rest_is(late: World, doors: httpx.AsyncClient) -> None:
    first = await posted(doors, path(late, end="/invoice"), {"invoice_number": "INT-1"})
    assert [(each["kind"], each["amount"]["amount"], each["state"]) for each in first["items"]] == [
        ("interest", TEN_DAYS, "invoiced"),
        ("lump_sum", "40.00", "invoiced"),
    ]
    again = await doors.post(path(late, end="/invoice"), json={"invoice_number": "INT-2"})
    assert (again.status_code, again.json()["field"]) == (422, "until")
    late.go_to(date(2025, 10, 20))
    await late.tell(late.matched("P1", 10_000, "F1", 0), late.settled("F1"))
    late.go_to(date(2025, 11, 20))
    left = await got(doors, path(late))
    assert (left["interest"]["amount"], left["interest_to_claim"]["amount"], left["lump_sum_to_claim"]["amount"]) == (
        "66.58", "33.29", "0.00"
    )  # fmt: skip
    undecided = await got(doors, "/v1/charges/undecided")
    assert [(each["number"], each["open"]) for each in undecided["items"]] == [("F1", False)]
    last = (await posted(doors, path(late, end="/invoice"), {"invoice_number": "INT-2"}))["items"]
    assert [(each["first_day"], each["last_day"]) for each in last] == [("2025-10-11", "2025-10-20")]
    assert (await got(doors, "/v1/charges/undecided"))["items"] == []
    assert len((await got(doors, "/v1/charges", state="invoiced"))["items"]) == 3


async def test_of_two_people_who_claim_at_once_one_gets_it(late: World, doors: httpx.AsyncClient) -> None:
    told = [{"invoice_number": f"INT-{n}"} for n in range(4)]
    answers = await asyncio.gather(*(doors.post(path(late, end="/invoice"), json=each) for each in told))
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422]
    assert len((await got(doors, "/v1/charges"))["items"]) == 2


async def test_a_quote_uses_nothing_up_and_the_next_takes_its_place(late: World, doors: httpx.AsyncClient) -> None:
    await posted(doors, path(late, end="/quote"), {"kinds": ["interest"], "until": "2025-10-05"})
    second = await posted(doors, path(late, end="/quote"), {"kinds": ["interest"]})
    assert [each["amount"]["amount"] for each in second["items"]] == [TEN_DAYS]
    assert [each["state"] for each in (await got(doors, "/v1/charges"))["items"]] == ["quoted"]
    done = await posted(doors, path(late, end="/invoice"), {"kinds": ["interest"], "invoice_number": "INT-1"})
    assert done["items"][0]["charge_id"] == second["items"][0]["charge_id"]


async def test_only_a_manager_gives_up_a_claim_and_says_why(
    late: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    told = {"reason": "A gesture after the strike"}
    collector = as_(late, settings, "carl", "collector")
    refused = await doors.post(path(late, end="/waive"), json=told, headers=collector)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (await doors.post(path(late, end="/waive"), json={})).status_code == 422
    waived = (await posted(doors, path(late, end="/waive"), told))["items"]
    assert {(each["state"], each["reason"], each["author"]) for each in waived} == {("waived", told["reason"], "ada")}
    late.go_to(date(2025, 12, 1))
    after = await got(doors, path(late))
    assert (after["interest"]["amount"], after["interest_to_claim"]["amount"]) == (TEN_DAYS, "0.00")
    assert (await got(doors, "/v1/charges/undecided"))["items"] == []


async def test_the_invoice_of_a_charge_bears_none_and_says_when_it_is_paid(
    late: World, doors: httpx.AsyncClient
) -> None:
    own = await doors.post(path(late, end="/invoice"), json={"invoice_number": "F1"})
    assert (own.status_code, own.json()["field"]) == (422, "invoice_number")
    await posted(doors, path(late, end="/invoice"), {"invoice_number": "INT-1"})
    await late.tell(late.issued("INT-1", date(2025, 10, 31), 73))
    late.go_to(date(2025, 12, 10))
    bears = await got(doors, path(late, "INT-1"))
    assert (bears["not_claimable"], bears["interest"]["amount"], bears["lump_sum"]["amount"]) == (
        "charge", "0.00", "0.00"
    )  # fmt: skip
    await late.tell(late.matched("P1", 73, "INT-1", 0), late.settled("INT-1"))
    claims = (await got(doors, "/v1/charges"))["items"]
    assert {(each["state"], each["collected_on"]) for each in claims} == {("collected", "2025-12-10")}
    waive = await doors.post(f"/v1/charges/{claims[0]['charge_id']}/waive", json={"reason": "too late"})
    assert (waive.status_code, waive.json()["code"]) == (409, "already_ended")
    await late.tell(late.reopened("INT-1", 73))
    assert {each["state"] for each in (await got(doors, "/v1/charges"))["items"]} == {"invoiced"}


async def test_an_invoiced_charge_is_collected_by_hand_or_given_up(late: World, doors: httpx.AsyncClient) -> None:
    two = (await posted(doors, path(late, end="/invoice"), {"invoice_number": "INT-1"}))["items"]
    paid = await posted(doors, f"/v1/charges/{two[0]['charge_id']}/collect", {"on": "2025-10-10"}, 200)
    given_up = await posted(doors, f"/v1/charges/{two[1]['charge_id']}/waive", {"reason": "Settled by deal"}, 200)
    assert (paid["state"], given_up["state"]) == ("collected", "waived")


async def test_a_rate_holds_once_another_person_has_approved_it(
    late: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    late.go_to(date(2026, 8, 1))
    assert (await got(doors, path(late)))["doubts"] == ["rate_unconfirmed"]
    told = {"index": "ecb_mro", "valid_from": "2026-07-01", "percent": "2.65", "source": "ECB, 2026-06-11"}
    wrong = await doors.post("/v1/charges/rates", json=told | {"valid_from": "2026-06-11"})
    assert (wrong.json()["field"], "2026-01-01" in wrong.json()["remedy"]) == ("valid_from", True)
    rate = await posted(doors, "/v1/charges/rates", told)
    mine = await doors.post(f"/v1/charges/rates/{rate['rate_id']}/approve")
    assert (mine.status_code, mine.json()["code"]) == (409, "four_eyes")
    assert (await got(doors, path(late)))["doubts"] == ["rate_unconfirmed"]
    bob = as_(late, settings, "bob", "manager")
    answer = await doors.post(f"/v1/charges/rates/{rate['rate_id']}/approve", headers=bob)
    assert (answer.json()["state"], answer.json()["approved_by"]) == ("approved", "bob")
    assert (await got(doors, path(late)))["doubts"] == []
    proof = await got(doors, path(late, end="/proof"))
    assert (proof["rows"][-1]["percent"], "2026-06-11" in proof["rows"][-1]["sources"][0]) == ("12.65", True)
    listed = await got(doors, "/v1/charges/rates", index="ecb_mro")
    assert [each["state"] for each in listed["items"]][-2:] == ["shipped_unconfirmed", "approved"]
    assert listed["known_to"] == {"ecb_mro": "2026-12-31"}


async def test_a_public_buyer_is_charged_by_its_own_texts(late: World, doors: httpx.AsyncClient) -> None:
    await late.tell(late.debtor_changed("A", profile="public_body"))
    bears = await got(doors, path(late))
    assert (bears["regime"], bears["interest"]["amount"]) == ("fr_public", "27.81")
    assert "commande publique" in bears["basis"]["fr"]


async def test_nothing_is_claimed_of_consumers_and_the_reason_is_shown(late: World, doors: httpx.AsyncClient) -> None:
    await late.tell(late.debtor_changed("A", consumer=True))
    bears = await got(doors, path(late))
    assert (bears["not_claimable"], bears["interest"]["amount"]) == ("consumer", "0.00")
    refused = await doors.post(path(late, end="/invoice"), json={"invoice_number": "INT-1"})
    assert (refused.status_code, refused.json()["field"]) == (422, "item_id")
    told = {"regime": "de_consumer", "reason": "A German consumer, by the contract"}
    answer = await doors.put(f"/v1/charges/terms/debtors/{late.debtor('A')}", json=told)
    assert answer.status_code == 200, answer.text
    bears = await got(doors, path(late))
    assert (bears["regime"], bears["not_claimable"], bears["interest"]["amount"], bears["lump_sum"]["amount"]) == (
        "de_consumer", None, "17.18", "0.00"
    )  # fmt: skip


async def test_a_contract_holds_above_the_floor_and_interest_first_where_it_says_so(
    late: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    terms = f"/v1/charges/terms/debtors/{late.debtor('A')}"
    assert (await doors.get(terms)).status_code == 404
    told: dict[str, Any] = {
        "percent": "5.00", "imputation": "costs_interest_principal", "reason": "Framework contract of 2024, art. 7",
        "lump_sum": {"amount": "60.00", "currency": "EUR"},
    }  # fmt: skip
    collector = as_(late, settings, "carl", "collector")
    assert (await doors.put(terms, json=told, headers=collector)).status_code == 403
    assert (await doors.put(terms, json=told)).json()["author"] == "ada"
    bears = await got(doors, path(late))
    assert (bears["interest"]["amount"], bears["lump_sum"]["amount"]) == ("22.68", "60.00"), "3 × 2.76 % is the floor"
    await late.tell(late.matched("P1", 1000, "F1", 9000))
    paid = await got(doors, path(late))
    assert paid["principal_left"]["amount"] == "9082.68", "1000 paid 60 of costs, 22.68 of interest, and principal"
    for change, field in (({"index": "ecb_mro"}, "points"), ({"percent": "-1"}, "percent")):
        answer = await doors.put(terms, json=told | change)
        assert answer.status_code == 422, field
    company = f"/v1/charges/terms/entities/{late.entity}"
    by_all = {"imputation": "costs_interest_principal", "percent": "20", "cost_of_money": "5", "reason": "For all"}
    assert (await doors.put(company, json=by_all)).status_code == 200
    assert (await doors.put(terms, json={"reason": "Back to the company's"})).status_code == 200
    bears = await got(doors, path(late))
    assert (bears["imputation"], bears["interest"]["amount"]) == ("costs_interest_principal", "54.79")
    assert (await doors.put(terms, json=by_all)).json()["field"] == "cost_of_money"
    other = f"/v1/charges/terms/entities/{uuid7()}"
    assert (await doors.put(other, json=told)).status_code == 404


async def climbed(world: World, last: str) -> dict[int, Any]:
    """Tone → the last notice of it up to a day; all that is said is delivered."""
    found: dict[int, Any] = {}
    while world.clock.now().date() < date.fromisoformat(last):
        said = await world.day(world.clock.now().date() + timedelta(days=1))
        await world.tell(*(world.sent(due) for due in said))
        found |= {due.tone: due for due in said}
    return found


async def test_a_notice_names_the_right_in_the_firm_tone_and_states_the_sums_in_the_final_one(
    world: World, doors: httpx.AsyncClient
) -> None:
    world.go_to(date(2025, 8, 15))
    await world.tell(world.issued("F1", date(2025, 9, 1), 10_000))
    said = await climbed(world, "2025-09-30")
    assert said[2].charges is None
    firm = said[3]
    assert (firm.charges.regime, firm.charges.lump_sum, firm.lines[0].interest) == ("fr_private", True, None)
    assert "L. 441-10" in firm.charges.basis["fr"]
    final, line = said[4], said[4].lines[0]
    bears = await got(doors, path(world), until=final.charges.as_of.isoformat())
    assert (str(line.interest), str(line.lump_sum)) == (f"{bears['interest']['amount']} EUR", "40.00 EUR")
    assert not final.charges.provisional
    quoted = (await got(doors, "/v1/charges", state="quoted"))["items"]
    assert {(each["kind"], each["amount"]["amount"]) for each in quoted} == {
        ("interest", bears["interest"]["amount"]), ("lump_sum", "40.00")
    }  # fmt: skip


async def test_a_step_says_of_charges_what_its_policy_says(
    world: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    told = yaml.safe_load(STANDARD)
    for step in told["steps"]:
        step.update({3: {"charges": "stated"}, 4: {"charges": "none"}}.get(step["tone"], {}))
    await activated(doors, await posted(doors, "/v1/policies", {"policy": told}), world, settings)
    world.go_to(date(2025, 8, 15))
    await world.tell(world.issued("F1", date(2025, 9, 1), 10_000))
    said = await climbed(world, "2025-09-30")
    assert said[2].charges is None
    assert (said[3].charges.sums, str(said[3].lines[0].lump_sum)) == (True, "40.00 EUR")
    assert (said[4].charges.basis, said[4].charges.sums, said[4].lines[0].interest) == ({}, False, None)
    quoted = (await got(doors, "/v1/charges", state="quoted"))["items"]
    assert {each["kind"] for each in quoted} == {"interest", "lump_sum"}


async def test_a_customer_with_a_thousand_late_invoices_is_quoted_for_each_in_one_sweep(world: World) -> None:
    world.go_to(date(2025, 8, 15))
    await world.tell(*(world.issued(f"F{number}", date(2025, 9, 1)) for number in range(1_000)))
    final = (await climbed(world, "2025-09-30"))[4]
    assert len(final.lines) == 1_000 and all(line.lump_sum for line in final.lines)


async def test_a_notice_states_no_charge_of_a_disputed_part_nor_what_was_claimed_before(
    world: World, doors: httpx.AsyncClient
) -> None:
    world.go_to(date(2025, 8, 15))
    await world.tell(world.issued("F1", date(2025, 9, 1), 10_000))
    await climbed(world, "2025-09-12")
    await posted(doors, path(world, end="/invoice"), {"kinds": ["lump_sum"], "invoice_number": "INT-1"})
    part = {"amount": "4000.00", "currency": "EUR"}
    told = {"item_id": str(world.item("F1")), "amount": part, "reason": "quality", "review_on": "2025-12-01"}
    await posted(doors, "/v1/disputes", told)
    final = (await climbed(world, "2025-09-30"))[4]
    line, days = final.lines[0], (final.charges.as_of - date(2025, 9, 1)).days
    assert (str(line.paused), line.lump_sum) == ("4000.00 EUR", None)
    assert line.interest.minor == round(6000_00 * 1215 * days / 365 / 10_000)
