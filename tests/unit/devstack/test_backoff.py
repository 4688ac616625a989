"""A part that dies is started again soon, and ever later while it keeps dying."""

from libs.common.devstack.supervisor import Watched
from tests.support.stack import free_base


class Part:
    """A part that was never started."""

    process = None

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def known(self) -> None: ...


def _watched() -> Watched:
    part = Part()
    return Watched("some", part, part.start, started=100.0)


def test_each_death_in_a_row_doubles_the_pause_up_to_a_quarter_of_a_minute() -> None:
    watched = _watched()
    assert [watched.bury(101.0) for _ in range(7)] == [0.5, 1, 2, 4, 8, 15, 15]


def test_a_part_that_lived_for_half_a_minute_starts_again_at_once() -> None:
    watched = _watched()
    watched.deaths = 6
    assert watched.bury(131.0) == 0.5
    assert watched.not_before == 131.5


def test_two_stacks_of_one_machine_never_get_the_same_ports() -> None:
    bases = [free_base() for _ in range(20)]
    assert len(set(bases)) == 20
