"""One history: mails that wait, processes that send them and die or freeze at any step, and payments meanwhile."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from libs.common import permits, retry
from libs.common.aside import Aside
from libs.common.metrics import NOTICES_SET_ASIDE
from libs.common.runtime import Pulse
from services.notifier.dispatch import lane, logbook, loop, recording
from services.notifier.dispatch.logbook import Logbook
from services.notifier.dispatch.loop import Dispatcher
from services.notifier.dispatch.recording import Recorder, Waits
from tests.simulation import tables
from tests.simulation.machine import Machine, Process
from tests.simulation.office import Asker, Faults, Freezer, MailServer, Owner, notifier_tables
from tests.simulation.tables import ENDS, Row

STEPS = 400
"""Callbacks after which everything is healed."""
END = 20_000
"""Callbacks after which a history that has not come to its end is a failure."""
WAITS = Waits(refused=(5.0,), unsent=(2.0,))
REST = 4.0
_WATCHED: list[Machine] = []


def _dice() -> Random:
    return _WATCHED[-1].dice


class Silent:
    """Twenty thousand histories have nothing to tell."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **facts: None


@contextmanager
def on_this_machine(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """The real dispatcher, lanes and recorder, on played tables and the clock of the machine that is playing."""

    def now() -> float:
        return _WATCHED[-1].now

    with patch.context() as playing:
        for module in (loop, lane, recording, logbook):
            playing.setattr(module, "log", Silent())
        for module, names in ((loop, ("deliveries", "doubts", "superseding")), (recording, _RECORDING)):
            for name in names:
                playing.setattr(module, name, tables)
        playing.setattr(recording, "DELIVERIES_UNCERTAIN", SimpleNamespace(set=lambda value: None))
        playing.setattr(loop, "time", SimpleNamespace(monotonic=now))
        playing.setattr(loop, "REST", REST)
        playing.setattr(loop, "Logbook", SimpleNamespace(open=_kept))
        playing.setattr(permits, "boottime", now)
        playing.setattr(retry, "random", SimpleNamespace(random=lambda: _dice().random()))
        playing.setattr(os, "urandom", lambda count: _dice().randbytes(count))
        playing.setattr(permits, "GRANTERS", ("payment_matching",))
        yield


_RECORDING = ("deliveries", "doubts", "superseding")


class Clock:
    """The business clock of a machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.machine.now, UTC)


def _kept(folder: Path, lanes: int) -> Logbook:
    """A logbook of the process that runs now, which loses it when it dies."""
    process = asyncio.get_running_loop()
    assert isinstance(process, Process)
    process.book = Logbook.open(folder, lanes)
    return process.book


@dataclass
class History:
    """Plays one seed to its end; `folder` takes the logbooks. `rate` is how likely any single thing fails."""

    seed: int
    folder: Path
    rate: float = 0.06
    deadly: bool = True
    """Processes are killed and frozen."""
    senders: list[Process] = field(default_factory=list)
    dead: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machine = Machine(self.seed)
        _WATCHED[:] = [self.machine]
        dice = self.machine.dice
        self.faults = Faults(self.machine, self.rate)
        self.mails = [UUID(int=number) for number in range(2, 4)]
        rows = [Row(one, self.machine.now + dice.random() * 3) for one in self.mails]
        self.notifier = notifier_tables(self.faults, rows)
        self.owner, self.server = Owner(self.faults), MailServer(self.faults)
        self.strikes = self._strikes() if self.deadly else []

    def _strikes(self) -> list[tuple[int, str]]:
        dice = self.machine.dice
        kinds = dice.choices(("kill", "freeze", "blackout"), (5, 2, 1), k=dice.randrange(1, 4))
        return sorted((dice.randrange(STEPS), kind) for kind in kinds)

    def play(self) -> None:
        """To the end of every mail, then of every process."""
        for _ in range(self.machine.dice.choice((1, 2))):
            self.open()
        bank = self.machine.process()
        if self.machine.dice.random() < 0.8:
            bank.start(self.owner.pay(self.mails[0], self.machine.dice.random() * 5))
        machine = self.machine
        while machine.steps < END and not self._over():
            if machine.steps >= STEPS:
                self.faults.heal()
            while self.strikes and self.strikes[0][0] <= machine.steps:
                self.strike(self.strikes.pop(0)[1])
            if not machine.turn():
                break
        for each in list(self.senders):
            self.kill(each)
        self._bury()

    def _over(self) -> bool:
        return not self.strikes and self.senders != [] and all(row.state in ENDS for row in self.notifier.rows.values())

    def open(self) -> None:
        """Start a notifier process."""
        process, clock = self.machine.process(), Clock(self.machine)
        database: Any = self.notifier
        asker: Any = Asker(self.owner)
        freezer: Any = Freezer()
        recorder = Recorder(database, clock, asker, WAITS, Aside(NOTICES_SET_ASIDE))
        dispatcher = Dispatcher(database, freezer, recorder, open_wire=self.server.wire, logbooks=self.folder, lanes=1)
        process.start(dispatcher.run(Pulse()))
        self.senders.append(process)

    def strike(self, kind: str) -> None:
        """Kill a process and start another, freeze one for a while, or lose the machine with its memory."""
        dice = self.machine.dice
        if kind == "freeze":
            dice.choice(self.senders).frozen_until = self.machine.now + dice.choice((0.5, 4.0, 90.0))
            return
        victims = list(self.senders) if kind == "blackout" else [dice.choice(self.senders)]
        for each in victims:
            self.kill(each)
        if kind == "blackout":
            for file in self.folder.iterdir():
                file.unlink()
        for _ in victims:
            self.open()

    def kill(self, sender: Process) -> None:
        """Nothing of it runs again, and the kernel lets go of its lock."""
        self.machine.kill(sender)
        self.senders.remove(sender)
        self.dead.append(sender)
        if sender.book is not None:
            sender.book._memory.close()
            if sender.book._lock is not None:
                os.close(sender.book._lock)

    def _bury(self) -> None:
        for process in [*self.dead, *self.machine.processes]:
            process.alive = False
            process.bury()
        for file in self.folder.iterdir():
            file.unlink()
