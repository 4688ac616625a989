"""What becomes of missed days: one step and the gap, spread over days, or left out."""

from datetime import date, timedelta
from typing import Any

import pytest
import yaml

from libs.common.ids import named
from services.scheduler.case import Party
from services.scheduler.errors import PolicyInvalid
from services.scheduler.policy import Policy, check
from tests.unit.scheduler.test_policy import TEXT
from tests.unit.scheduler.world import STANDARD, at, case, decided, item, mark

DUE = date(2026, 9, 1)
FRIENDLY = date(2026, 9, 3)
BACK = date(2026, 10, 2)


def changed(key: str, **facts: Any) -> Policy:
    policy = yaml.safe_load(TEXT)
    steps = [step | facts if step["key"] == key else step for step in policy["steps"]]
    return check(policy | {"steps": steps, "spread": {"per_day": 50}})


SPREAD = changed("friendly", catch_up="spread")


def test_what_is_late_counts_for_the_day_and_what_is_on_time_does_not() -> None:
    (late,) = decided(BACK, item("A", DUE), policy=SPREAD).notices
    (timely,) = decided(FRIENDLY, item("A", DUE), policy=SPREAD).notices
    assert (late.late, timely.late) == (True, False)
    assert decided(BACK, item("A", DUE)).notices[0].late is False


def test_a_notice_that_only_waited_for_the_gap_is_not_late() -> None:
    heard = Party(named("party"), date(2026, 9, 2))
    (notice,) = decided(date(2026, 9, 9), item("A", DUE), policy=SPREAD, party=heard).notices
    assert notice.late is False
    (notice,) = decided(date(2026, 9, 10), item("A", DUE), policy=SPREAD, party=heard).notices
    assert notice.late is True


def test_once_the_day_has_caught_up_enough_the_rest_waits_for_tomorrow() -> None:
    full = decided(BACK, item("A", DUE), policy=SPREAD, caught_up=50)
    assert full.notices == ()
    assert full.gate is not None
    assert (full.gate.code, full.gate.facts["most"]) == ("spread_out", 50)
    assert full.next_at == at(BACK + timedelta(days=3), 9)
    assert decided(FRIENDLY, item("A", DUE), policy=SPREAD, caught_up=50).notices != ()


def test_a_step_that_is_skipped_is_left_out_once_the_gap_after_its_day_is_over() -> None:
    skipping = changed("call", catch_up="skip")
    called = item("A", DUE, marks=(mark("friendly", FRIENDLY), mark("firm", date(2026, 9, 11))))
    last = Party(named("party"), date(2026, 9, 11))
    on_time = decided(date(2026, 9, 23), called, policy=skipping, party=last)
    assert "call" in [notice.step.key for notice in on_time.notices]
    missed = decided(date(2026, 9, 24), called, policy=skipping, party=last)
    assert "call" not in [notice.step.key for notice in missed.notices]
    assert "missed" in [verdict.block.code for verdict in missed.verdicts if verdict.block]
    assert "call" in [n.step.key for n in decided(date(2026, 9, 24), called, party=last).notices]


@pytest.mark.parametrize(
    ("key", "catch_up"), [("friendly", "skip"), ("monthly", "skip"), ("call", "spread"), ("courtesy", "spread")]
)
def test_no_reminder_is_skipped_and_nothing_else_is_spread(key: str, catch_up: str) -> None:
    with pytest.raises(PolicyInvalid):
        changed(key, catch_up=catch_up)
    assert case().caught_up == 0
    assert not STANDARD.spreads
