"""What a step says of copies, senders, letters, visits and of when it is done."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.scheduler.errors import PolicyInvalid
from services.scheduler.evidence import Fact, standing
from services.scheduler.policy import Policy, check
from services.scheduler.policy_file import plain
from tests.unit.scheduler.world import decided, item, mark

DUE = date(2026, 9, 1)


def policy(**firm: Any) -> Policy:
    """The standard ladder, its firm reminder changed."""
    told = yaml.safe_load(Path("services/scheduler/policies/standard.yaml").read_text("utf-8"))
    next(step for step in told["steps"] if step["key"] == "firm").update(firm)
    return check(told)


def refused(**firm: Any) -> str:
    with pytest.raises(PolicyInvalid) as told:
        policy(**firm)
    return told.value.detail


def test_copies_and_a_sender_are_read_and_written_back() -> None:
    written = plain(policy(cc=["sales_owner", "manager"], sender={"by": "collector"}))
    firm = next(step for step in written["steps"] if step["key"] == "firm")
    assert (firm["cc"], firm["sender"]) == (["sales_owner", "manager"], {"by": "collector"})


def test_a_letter_is_a_rung_of_the_ladder_on_paper_that_a_person_approves() -> None:
    assert [step.kind for step in policy(kind="letter", channels=["letter"], approval="confirm").rungs][1] == "letter"
    assert "write channels: [letter]" in refused(kind="letter", approval="confirm")
    assert "needs the approval confirm" in refused(kind="letter", channels=["letter"])


def test_what_completes_a_step_fits_its_kind_and_channel() -> None:
    assert "only a reminder on paper is presented" in refused(completes_on="presented")
    assert "done by a person" in refused(completes_on="task_done")
    assert "by e-mail is delivered" in refused(channels=["letter"], completes_on="delivered")
    assert "leave cc and sender out" in refused(channels=["letter"], cc=["manager"])


def test_a_letter_that_was_posted_is_done_once_it_was_presented() -> None:
    at = datetime(2026, 10, 1, 9, tzinfo=UTC)
    posted, presented = Fact(1, "sent", at, at.date()), Fact(1, "done", at, date(2026, 10, 5))
    assert standing([posted], 1, "formal_notice", at.date(), "presented").state == "opened"
    found = standing([posted, presented], 1, "formal_notice", at.date(), "presented")
    assert (found.state, found.on) == ("completed", date(2026, 10, 5))
    assert standing([posted], 1, "formal_notice", at.date()).state == "completed"


def test_a_letter_on_its_way_lets_nothing_softer_leave() -> None:
    formal = mark("formal", date(2026, 10, 1), state="opened", kind="formal_notice", tone=5)
    other = item("B", date(2026, 9, 10))
    assert decided(date(2026, 10, 12), item("A", DUE, marks=(formal,)), other).notices == ()


def test_a_step_done_when_delivered_counts_after_a_working_day_without_a_return() -> None:
    left = replace(mark("firm", date(2026, 9, 11)), completes_on="delivered")
    owing = item("A", DUE, marks=(mark("friendly", date(2026, 9, 3)), left))
    early = decided(date(2026, 9, 11), owing, policy=policy(completes_on="delivered"))
    assert next(verdict.block.code for verdict in early.verdicts if verdict.block) == "not_delivered_yet"
    assert early.next_at is not None and early.next_at.date() == date(2026, 9, 14)
    later = decided(date(2026, 9, 14), owing, policy=policy(completes_on="delivered"))
    assert next(verdict.step.key for verdict in later.verdicts if verdict.step) == "final"


def test_a_visit_and_a_hand_over_of_the_standard_ladder_are_tasks() -> None:
    kinds = {step.key: step.kind for step in policy().asides}
    assert (kinds["visit"], kinds["hand_over"]) == ("task_visit", "hand_over")
