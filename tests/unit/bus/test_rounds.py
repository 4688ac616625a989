"""A batch is cut in rounds: nothing lost, one type a list, every subject once, every key in order."""

from dataclasses import dataclass
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from libs.common.consumer.rounds import runs


@dataclass(frozen=True)
class Told:
    """An event as cutting sees it."""

    type: str
    key: str
    subject: UUID
    nth: int


@st.composite
def batches(draw: st.DrawFn) -> list[Told]:
    parts = st.tuples(st.sampled_from("ABC"), st.sampled_from("klmno"), st.integers(0, 9))
    return [Told(type_, key, UUID(int=subject), n) for n, (type_, key, subject) in enumerate(draw(st.lists(parts)))]


@given(batches())
def test_every_event_is_handed_over_exactly_once(events: list[Told]) -> None:
    assert sorted(e.nth for some in runs(events) for e in some) == list(range(len(events)))


@given(batches())
def test_a_list_is_of_one_type_and_names_every_subject_at_most_once(events: list[Told]) -> None:
    for some in runs(events):
        assert len({e.type for e in some}) == 1
        assert len({e.subject for e in some}) == len(some)


@given(batches())
def test_the_order_of_every_key_is_kept_across_the_lists(events: list[Told]) -> None:
    handed = [e for some in runs(events) for e in some]
    for key in {e.key for e in events}:
        order = [e.nth for e in handed if e.key == key]
        assert order == sorted(order)


@given(batches())
def test_two_events_of_one_subject_and_key_are_never_in_the_same_list_nor_swapped(events: list[Told]) -> None:
    place = {e.nth: n for n, some in enumerate(runs(events)) for e in some}
    last: dict[tuple[str, UUID], Told] = {}
    for event in events:
        before = last.get((event.key, event.subject))
        if before is not None:
            assert place[before.nth] < place[event.nth] or (before.type != event.type)
            assert place[before.nth] <= place[event.nth]
        last[event.key, event.subject] = event


def test_events_of_one_type_and_many_keys_make_one_list() -> None:
    assert len(runs([Told("A", str(n), UUID(int=n), n) for n in range(500)])) == 1


def test_no_events_make_no_lists() -> None:
    assert runs([]) == []
