"""Policy files: the standard ladder is read, and every mistake is named with its place."""

from pathlib import Path

import pytest
import yaml

from libs.common.ids import named
from services.scheduler.errors import PolicyInvalid
from services.scheduler.policy import check, parse, version_of
from tests.unit.scheduler.world import STANDARD

TEXT = Path("services/scheduler/policies/standard.yaml").read_text("utf-8")


def test_the_standard_ladder_never_falls_in_tone_and_ends_with_a_formal_notice() -> None:
    tones = [step.tone for step in STANDARD.rungs]
    assert tones == sorted(tones) == [2, 3, 4, 5]
    assert [step.offset for step in STANDARD.rungs] == [2, 10, 21, 30]
    assert STANDARD.by_key["formal"].approval == "four_eyes"
    assert STANDARD.by_key["final"].approval == "confirm"


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("steps[2].offset", lambda p: p["steps"][2].update(offset="soon")),
        ("steps[2].colour", lambda p: p["steps"][2].update(colour="red")),
        ("steps[2].audience", lambda p: p["steps"][2].update(audience=[])),
        ("steps[2].min_amount", lambda p: p["steps"][2].update(min_amount={"EUR": "1.234"})),
        ("steps[2].min_amount", lambda p: p["steps"][2].update(min_amount={"EUX": "1.00"})),
        ("steps[6]", lambda p: p["steps"][6].update(approval="none")),
        ("steps[8]", lambda p: p["steps"][8].update(approval="confirm")),
        ("steps[8]", lambda p: p["steps"][8].update(conditions={})),
        ("steps[0]", lambda p: p["steps"][0].update(offset=3)),
        ("window", lambda p: p["window"].update(opens="19:00")),
        ("window", lambda p: p["window"].update(opens="02:30")),
        ("cash.days", lambda p: p["cash"].update(days=9)),
        ("", lambda p: p["steps"].append(p["steps"][2])),
        ("", lambda p: p["steps"][3].update(tone=1)),
        ("", lambda p: p["steps"][3].update(offset=1)),
        ("", lambda p: p["steps"].insert(2, p["steps"].pop(8))),
        ("name", lambda p: p.pop("name")),
        ("gap_days", lambda p: p.update(gap_days=0)),
        ("steps[1]", lambda p: p["steps"][1].update(charges="named")),
    ],
)
def test_a_mistake_in_a_policy_is_named_with_its_place(field: str, change: object) -> None:
    policy = yaml.safe_load(TEXT)
    change(policy)  # type: ignore[operator]
    with pytest.raises(PolicyInvalid) as refused:
        check(policy)
    assert field in {error["field"] for error in refused.value.facts["errors"]} | {"" if not field else None}


@pytest.mark.parametrize("text", ["", "[]", "steps: [", "name: x\nwindow: 3", "a: &a [*a]"])
def test_a_file_that_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(PolicyInvalid):
        parse(text)


def test_the_same_version_of_a_policy_has_the_same_id() -> None:
    tenant = named("t")
    assert version_of(tenant, STANDARD, 1).version_id == version_of(tenant, STANDARD, 1).version_id
    assert version_of(tenant, STANDARD, 2).version_id != version_of(tenant, STANDARD, 1).version_id
