"""What follows a step that did not arrive: another try, the next channel, or nothing until the file changes."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.scheduler.errors import PolicyInvalid
from services.scheduler.grouping import channels_left
from services.scheduler.planner import Decision
from services.scheduler.policy import Policy, check
from tests.unit.scheduler.world import decided, item, mark

DUE = date(2026, 9, 1)
BACK = date(2026, 9, 4)


def policy(**friendly: Any) -> Policy:
    """The standard ladder, its friendly reminder changed."""
    told = yaml.safe_load(Path("services/scheduler/policies/standard.yaml").read_text("utf-8"))
    next(step for step in told["steps"] if step["key"] == "friendly").update(friendly)
    return check(told)


def after_bounce(day: date, retry_on: date | None = date(2026, 9, 11), **friendly: Any) -> Decision:
    """What is decided on a day about an invoice whose friendly reminder came back on the 4th."""
    bounced = mark("friendly", BACK, state="bounced", retry_on=retry_on)
    return decided(day, item("A", DUE, marks=(bounced,)), policy=policy(**friendly))


def said(decision: Decision) -> list[tuple[str, list[str]]]:
    return [(notice.step.key, list(notice.channels)) for notice in decision.notices]


def test_by_itself_it_is_tried_again_a_week_later_by_the_same_channel() -> None:
    assert said(after_bounce(date(2026, 9, 7))) == []
    assert said(after_bounce(date(2026, 9, 11))) == [("friendly", ["email"])]


def test_with_a_fallback_the_next_channel_is_taken_at_once() -> None:
    how = {"channels": ["email", "letter"], "on_failure": "fallback"}
    assert said(after_bounce(date(2026, 9, 7), **how)) == [("friendly", ["letter"])]


def test_when_the_last_channel_failed_too_it_waits_and_begins_again() -> None:
    how: dict[str, Any] = {"channels": ["email", "letter"], "on_failure": "fallback"}
    last = mark("friendly", BACK, state="failed", channel="letter", retry_on=date(2026, 9, 11))
    ladder = policy(**how)
    friendly = ladder.step("friendly")
    assert friendly is not None and channels_left(friendly, last) == []
    assert said(decided(date(2026, 9, 7), item("A", DUE, marks=(last,)), policy=ladder)) == []
    again = decided(date(2026, 9, 11), item("A", DUE, marks=(last,)), policy=ladder)
    assert said(again) == [("friendly", ["email", "letter"])]


def test_on_hold_nothing_is_tried_until_the_payers_file_changes() -> None:
    held = after_bounce(date(2026, 10, 1), on_failure="hold")
    assert said(held) == []
    assert held.verdicts[0].block is not None and held.verdicts[0].block.code == "undeliverable"
    changed = after_bounce(date(2026, 9, 7), retry_on=None, on_failure="hold")
    assert said(changed) == [("friendly", ["email"])]


def test_a_fallback_without_a_second_channel_is_refused() -> None:
    with pytest.raises(PolicyInvalid, match="second channel"):
        policy(on_failure="fallback")
