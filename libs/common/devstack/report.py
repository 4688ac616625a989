"""What a running stack says about itself: one JSON file in the state folder, written by the supervisor alone.

The lock beside it is held as long as the supervisor lives, so that one folder never has two stacks.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from libs.common.devstack.errors import AlreadyUp
from libs.common.devstack.processes import Known

Phase = Literal["starting", "running", "stopping", "failed", "stopped"]


@dataclass
class Report:
    """The phase, what is being done, the supervisor and each part with its pid and start time, and how often each
    part had to be restarted."""

    phase: Phase
    doing: str
    supervisor: Known
    base_port: int
    parts: dict[str, Known] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    failure: dict[str, str] | None = None

    def write(self, state: Path) -> None:
        """Replace the file whole: a reader sees one report or the other."""
        fresh = state / "stack.new"
        fresh.write_text(json.dumps(asdict(self), indent=1))
        fresh.replace(state / "stack.json")

    @classmethod
    def read(cls, state: Path) -> "Report | None":
        """The last report of this folder, None if there never was one."""
        try:
            found = json.loads((state / "stack.json").read_text())
        except FileNotFoundError:
            return None
        found["supervisor"] = Known(**found["supervisor"])
        found["parts"] = {name: Known(**part) for name, part in found["parts"].items()}
        return cls(**found)

    def alive(self) -> bool:
        """Whether the supervisor that wrote this still runs."""
        return self.supervisor.process() is not None


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold the folder. Raises AlreadyUp when another supervisor holds it."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "stack.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyUp(f"A stack runs on {state} already.") from None
        lock.write(str(os.getpid()))
        lock.flush()
        yield
