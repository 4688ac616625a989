"""Starting, knowing and stopping processes by pid and start time, so that a reused pid is never signalled."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import psutil

from libs.common.devstack.errors import DidNotStart, DiskFull, PortTaken

_TETHER = Path(__file__).with_name("tether.py")
_LOG_KEPT = 20_000_000
_ROOM_NEEDED = 300_000_000


@dataclass(frozen=True)
class Known:
    """A process that can be found again: its pid and when it started, in seconds since 1970."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "Known":
        return cls(pid, psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """The process if it still runs, else None; another one that got its pid is not it."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.started) < 5 and found.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return found if same else None


@dataclass(frozen=True)
class User:
    """The unprivileged account that a process drops to."""

    name: str
    uid: int
    gid: int


def spawn(
    argv: Sequence[str | Path],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    user: User | None = None,
    death: signal.Signals = signal.SIGTERM,
    niceness: int = 0,
) -> subprocess.Popen[bytes]:
    """Start a program with its output in `log`; it gets `death` when the thread that called this ends.

    Call it from a thread that lives as long as the program should. The program has a process group of its own, so that
    a terminal's Ctrl-C is not for it, in our session, so that `niceness` weighs among the programs of one stack.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LOG_KEPT:
        log.replace(log.with_suffix(".old"))
    who = (str(user.uid), str(user.gid)) if user else ("-", "-")
    wrapped = [sys.executable, "-I", "-S", _TETHER, str(int(death)), str(niceness), *who, *argv]
    with log.open("ab") as out:
        return subprocess.Popen(  # noqa: S603 - the stack's own programs
            [str(part) for part in wrapped],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(os.environ if env is None else env),
            process_group=0,
        )


def stop(process: subprocess.Popen[bytes], by: signal.Signals, *, within: float) -> None:
    """Ask with a signal, wait, and kill what has not gone `within` seconds. Returns when it is gone."""
    if process.poll() is not None:
        return
    process.send_signal(by)
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def await_ready(
    name: str, process: subprocess.Popen[bytes], ready: Callable[[], bool], *, within: float, log: Path
) -> None:
    """Wait until `ready()`. Raises DidNotStart with the end of the log if the process ends or the time is over."""
    end = time.monotonic() + within
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            raise did_not_start(name, log)
        time.sleep(0.03)


def did_not_start(name: str, log: Path) -> DidNotStart:
    """The error for a part that failed, with the last line of its log."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    ours = (line.removeprefix("relance: ") for line in reversed(lines) if line.startswith("relance: "))
    others = (line.strip() for line in reversed(lines) if line.strip())
    return DidNotStart(
        f"{name} did not start: {next(chain(ours, others), 'it said nothing')}", remedy=f"Its log is {log}."
    )


def listens(port: int) -> bool:
    """Whether something accepts connections on this port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def check_free(ports: Mapping[str, int]) -> None:
    """Raise PortTaken naming every port that cannot be bound and what wanted it."""
    taken = [f"{port} ({name})" for name, port in ports.items() if not _bindable(port)]
    if taken:
        raise PortTaken(f"In use by another program: port {', '.join(taken)}.")


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def check_room(folder: Path, needed: int = _ROOM_NEEDED) -> None:
    """Raise DiskFull when the folder's disk has fewer than `needed` bytes left."""
    there = next(part for part in (folder, *folder.parents) if part.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise DiskFull(f"{there} has {free // 1_000_000} MB left; the stack needs {needed // 1_000_000} MB.")
