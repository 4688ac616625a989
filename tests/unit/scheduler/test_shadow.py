"""Shadow beside what really left: every reminder of either side is in exactly one place."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from libs.common.ids import named
from services.scheduler.shadowing import Said, compare, counts

DAY = date(2026, 9, 1)


def said(item: str, day: int, tone: int) -> Said:
    return Said(named(item), item, DAY + timedelta(days=day), tone)


def test_reminders_of_one_item_are_paired_by_the_nearest_day() -> None:
    found = compare([said("F1", 2, 2), said("F1", 10, 3)], [said("F1", 4, 2), said("F1", 11, 2)], 3)
    assert [(each.found, each.days_later) for each in found] == [("same", -2), ("harder", -1)]


def test_what_only_one_side_said_stands_alone() -> None:
    found = compare([said("F1", 2, 2), said("F2", 2, 3)], [said("F1", 9, 2), said("F2", 2, 4)], 3)
    assert [(each.number, each.found) for each in found] == [
        ("F1", "ours_only"), ("F2", "softer"), ("F1", "theirs_only")
    ]  # fmt: skip
    assert counts(found) == {"same": 0, "softer": 1, "harder": 0, "ours_only": 1, "theirs_only": 1}


REMINDERS = st.lists(
    st.builds(said, st.sampled_from(["F1", "F2", "F3"]), st.integers(0, 40), st.integers(1, 5)), max_size=12
)


@given(REMINDERS, REMINDERS, st.integers(0, 10))
def test_nothing_is_lost_and_nothing_is_paired_twice(ours: list[Said], theirs: list[Said], within: int) -> None:
    found = compare(ours, theirs, within)
    key = repr
    assert sorted((each.ours for each in found if each.ours), key=key) == sorted(ours, key=key)
    assert sorted((each.theirs for each in found if each.theirs), key=key) == sorted(theirs, key=key)
    assert all(abs(each.days_later) <= within for each in found if each.days_later is not None)
