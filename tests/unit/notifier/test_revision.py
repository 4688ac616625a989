"""What a notice that has not left becomes when its facts change."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from libs.common.money import Money
from services.notifier.ending import OPEN, UNDER_WAY, ending, may_follow, needed
from services.notifier.revision import KnownInvoice, KnownItem, NoticeLine, revise

NOBODY: dict = {}


def line(n, *, residual=1000, tone=2, completes=True, paused=None):
    return NoticeLine(
        occurrence_id=UUID(int=n),
        release=1,
        item_id=UUID(int=100 + n),
        item_version=5,
        invoice_id=UUID(int=200 + n),
        invoice_version=3,
        debtor_id=UUID(int=9),
        number=f"FA-{n}",
        issue_date=date(2026, 8, 1),
        due_date=date(2026, 9, 1) + timedelta(days=n),
        amount=Money(1000, "EUR"),
        residual=Money(residual, "EUR"),
        paused=None if paused is None else Money(paused, "EUR"),
        step_key="s",
        tone=tone,
        completes=completes,
    )


def owing(n, minor, version=6, currency="EUR"):
    return {UUID(int=100 + n): KnownItem(Money(minor, currency), version)}


def revised(*lines, items=NOBODY, invoices=NOBODY, tone=2, **more):
    return revise(lines, items, invoices, tone=tone, anchor=lines[0].item_id, **more)


def test_what_nobody_told_anything_about_stays_as_it_is():
    assert revised(line(1), line(2)) is None
    assert revised(line(1), items=owing(1, 1000)) is None
    assert revised(line(1), items=owing(1, 0, version=5)) is None
    assert revised(line(1), invoices={UUID(int=201): KnownInvoice(3, cancelled=False)}) is None


def test_a_smaller_residual_is_printed():
    found = revised(line(1), items=owing(1, 400))
    assert found.kept[0].residual == Money(400, "EUR") and found.kept[0].item_version == 6
    assert found.dropped == {} and found.anchor_item_id == line(1).item_id


def test_a_settled_an_amended_a_cancelled_and_a_grown_line_are_taken_out_with_their_reasons():
    invoices = {UUID(int=202): KnownInvoice(4, cancelled=False), UUID(int=203): KnownInvoice(4, cancelled=True)}
    items = owing(1, 0) | owing(4, 2000) | owing(5, 500, currency="CHF")
    found = revised(line(1), line(2), line(3), line(4), line(5), line(6), items=items, invoices=invoices)
    assert [each.number for each in found.kept] == ["FA-6"]
    assert list(found.dropped.values()) == ["settled", "amended", "cancelled", "reopened", "amended"]


def test_a_held_item_is_taken_out():
    found = revised(line(1), line(2), held={UUID(int=101)})
    assert found.dropped == {UUID(int=1): "held"} and found.anchor_item_id == UUID(int=102)


def test_without_a_line_of_its_own_tone_a_notice_ends():
    assert revised(line(1, tone=3), line(2, tone=2), items=owing(1, 0), tone=3).anchor_item_id is None
    assert revised(line(1), line(2, completes=False), items=owing(1, 0)).anchor_item_id is None


def test_when_money_on_account_covers_what_is_left_a_notice_ends():
    found = revised(line(1), items=owing(1, 400), deductions=[Money(400, "EUR")])
    assert found.anchor_item_id is None


def test_what_is_left_below_the_paused_part_is_not_asked_for():
    assert revised(line(1, paused=600), items=owing(1, 600)).dropped == {UUID(int=1): "held"}


def test_a_thank_you_is_withdrawn_when_the_item_owes_again():
    settled = line(1, residual=0)
    assert revise([settled], {}, {}, tone=0, anchor=settled.item_id, courtesy=True) is None
    again = revise([settled], owing(1, 300), {}, tone=0, anchor=settled.item_id, courtesy=True)
    assert again.anchor_item_id is None and again.dropped == {UUID(int=1): "reopened"}


AMOUNTS = st.integers(0, 2000)


@given(st.lists(st.tuples(st.integers(1, 1000), AMOUNTS, st.integers(4, 8)), min_size=1, max_size=6))
def test_a_revised_notice_only_ever_shrinks_and_every_release_is_kept_or_dropped(facts):
    lines = [line(n, residual=residual) for n, (residual, _, _) in enumerate(facts, 1)]
    items = {k: v for n, (_, now, version) in enumerate(facts, 1) for k, v in owing(n, now, version).items()}
    found = revise(lines, items, {}, tone=2, anchor=lines[0].item_id)
    if found is None:
        return
    printed = {each.occurrence_id: each for each in lines}
    assert {each.occurrence_id for each in found.kept} | set(found.dropped) == set(printed)
    assert not {each.occurrence_id for each in found.kept} & set(found.dropped)
    for each in found.kept:
        assert each.residual <= printed[each.occurrence_id].residual
        assert replace(each, residual=Money(0, "EUR"), item_version=0) == replace(
            printed[each.occurrence_id], residual=Money(0, "EUR"), item_version=0
        )
    if found.anchor_item_id is not None:
        assert revise(found.kept, items, {}, tone=2, anchor=found.anchor_item_id) is None


STATES = ("proposed", "ready", "on_wire", "sent", "uncertain", "failed", "stopped")


@given(st.lists(st.sampled_from(STATES), min_size=1, max_size=5))
def test_a_notice_ends_when_nothing_is_under_way_and_as_sent_when_one_has_left(states):
    end = ending(states)
    assert (end is None) == any(state in UNDER_WAY for state in states)
    assert end is None or (end == "sent") == ("sent" in states)
    if end == "failed":
        assert "uncertain" not in states and "failed" in states


def test_only_doubt_may_be_followed_by_another_end():
    for state in ("sent", "failed", "stopped", "superseded"):
        assert not any(may_follow(state, end) for end in ("sent", "failed", "stopped", "uncertain"))
    assert may_follow("uncertain", "sent") and may_follow("uncertain", "stopped")
    assert not may_follow("uncertain", "failed")
    assert all(may_follow(state, "sent") for state in OPEN)


def test_a_kind_and_a_new_entity_raise_the_approval_and_never_lower_it():
    assert needed("reminder", "none", "policy") == "none"
    assert needed("reminder", "none", "confirm") == "confirm"
    assert needed("reminder", "four_eyes", "confirm") == "four_eyes"
    assert needed("final_notice", "none", "policy") == "confirm"
    assert needed("formal_notice", "none", "policy") == "four_eyes"
    assert needed("internal_notice", "none", "confirm") == "none"
    assert needed("task_call", "confirm", "confirm") == "none"
