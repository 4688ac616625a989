"""Versions: one step at a time, two people; files read as they were written; what differs; who follows what."""

import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.ids import named
from services.scheduler.assigning import Assignment, for_case, for_item
from services.scheduler.case import Payer
from services.scheduler.climbing import rungs
from services.scheduler.errors import FourEyes, WrongState
from services.scheduler.policy import check, parse, version_of
from services.scheduler.policy_diff import changes
from services.scheduler.policy_file import schema, written
from services.scheduler.profiling import Profile
from services.scheduler.versioning import ACTS, ActName, State, next_state
from tests.unit.scheduler.test_policy import TEXT
from tests.unit.scheduler.world import STANDARD, TENANT, case, decided, item, mark

SCHEMA = Path("docs/policy.schema.json")
STATES: tuple[State, ...] = ("draft", "checked", "approved", "active", "retired")
TODAY = date(2026, 9, 10)
AT = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("state", STATES)
def test_every_act_needs_its_state_and_says_what_is_missing(act: ActName, state: State) -> None:
    allowed = {
        ("check", "draft"), ("approve", "checked"), ("activate", "approved"),
        ("retire", "draft"), ("retire", "checked"), ("retire", "approved"), ("retire", "active"),
    }  # fmt: skip
    if (act, state) in allowed:
        assert next_state(act, state, "ada", "bob") == ACTS[act].to
        return
    with pytest.raises(WrongState) as refused:
        next_state(act, state, "ada", "bob")
    assert refused.value.status == 409
    assert refused.value.remedy_text


def test_nobody_approves_what_they_wrote() -> None:
    with pytest.raises(FourEyes):
        next_state("approve", "checked", "ada", "ada")
    assert next_state("check", "draft", "ada", "ada") == "checked"


def _changed(told: dict[str, Any], picks: list[tuple[int, int]]) -> dict[str, Any]:
    """The standard ladder with some of its harmless facts changed."""
    ways: list[Any] = [
        lambda step: step.update(when="item.overdue > 3 days or deliveries.count = 1"),
        lambda step: step.update(window={"days": ["tue"], "opens": "08:30", "closes": "11:00"}),
        lambda step: step.update(min_amount={"EUR": "12.50"}, max_amount={"JPY": "90000"}),
        lambda step: step.update(grouping="item", group_level="oldest"),
        lambda step: step.update(approval_above={"EUR": "10000.00"}),
        lambda step: step.update(unit="business"),
    ]
    for place, way in picks:
        step = told["steps"][place % len(told["steps"])]
        if step["kind"] != "acknowledge":
            ways[way % len(ways)](step)
    return told


@settings(max_examples=120)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=6))
def test_an_exported_policy_is_read_as_the_same_policy(picks: list[tuple[int, int]]) -> None:
    policy = check(_changed(yaml.safe_load(TEXT), picks))
    assert parse(written(policy)) == policy
    assert not changes(policy, parse(written(policy)))
    assert json.loads(json.dumps(policy.model_dump(mode="json"))) == policy.model_dump(mode="json")


def test_the_published_schema_is_that_of_the_policies() -> None:
    told = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("RELANCE_WRITE_SCHEMA"):
        SCHEMA.write_text(told)
    assert SCHEMA.read_text() == told, "RELANCE_WRITE_SCHEMA=1 writes it again"


def test_the_difference_of_two_versions_names_every_place() -> None:
    told = yaml.safe_load(TEXT)
    told["gap_days"] = 6
    told["steps"][3]["offset"] = 12
    told["steps"].insert(1, {**told["steps"].pop(1), "key": "history"})
    found = {(change.place, change.what) for change in changes(STANDARD, check(told))}
    assert found == {
        ("gap_days", "changed"),
        ("steps.firm.offset", "changed"),
        ("steps.statement", "removed"),
        ("steps.history", "added"),
    }
    told = yaml.safe_load(TEXT)
    told["steps"].insert(4, told["steps"].pop(5))
    moved = [(change.place, change.before, change.after) for change in changes(STANDARD, check(told))]
    assert moved == [
        ("steps.sales_owner", "after call", "after firm"),
        ("steps.call", "after firm", "after sales_owner"),
        ("steps.final", "after sales_owner", "after call"),
    ]


def assigned(scope: str, subject: UUID, policy: str, **facts: Any) -> Assignment:
    made = Assignment(
        named(scope, subject, policy), scope, subject, policy, None, "", "", 100, AT, date(2027, 1, 1), False,  # type: ignore[arg-type]
    )  # fmt: skip
    return replace(made, **facts)


def test_an_item_comes_before_its_debtor_and_a_debtor_before_its_segment() -> None:
    one, two = item("A", TODAY), replace(item("B", TODAY), debtor_id=named("shop"))
    slow = replace(case(one, two), payer=Payer(profile=Profile("slow", "regular", 3, 30, 90)))
    rules = [
        assigned("segment", TENANT, "slow", when="profile.name = 'slow'", priority=20),
        assigned("segment", TENANT, "french", when="debtor.country = 'FR'", priority=10),
        assigned("segment", TENANT, "rich", when="case.owed > 5000.00 EUR", priority=1),
        assigned("item", one.item_id, "own"),
        assigned("debtor", named("shop"), "shops"),
    ]
    assert (found := for_case(rules, slow, TODAY)) is not None
    assert found.policy == "french"
    assert (found := for_item(rules, one, slow, TODAY)) is not None
    assert found.policy == "own"
    assert (found := for_item(rules, two, slow, TODAY)) is not None
    assert found.policy == "shops"
    payer = [*rules, assigned("debtor", slow.payer_id, "payer")]
    assert (found := for_case(payer, slow, TODAY)) is not None
    assert found.policy == "payer"


def test_an_assignment_ends_on_its_day_and_a_segment_keeps_to_its_entity() -> None:
    here = case(item("A", TODAY))
    rule = assigned("segment", TENANT, "x", when="true", expires_on=TODAY)
    assert for_case([rule], here, TODAY) is None
    assert for_case([rule], here, TODAY - timedelta(days=1)) is rule
    other = replace(rule, entity_id=named("another"), expires_on=date(2027, 1, 1))
    assert for_case([other], here, TODAY) is None


def test_what_another_policy_said_is_not_said_again_after_a_move() -> None:
    told = yaml.safe_load(TEXT)
    for step in told["steps"]:
        step["key"] = f"new_{step['key']}"
    moved = check(told)
    marks = (mark("friendly", date(2026, 9, 3)), mark("firm", date(2026, 9, 11)))
    heard = item("A", date(2026, 9, 1), marks=marks)
    assert [step.key for step in rungs(heard, moved)] == ["new_final", "new_formal"]
    bounced = replace(heard, marks=(marks[0], replace(marks[1], state="bounced")))
    assert next(step.key for step in rungs(bounced, moved)) == "new_firm"
    done = replace(heard, marks=(*marks, replace(mark("final", date(2026, 9, 22)), step_key="new_final")))
    assert [step.key for step in rungs(done, moved)] == ["new_final", "new_formal"]


def test_an_item_may_follow_another_ladder_than_its_case() -> None:
    told = yaml.safe_load(TEXT)
    told["steps"][2]["offset"] = 6
    late = version_of(TENANT, check(told), 2)
    due = date(2026, 9, 1)
    found = decided(due + timedelta(days=2), replace(item("A", due), own=late), item("B", due))
    assert [row.item.number for row in found.notices[0].rows if row.completes and row.step.offset == 2] == ["B"]
    alone = decided(due + timedelta(days=2), replace(item("A", due), own=late))
    assert not alone.notices
    assert decided(due + timedelta(days=6), replace(item("A", due), own=late)).notices
