"""A ladder on its day axis: every step has its place, no two names cover each other."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.pages.ladder import LETTER, WIDTH, ladder
from services.console.pages.policies import step_name
from services.console.pages.templates import in_short
from services.console.pages.web import Texts
from services.scheduler import policy as rules


def standard() -> list[dict[str, Any]]:
    text = (Path(rules.__file__).parent / "policies" / "standard.yaml").read_text("utf-8")
    steps: list[dict[str, Any]] = rules.parse(text).model_dump(mode="json")["steps"]
    return steps


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_standard_ladder_reads_from_the_courtesy_notice_to_the_hand_over(language: str) -> None:
    t = Texts(language)
    steps = standard()
    found = ladder(steps, {step["key"]: step_name(t, step) for step in steps})
    assert (found.rungs[0].step["key"], found.rungs[-1].step["key"]) == ("courtesy", "hand_over")
    assert {step["key"] for step in found.beside} == {"statement", "monthly", "thanks"}
    assert all("_" not in rung.name for rung in found.rungs)
    assert {rung.icon for rung in found.rungs} >= {"mail", "phone", "letter", "note"}


@given(st.lists(st.integers(-60, 400), min_size=1, max_size=15))
def test_no_two_names_cover_each_other_and_all_stay_in_the_picture(days: list[int]) -> None:
    steps = [
        {"key": str(number), "kind": "reminder", "tone": 1, "anchor": "due_date", "offset": day}
        for number, day in enumerate(days)
    ]
    found = ladder(steps, {str(number): "Relance" for number in range(len(days))})
    assert len(found.rungs) == len(days)
    for one in found.rungs:
        assert 0 <= one.x <= WIDTH - LETTER * 7
        assert one.y < found.ground
        for other in found.rungs:
            if other is not one and one.y == other.y:
                assert abs(one.x - other.x) >= LETTER * 7


def test_a_subject_is_shown_as_people_read_it() -> None:
    told = "{% if single %}Rappel – facture {{ number }} échue le {{ due_date | date }}{% else %}Rappel{% endif %}"
    assert in_short(told) == "Rappel – facture [number] échue le [due_date]"
