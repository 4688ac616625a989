"""Whole courses of a case, played from look to look: outages, two invoices, riders, bounces, formal notices."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from libs.common.ids import named
from services.scheduler.case import Party, Reason
from services.scheduler.climbing import rungs
from services.scheduler.explain import REASONS, sentence
from services.scheduler.policy import LADDER
from tests.unit.scheduler.world import PARIS, STANDARD, World, at, decided, item, mark, pause

DUE = date(2026, 9, 1)


def said(world: World) -> list[tuple[date, str]]:
    return [(left.on, left.step) for left in world.left]


def test_an_unpaid_invoice_climbs_the_whole_ladder() -> None:
    world = World.of(item("A", DUE, 2_000))
    world.play(at(date(2026, 8, 1)), at(date(2026, 12, 31)))
    assert said(world) == [
        (date(2026, 8, 27), "courtesy"),
        (date(2026, 9, 3), "friendly"),
        (date(2026, 9, 11), "firm"),
        (date(2026, 9, 16), "call"),
        (date(2026, 9, 21), "sales_owner"),
        (date(2026, 9, 23), "final"),
        (date(2026, 9, 28), "visit"),
        (date(2026, 10, 5), "formal"),
        (date(2026, 10, 16), "hand_over"),
        (date(2026, 11, 16), "monthly"),
        (date(2026, 12, 16), "monthly-2"),
    ]


def test_two_invoices_of_one_payer_due_nine_days_apart_each_get_their_own_first_reminder() -> None:
    world = World.of(item("A", DUE), item("B", DUE + timedelta(days=9)))
    world.play(at(DUE), at(date(2026, 10, 30)))
    firsts = {number: left.on for left in reversed(world.left) for number in left.numbers}
    assert firsts == {"A": date(2026, 9, 3), "B": date(2026, 9, 11)}
    marks = {each.number: [m.step_key for m in each.marks if m.kind in LADDER] for each in world.items.values()}
    assert marks["A"][:2] == marks["B"][:2] == ["friendly", "firm"]


@pytest.mark.parametrize("days", [1, 7, 30])
def test_an_outage_gives_one_step_and_then_the_gap(days: int) -> None:
    world = World.of(item("A", DUE))
    back = PARIS.moved(date(2026, 9, 3) + timedelta(days=days))
    world.play(at(back), at(back + timedelta(days=20)))
    notices = [left for left in world.left if left.kind in LADDER]
    assert (notices[0].on, notices[0].step) == (back, "friendly")
    assert notices[1].step == "firm"
    assert PARIS.business_days_between(back, notices[1].on) >= STANDARD.gap_days


def test_a_rider_completes_only_its_own_step_and_only_within_the_gap() -> None:
    today = date(2026, 9, 11)
    rider, late_rider = (
        item("B", date(2026, 9, 9)),
        item("C", date(2026, 9, 10), marks=(mark("friendly", today - timedelta(days=1)),)),
    )
    decision = decided(today, item("A", DUE, marks=(mark("friendly", date(2026, 9, 3)),)), rider, late_rider)
    rows = {row.item.number: (row.step.key, row.completes) for row in decision.notices[0].rows}
    assert rows == {"A": ("firm", True), "B": ("friendly", True), "C": ("firm", False)}


@pytest.mark.parametrize(("due", "numbers"), [(date(2026, 9, 9), ["A", "B"]), (date(2026, 9, 10), ["A"])])
def test_what_may_have_been_paid_since_the_last_statement_does_not_ride(due: date, numbers: list[str]) -> None:
    items = (item("A", DUE), item("B", due))
    decision = decided(date(2026, 9, 11), *items, feed_required=True, covered_to=date(2026, 9, 10))
    assert [row.item.number for row in decision.notices[0].rows] == numbers


def test_reminding_one_invoice_never_hides_the_others() -> None:
    decision = decided(date(2026, 9, 3), item("A", DUE), item("B", date(2026, 9, 2)), item("C", date(2026, 8, 20)))
    assert [row.item.number for row in decision.notices[0].rows] == ["C", "A", "B"]


def test_paying_the_oldest_invoice_neither_skips_nor_repeats_a_level() -> None:
    world = World.of(item("A", DUE), item("B", DUE + timedelta(days=3)))
    world.play(at(DUE), at(date(2026, 9, 14)))
    world.change("A", residual=0)
    world.play(at(date(2026, 9, 15)), at(date(2026, 10, 30)))
    steps = [m.step_key for m in world.items[named("item", "B")].marks if m.kind in LADDER]
    assert steps == ["friendly", "firm", "final", "formal"]


def test_a_formal_notice_has_no_riders_and_takes_only_proven_items() -> None:
    proven = tuple(mark(step, date(2026, 9, 3)) for step in ("friendly", "firm", "final"))
    ready = item("A", DUE, marks=(*proven, mark("visit", date(2026, 9, 3), state="skipped")))
    decision = decided(date(2026, 10, 1), ready, item("B", date(2026, 9, 29)))
    assert [notice.step.key for notice in decision.notices] == ["formal"]
    assert [row.item.number for row in decision.notices[0].rows] == ["A"]
    assert decision.notices[0].approval == "four_eyes"


def test_amounts_of_two_currencies_are_looked_at_apart() -> None:
    dear = item("A", DUE, currency="USD")
    credit = decided(date(2026, 9, 3), dear, item("B", DUE), credits=())
    assert len(credit.notices[0].rows) == 2


@pytest.mark.parametrize("state", ["bounced", "failed", "stopped", "rejected"])
def test_a_notice_that_did_not_arrive_never_advances_the_level(state: str) -> None:
    world = World.of(
        item("A", DUE),
    )
    world.outcome = state
    world.play(at(DUE), at(date(2026, 10, 30)))
    assert {left.step for left in world.left} == {"friendly"}
    assert world.items[named("item", "A")].level() == 0
    releases = world.items[named("item", "A")].marks[0].release
    assert releases == len(world.left) > 2


def test_a_payment_withdraws_the_notice_that_waits_for_approval() -> None:
    waiting = mark(
        "friendly", date(2026, 9, 3), state="proposed", reminder_id=named("r"), printed=50_000, invoice_version=1
    )
    for change, why in (
        ({"residual": 0}, "settled"),
        ({"cancelled": True}, "cancelled"),
        ({"residual": 20_000}, "amended"),
        ({"invoice_version": 2}, "amended"),
        ({"pauses": (pause("dispute"),)}, "disputed"),
        ({}, None),
    ):
        decision = decided(date(2026, 9, 4), replace(item("A", DUE, marks=(waiting,)), **change))  # type: ignore[arg-type]
        assert decision.withdrawn == (((named("r"), why),) if why else ())


def test_a_notice_that_waits_for_a_person_may_leave_until_the_gap_is_over_and_is_withdrawn_then() -> None:
    today = date(2026, 9, 3)
    notice = decided(today, item("A", DUE), approvals="confirm").notices[0]
    assert notice.window_ends_at.date() == PARIS.add_business_days(today, STANDARD.gap_days)
    waiting = mark("friendly", today, state="proposed", reminder_id=named("r"), printed=50_000, invoice_version=1)
    assert decided(date(2026, 9, 10), item("A", DUE, marks=(waiting,))).withdrawn == ()
    assert decided(date(2026, 9, 11), item("A", DUE, marks=(waiting,))).withdrawn == ((named("r"), "expired"),)


def test_a_new_entity_has_everything_confirmed_by_a_person() -> None:
    assert decided(date(2026, 9, 3), item("A", DUE)).notices[0].approval == "none"
    assert decided(date(2026, 9, 3), item("A", DUE), approvals="confirm").notices[0].approval == "confirm"


def test_a_courtesy_starts_no_gap_and_waits_behind_one() -> None:
    coming = item("B", date(2026, 9, 8), 2_000)
    last = Party(named("p"), date(2026, 9, 2))
    assert not decided(date(2026, 9, 3), coming, party=last).notices
    mixed = decided(date(2026, 9, 3), item("A", DUE), coming)
    assert [notice.step.key for notice in mixed.notices] == ["friendly"]


def test_a_reopened_item_starts_at_the_level_reached() -> None:
    back = item("A", DUE, cycle=2, cycle_on=date(2026, 10, 1), marks=(mark("friendly", DUE), mark("firm", DUE)))
    assert [step.key for step in rungs(back, STANDARD)] == ["firm", "final", "formal"]


def test_every_reason_has_a_sentence_in_french_and_english() -> None:
    names = "why until step on wanted covered_to needed since last notices opens most approved what condition"
    facts = dict.fromkeys(names.split(), DUE)
    for code in REASONS:
        french, english = sentence(Reason(code, facts), "fr"), sentence(Reason(code, facts), "en")
        assert french != english
        assert "{" not in french + english
