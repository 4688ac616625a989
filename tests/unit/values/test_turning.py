"""A loop goes on while there is work, rests when there is none, and ends for nothing that passes by itself."""

import asyncio

import pytest

from libs.common.runtime import Pulse
from libs.common.turning import turning
from tests.support import eventually


class Turns:
    """Answers, or raises, one after another; then the process stops."""

    def __init__(self, *answers: float | Exception) -> None:
        self.answers = list(answers)
        self.pulse = Pulse()

    async def turn(self) -> float:
        answer = self.answers.pop(0)
        if not self.answers:
            self.pulse.stopping.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_it_turns_until_the_process_stops_and_rests_when_there_is_nothing() -> None:
    turns = Turns(0.0, 0.0, 0.001, 0.0)
    await turning(turns.pulse, "test", turns.turn)
    assert turns.answers == [] and turns.pulse.rests == 1


async def test_what_passes_by_itself_is_waited_out() -> None:
    turns = Turns(0.0, ConnectionError("away"), ConnectionError("away"), 0.0)
    await turning(turns.pulse, "test", turns.turn)
    assert turns.answers == [] and turns.pulse.rests == 2


async def test_a_loop_that_waits_a_fault_out_is_at_work_until_it_has_passed() -> None:
    held: list[int] = []
    turns = Turns(ConnectionError("away"), ConnectionError("away"), 0.0, 0.0)

    async def turn() -> float:
        held.append(turns.pulse.held)
        return await turns.turn()

    await turning(turns.pulse, "test", turn)
    assert held == [0, 1, 1, 0]


async def test_everything_else_ends_it() -> None:
    turns = Turns(0.0, ValueError("a mistake of ours"), 0.0)
    with pytest.raises(ValueError, match="ours"):
        await turning(turns.pulse, "test", turns.turn)


async def test_a_nudge_ends_the_rest() -> None:
    turns = Turns(3600.0, 0.0)
    loop = asyncio.create_task(turning(turns.pulse, "test", turns.turn))
    assert await eventually(lambda: turns.pulse.resting)
    turns.pulse.nudge()
    await asyncio.wait_for(loop, 5)
