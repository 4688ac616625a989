"""The whole stack as real processes: supervisor, PostgreSQL, Kafka, mail catcher, five services, on ports of their own.

Started once per test process and only when a test asks for it. Crash points are armed by files while it runs.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from libs.common.devstack.control import down, up
from libs.common.devstack.mailbox import Mailbox
from libs.common.devstack.report import Report
from libs.common.settings import Settings
from tests.support.stack import free_base, settings_for

LEVEL = '"level":"info"'
COMPLAINTS = 5
"""Lines of one log that a failed test shows."""


class Living:
    """A stack that runs, and the means to hurt it."""

    def __init__(self, settings: Settings, crashes: Path) -> None:
        self.settings = settings
        self.crashes = crashes
        self.mailbox = Mailbox(settings.state / "mail")

    def arm(self, point: str) -> None:
        """The next process that passes this point dies there."""
        (self.crashes / point).touch()

    def fired(self, point: str) -> bool:
        return not (self.crashes / point).exists()

    def report(self) -> Report:
        found = Report.read(self.settings.state)
        assert found is not None
        return found

    def kill(self, part: str) -> None:
        """SIGKILL one part: a service, kafka or postgres. The supervisor starts it again."""
        process = self.process(part)
        left = process.children(recursive=True) if part == "postgres" else []
        process.kill()
        for each in left:
            # Backends end by themselves once their postmaster is gone.
            with suppress(psutil.NoSuchProcess):
                each.kill()

    def process(self, part: str) -> psutil.Process:
        process = self.report().parts[part].process()
        assert process is not None, f"{part} does not run"
        return process

    def complaints(self) -> str:
        """The last lines of each service's log that are no plain information."""
        told = []
        for file in sorted((self.settings.state / "logs").glob("*.log")):
            lines = [line for line in file.read_text().splitlines() if '"level":"' in line and LEVEL not in line]
            told += [f"{file.stem}: {line[:2_000]}" for line in lines[-COMPLAINTS:]]
        return "\n".join(told)

    def unexpected(self) -> list[str]:
        """What the services logged with the trace of an error that they had no answer to."""
        found = []
        for file in sorted((self.settings.state / "logs").glob("*.log")):
            lines = file.read_text(errors="replace").splitlines()
            found += [f"{file.stem}: {line[:2_000]}" for line in lines if '"exception":"' in line]
        return found

    def restarts(self, part: str) -> int:
        return self.report().restarts[part]


@contextmanager
def living(tell: Callable[[str], None] = lambda _: None, **environment: str) -> Iterator[Living]:
    """A stack that is down and gone afterwards; its logs stay in /tmp if `RELANCE_KEEP_LOGS` is set."""
    state = Path(tempfile.mkdtemp(prefix="relance-living-"))
    crashes = state / "crashes"
    crashes.mkdir()
    base = free_base()
    added = {"RELANCE_BASE_PORT": str(base), "RELANCE_CRASH_AT": str(crashes), **environment}
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    settings = settings_for(state, base)
    try:
        up(settings, tell)
        yield Living(settings, crashes)
    finally:
        down(settings, tell)
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
        if not os.environ.get("RELANCE_KEEP_LOGS"):
            shutil.rmtree(state, ignore_errors=True)
