"""Policies at the doors: two people, files, what differs, who follows what, and running cases that stay."""

from datetime import date
from typing import Any

import httpx
import yaml

from libs.common.settings import Settings
from services.scheduler.tables import payer_case
from tests.integration.scheduler.test_doors import STANDARD, got, posted
from tests.integration.scheduler.versions import act, activated, as_somebody
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)


def named(name: str, later: int = 0, **steps: dict[str, Any]) -> dict[str, Any]:
    """The standard ladder under another name, so many days later, some of its steps changed."""
    told: dict[str, Any] = yaml.safe_load(STANDARD) | {"name": name}
    for step in told["steps"]:
        step["offset"] += later if step["offset"] > 0 else 0
        step.update(steps.get(step["key"], {}))
    return told


async def brought(doors: httpx.AsyncClient, world: World, settings: Settings, name: str, **how: Any) -> dict[str, Any]:
    draft = await posted(doors, "/v1/policies", {"policy": named(name, **how)})
    return await activated(doors, draft, world, settings)


async def test_a_version_goes_from_hand_to_hand_and_tells_who_when_and_why(
    world: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    bob = as_somebody("bob", world, settings)
    draft = await posted(doors, "/v1/policies", {"policy": named("mine")})
    early = await act(doors, draft, "activate", headers=bob)
    assert (early.status_code, early.json()["code"]) == (409, "wrong_state")
    assert "checked" in early.json()["remedy"]
    assert (await act(doors, draft, "check")).json()["state"] == "checked"
    mine = await act(doors, draft, "approve")
    assert (mine.status_code, mine.json()["code"]) == (409, "four_eyes")
    assert (await act(doors, draft, "approve", headers=bob)).json()["state"] == "approved"
    assert (await act(doors, draft, "activate")).json()["state"] == "active"
    again = await act(doors, draft, "check")
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    shown = await got(doors, f"/v1/policies/{draft['version_id']}")
    told = [(each["was"], each["became"], each["by"], each["why"]) for each in shown["history"]]
    assert told == [
        ("draft", "checked", "ada", "to check"),
        ("checked", "approved", "bob", "to approve"),
        ("approved", "active", "ada", "to activate"),
    ]
    assert (await act(doors, draft, "retire")).json()["state"] == "retired"


async def test_an_act_needs_a_reason_and_what_is_followed_is_not_retired(
    world: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    first = (await got(doors, "/v1/policies"))["items"]
    standard = next(each for each in first if each["name"] == "standard")
    silent = await doors.post(f"/v1/policies/{standard['version_id']}/retire", json={"why": " "})
    assert silent.status_code == 422
    used = await act(doors, standard, "retire")
    assert (used.status_code, used.json()["code"]) == (409, "policy_in_use")
    second = await brought(doors, world, settings, "standard")
    replaced = await got(doors, f"/v1/policies/{standard['version_id']}")
    assert (replaced["state"], second["number"]) == ("retired", 2)
    assert replaced["history"][-1]["why"].startswith("replaced by number 2")


async def test_a_version_is_exported_imported_again_and_compared(
    world: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    one = await posted(doors, "/v1/policies", {"policy": named("mine")})
    text = await doors.get(f"/v1/policies/{one['version_id']}/yaml")
    assert text.headers["content-type"].startswith("application/yaml")
    two = await posted(doors, "/v1/policies", {"yaml": text.text})
    assert (two["number"], two["policy"]) == (2, one["policy"])
    three = await posted(doors, "/v1/policies", {"policy": named("mine", firm={"offset": 12})})
    same = await got(doors, f"/v1/policies/{two['version_id']}/diff", against=one["version_id"])
    other = await got(doors, f"/v1/policies/{three['version_id']}/diff", against=one["version_id"])
    assert same["changes"] == []
    assert (await got(doors, f"/v1/policies/{two['version_id']}/diff")) == same
    assert (await doors.get(f"/v1/policies/{one['version_id']}/diff")).status_code == 404
    assert other["changes"] == [{"place": "steps.firm.offset", "what": "changed", "before": 10, "after": 12}]
    assert "when" in (await got(doors, "/v1/policies/schema"))["$defs"]["Step"]["properties"]


async def test_every_field_of_conditions_is_told_with_its_kind_and_its_words(doors: httpx.AsyncClient) -> None:
    told = {each["name"]: each for each in (await got(doors, "/v1/policies/fields"))["items"]}
    assert told["item.undisputed"]["kind"] == "amount" and told["item.overdue"]["kind"] == "days"
    assert "slow" in told["profile.name"]["values"] and told["debtor.country"]["values"] == []
    assert all(each["fr"] and each["en"] for each in told.values())


async def test_an_item_a_debtor_and_a_segment_follow_policies_of_their_own(
    world: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    await world.tell(world.debtor_changed("B", country="DE"), world.debtor_changed("C"), world.debtor_changed("D"))
    await world.tell(*(world.issued(f"F{name}", DUE, debtor=name) for name in "ABCD"))
    await brought(doors, world, settings, "late", later=2)
    await brought(doors, world, settings, "later", later=4)
    base = {"reason": "agreed", "expires_on": "2027-01-01"}
    germans = {"name": "germans", "when": "debtor.country = 'DE'"}
    await posted(doors, "/v1/policies/assignments", {"policy": "late", "segment": germans, **base})
    own = {"policy": "later", "item_id": str(world.item("FA")), **base}
    await posted(doors, "/v1/policies/assignments", own)
    debtor = {"policy": "later", "debtor_id": str(world.debtor("C")), **base}
    await posted(doors, "/v1/policies/assignments", debtor)
    said = [line.number for due in await world.day(date(2026, 9, 3)) for line in due.lines if line.completes]
    assert said == ["FD"]
    told = await got(doors, f"/v1/items/{world.item('FA')}/explain")
    assert (told["policy"], told["policy_from"], told["next_step"]) == ("later", "item", "friendly")
    told = await got(doors, f"/v1/items/{world.item('FB')}/explain")
    assert (told["policy"], told["policy_from"]) == ("late", "segment")
    told = await got(doors, f"/v1/items/{world.item('FD')}/explain")
    assert (told["policy"], told["policy_from"]) == ("standard", "entity")
    late = [line.number for due in await world.day(date(2026, 9, 7)) for line in due.lines if line.completes]
    assert sorted(late) == ["FA", "FB", "FC"]  # the 5th is a Saturday


async def test_an_item_whose_own_policy_is_in_shadow_is_shown_and_the_others_are_reminded(
    world: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    await world.tell(world.issued("FA", DUE), world.issued("FB", DUE))
    quiet = {"policy": named("quiet") | {"shadow": True}}
    await activated(doors, await posted(doors, "/v1/policies", quiet), world, settings)
    own = {"policy": "quiet", "item_id": str(world.item("FA")), "reason": "try it", "expires_on": "2027-01-01"}
    await posted(doors, "/v1/policies/assignments", own)
    for day in (date(2026, 9, 3), date(2026, 9, 11)):
        [due] = await world.day(day)
        assert [row.number for row in due.lines] == ["FB"]
        await world.tell(world.sent(due))
    told = await got(doors, f"/v1/items/{world.item('FA')}/explain")
    assert (told["policy"], told["next_step"], told["reasons"][0]["code"]) == ("quiet", "friendly", "shadow")
    assert {number for number, _ in await world.states()} == {"FB"}


async def test_an_assignment_ends_and_is_refused_without_policy_end_or_reason(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("FA", DUE))
    base = {"policy": "standard", "item_id": str(world.item("FA")), "reason": "agreed", "expires_on": "2027-01-01"}
    for change, code in (
        ({"policy": "nothing"}, "policy_unknown"),
        ({"expires_on": "2026-09-01"}, "expiry_invalid"),
        ({"item_id": str(world.entity)}, "scope_unknown"),
        ({"item_id": None, "segment": {"name": "x", "when": "item.cycle > 1"}}, "condition_invalid"),
        ({"debtor_id": str(world.debtor("A"))}, "refused"),
    ):
        answer = await doors.post("/v1/policies/assignments", json=base | change)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert code == "refused" or answer.json()["field" if code != "condition_invalid" else "column"]
    made = await posted(doors, "/v1/policies/assignments", base)
    assert [each["in_force"] for each in (await got(doors, "/v1/policies/assignments"))["items"]] == [True]
    path = f"/v1/policies/assignments/{made['assignment_id']}/end"
    ended = await posted(doors, path, {"why": "mistake"}, status=200)
    assert (ended["in_force"], ended["ended_by"], ended["end_reason"]) == (False, "ada", "mistake")
    assert (await doors.post(path, json={"why": "again"})).status_code == 409
    assert (await got(doors, "/v1/policies/assignments"))["items"] == []


async def test_running_cases_are_moved_on_purpose_only_and_hear_nothing_twice(
    world: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    await world.tell(world.issued("FA", DUE))
    first = await world.day(date(2026, 9, 3))
    await world.tell(world.sent(first[0]))
    new = await brought(doors, world, settings, "standard", firm={"offset": 12})
    assert [row["policy_version_id"] for row in await world.rows(payer_case)] == [first[0].policy_version_id]
    path = f"/v1/policies/{new['version_id']}/migrations"
    told = {"why": "softer", "from_version": str(first[0].policy_version_id)}
    assert (await doors.post(path, json=told)).json()["field"] == "count"
    seen = await posted(doors, path, {**told, "dry_run": True}, status=200)
    assert seen["count"] == 1
    other = await doors.post(path, json={**told, "count": 2})
    assert (other.status_code, other.json()["code"]) == (409, "set_changed")
    await posted(doors, path, {**told, "count": 1}, status=200)
    assert await world.day(date(2026, 9, 11)) == []
    assert [due.step_key for due in await world.day(date(2026, 9, 14))] == ["firm"]
    item = world.item("FA")
    before = await got(doors, f"/v1/items/{item}/explain", at="2026-09-02T10:00:00Z")
    assert (before["policy"], before["policy_number"]) == ("standard", 1)


async def test_a_profile_shows_its_figures_and_its_formula(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.debtor_changed("A", profile="public_body"), world.issued("FA", date(2026, 8, 2)))
    shown = await got(doors, f"/v1/payer-profiles/{world.debtor('A')}")
    assert {name: shown[name] for name in ("profile", "told", "items", "delay", "late_share", "on", "since")} == {
        "profile": "public_body", "told": "public_body", "items": 1, "delay": 30, "late_share": 100,
        "on": "2026-09-01", "since": "2026-03-01",
    }  # fmt: skip
    assert shown["formula"]["slow_delay_over"] == 20
    listed = await got(doors, "/v1/payer-profiles", on="2026-08-02")
    assert [(each["profile"], each["items"]) for each in listed["items"]] == [("public_body", 0)]
    assert (await doors.get(f"/v1/payer-profiles/{world.entity}")).status_code == 404


async def test_the_linter_blocks_a_version_and_names_step_field_rule_and_remedy(
    world: World, doors: httpx.AsyncClient
) -> None:
    draft = await posted(doors, "/v1/policies", {"policy": named("mine", firm={"offset": 5})})
    refused = await act(doors, draft, "check")
    body = refused.json()
    assert (refused.status_code, body["code"], body["field"]) == (422, "policy_not_clean", "steps[3].offset")
    finding = body["findings"][0]
    assert (finding["severity"], finding["rule"], finding["step"]) == ("error", "gap_too_short", "firm")
    assert "écart" in finding["fr"]["told"]
    assert finding["en"]["remedy"].startswith("Put at least 5 working days")
    assert (await got(doors, f"/v1/policies/{draft['version_id']}"))["state"] == "draft"
    shown = await got(doors, f"/v1/policies/{draft['version_id']}/findings")
    assert (shown["clean"], shown["findings"]) == (False, body["findings"])


async def test_a_file_is_looked_over_without_being_kept(world: World, doors: httpx.AsyncClient) -> None:
    clean = await posted(doors, "/v1/policies/lint", {"yaml": STANDARD}, status=200)
    assert clean == {"clean": True, "findings": []}
    wrong = await posted(doors, "/v1/policies/lint", {"yaml": "name: x\nsteps: []"}, status=200)
    assert {each["field"] for each in wrong["findings"]} == {"window", "steps"}
    other = STANDARD.replace("template: firm", "template: our_own")
    silent = await doors.post("/v1/policies/lint", json={"yaml": other})
    assert (silent.status_code, silent.json()["code"]) == (
        503,
        "unavailable",
    )  # the notifier, who knows, does not answer


async def test_five_policies_are_there_for_everybody(world: World, doors: httpx.AsyncClient) -> None:
    known = {row["name"]: row["state"] for row in (await got(doors, "/v1/policies"))["items"]}
    assert known == dict.fromkeys(("good", "public_body", "slow", "standard", "strategic"), "active")
