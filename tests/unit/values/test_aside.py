"""What fails alone is put off and counted; the rest is done; too much of it is a bad release."""

from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry, Counter

from libs.common.aside import ASIDE_MOST, Aside, Narrowing


def counter() -> Counter:
    return Counter("relance_bad_total", "Bad ones", registry=CollectorRegistry())


class Work:
    """Does all of a batch, or nothing of it."""

    def __init__(self, *bad: int) -> None:
        self.bad = set(bad)
        self.done: list[int] = []
        self.put_off: list[int] = []

    async def work(self, items: Sequence[int]) -> None:
        if self.bad & set(items):
            raise ValueError(items)
        self.done += items

    async def off(self, item: int) -> None:
        self.put_off.append(item)


async def test_halving_does_everything_but_what_fails_alone() -> None:
    counted, work = counter(), Work(3, 17)
    await Aside(counted).halving(range(40), work.work, work.off)
    assert sorted(work.done) == [n for n in range(40) if n not in (3, 17)]
    assert work.put_off == [3, 17] and counted._value.get() == 2


async def test_what_passes_by_itself_is_nobodys_fault() -> None:
    async def away(_: Sequence[int]) -> None:
        raise ConnectionError("the database is away")

    work = Work()
    with pytest.raises(ConnectionError):
        await Aside(counter()).halving([1, 2], away, work.off)
    assert work.put_off == []


async def test_so_many_that_fail_alone_are_a_bad_release() -> None:
    counted, work = counter(), Work(*range(100))
    with pytest.raises(ValueError, match="20"):
        await Aside(counted).halving(range(100), work.work, work.off)
    assert len(work.put_off) == counted._value.get() == ASIDE_MOST


def test_batches_narrow_to_the_one_that_fails_and_widen_again() -> None:
    size, error = Narrowing(25, Aside(counter())), ValueError()
    assert [size.alone(error, in_hand) for in_hand in (25, 12, 6, 3)] == [False] * 4
    assert size.most == 1 and size.alone(error, 1)
    size.set_aside(1)
    for most in (2, 4, 8, 16, 25, 25):
        size.widen()
        assert size.most == most


def test_one_that_is_alone_in_hand_is_not_looked_for_again() -> None:
    assert Narrowing(200, Aside(counter())).alone(ValueError(), 1)


def test_what_fails_with_nothing_in_hand_is_no_rows_fault() -> None:
    with pytest.raises(ValueError, match="claim"):
        Narrowing(200, Aside(counter())).alone(ValueError("claim"), 0)


def test_narrowing_ends_with_so_many_set_aside() -> None:
    size = Narrowing(1, Aside(counter()))
    for _ in range(ASIDE_MOST):
        assert size.alone(ValueError(), 1)
        size.set_aside(1)
    with pytest.raises(ValueError):
        size.alone(ValueError(), 1)
