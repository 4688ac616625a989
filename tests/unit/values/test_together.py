"""The shared commit: what arrives meanwhile shares the next one, and a bad one fails alone."""

import asyncio
from collections.abc import Sequence

import pytest

from libs.common.together import Together


class Commits:
    """Commits that take as long as the test lets them."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = asyncio.Event()
        self.entered = asyncio.Event()

    async def settle(self, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        self.entered.set()
        await self.gate.wait()
        if 13 in items:
            raise ValueError(13)
        return [item * 10 for item in items]


async def test_what_arrives_while_a_commit_is_under_way_shares_the_next_one() -> None:
    commits = Commits()
    together: Together[int, int] = Together(commits.settle)
    first = asyncio.create_task(together.add(1))
    await commits.entered.wait()
    others = [asyncio.create_task(together.add(n)) for n in (2, 3, 4)]
    await asyncio.sleep(0)
    commits.gate.set()
    assert await asyncio.gather(first, *others) == [10, 20, 30, 40]
    assert commits.groups == [[1], [2, 3, 4]]


async def test_a_bad_one_fails_alone() -> None:
    commits = Commits()
    commits.gate.set()
    together: Together[int, int] = Together(commits.settle)
    answers = await asyncio.gather(*(together.add(n) for n in (1, 13, 2)), return_exceptions=True)
    assert [answers[0], answers[2]] == [10, 20]
    assert isinstance(answers[1], ValueError)


async def test_a_caller_that_left_disturbs_nobody() -> None:
    commits = Commits()
    together: Together[int, int] = Together(commits.settle)
    gone, stays = asyncio.create_task(together.add(1)), asyncio.create_task(together.add(2))
    await commits.entered.wait()
    gone.cancel()
    commits.gate.set()
    assert await stays == 20
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_it_starts_again_after_it_came_to_rest() -> None:
    commits = Commits()
    commits.gate.set()
    together: Together[int, int] = Together(commits.settle)
    assert [await together.add(n) for n in (1, 2)] == [10, 20]


async def test_what_passes_by_itself_fails_the_group_and_is_not_tried_one_by_one() -> None:
    tries = []

    async def away(items: Sequence[int]) -> list[int]:
        tries.append(items)
        raise ConnectionError("the database is away")

    together: Together[int, int] = Together(away)
    answers = await asyncio.gather(*(together.add(n) for n in range(5)), return_exceptions=True)
    assert len(tries) == 1 and all(isinstance(each, ConnectionError) for each in answers)
