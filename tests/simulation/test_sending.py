"""Sending once, played: a process may die or freeze at every await, every step over a network may fail.

From the outside: no mail is taken twice, what was taken is on record as sent or uncertain, every mail comes to its end,
and no DATA and no body follow the answer that took a payment.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest

from libs.common import permits
from services.notifier.channels.smtp import Outcome
from services.notifier.dispatch.lane import Lane
from services.notifier.dispatch.logbook import Slot
from services.notifier.dispatch.recording import Recorder
from tests.simulation.history import History, on_this_machine
from tests.simulation.tables import ENDS

SEEDS = 20_000
BLOCKS = 8
ENOUGH = 2_000
"""Histories in which a planted fault has to show."""


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with on_this_machine(monkeypatch):
        yield


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the logbooks are kept: in memory if it can be, since twenty thousand histories keep several each."""
    shared = Path("/dev/shm")
    with TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as found:
        yield Path(found)


def ends(history: History) -> dict[UUID, str]:
    return {delivery: row.state for delivery, row in history.notifier.rows.items()}


def violations(history: History) -> list[str]:
    """What this history broke, told with the number that plays it again."""
    taken = Counter(history.server.taken)
    found = [f"failed: {failure!r}" for failure in history.machine.failures]
    for delivery, state in ends(history).items():
        found += [f"{delivery.int} came to no end: {state}"] if state not in ENDS else []
        found += [f"{delivery.int} was taken twice"] if taken[delivery] > 1 else []
        found += [f"{delivery.int} was taken and is {state}"] if taken[delivery] and state in LOST else []
        found += [f"{delivery.int} is sent and nobody has it"] if state == "sent" and not taken[delivery] else []
    for delivery, at in history.server.heard:
        if at > history.owner.answered.get(delivery, at):
            found.append(f"{delivery.int} left after its payment was taken")
    return [f"seed {history.seed}: {each}" for each in found]


LOST = frozenset({"failed", "stopped"})


def played(seed: int, folder: Path, **how: Any) -> History:
    history = History(seed, folder, **how)
    history.play()
    return history


@pytest.mark.parametrize("block", range(BLOCKS))
def test_twenty_thousand_histories_keep_the_promise(block: int, folder: Path) -> None:
    seeds = range(block * SEEDS // BLOCKS, (block + 1) * SEEDS // BLOCKS)
    assert [broken for seed in seeds for broken in violations(played(seed, folder))] == []


def test_the_histories_come_to_every_kind_of_end(folder: Path) -> None:
    histories = [played(seed, folder) for seed in range(500)]
    assert {state for history in histories for state in ends(history).values()} == ENDS
    assert any(history.owner.answered for history in histories)
    assert any(history.dead for history in histories)


def test_a_history_without_faults_sends_everything_and_leaves_no_doubt(folder: Path) -> None:
    for seed in range(200):
        history = played(seed, folder, rate=0.0, deadly=False)
        assert violations(history) == []
        paid = set(history.owner.answered)
        left = {delivery: state for delivery, state in ends(history).items() if delivery not in paid}
        assert set(left.values()) == {"sent"}, f"seed {seed}"


def test_the_same_seed_plays_the_same_history(folder: Path) -> None:
    first, again = played(7, folder), played(7, folder)
    assert (first.server.heard, ends(first)) == (again.server.heard, ends(again))


async def _at_once(*args: Any) -> None:
    """A stopping command that waits for nobody."""


def _mute(*args: Any) -> None:
    """A slot that is not written."""


async def _hopes(self: Lane, job: Any) -> bool:
    """Goes on although nobody knows whether the row says so."""
    try:
        return await self.sharing.on_wire.add(job)
    except ConnectionError:
        return True


def _forgets(recorder: Recorder, claim: Any, outcome: Outcome, at: Any) -> Any:
    """Silence taken for a no."""
    return _concluded(recorder, claim, Outcome("unsent", "body") if outcome.kind == "unknown" else outcome, at)


_concluded = Recorder._conclusion

PLANTED: dict[str, Callable[[pytest.MonkeyPatch], Any]] = {
    "no permit is looked at again before the body": lambda plant: plant.setattr(permits.Permit, "live", lambda p: True),
    "a stopping command does not wait": lambda plant: plant.setattr(permits, "stopping", _at_once),
    "an unknown commit is taken for one": lambda plant: plant.setattr(Lane, "_on_wire", _hopes),
    "silence is taken for a no": lambda plant: plant.setattr(Recorder, "_conclusion", _forgets),
    "a lane does not say how far it is": lambda plant: [plant.setattr(Slot, n, _mute) for n in ("begin", "dot", "end")],
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_shows(fault: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTED[fault](monkeypatch)
    assert any(violations(played(seed, folder)) for seed in range(ENOUGH))
