"""Bringing a stack up in the background, down again, and saying how it fares."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from libs.common.devstack.errors import AlreadyUp, DidNotStart, StackError
from libs.common.devstack.parts import answers
from libs.common.devstack.processes import did_not_start
from libs.common.devstack.report import Report
from libs.common.settings import Settings

_STOPS_WITHIN = 90.0


def up(settings: Settings, tell: Callable[[str], None], *, infrastructure: bool = False) -> Report:
    """Start a stack and return its report once everything serves. Raises StackError with the reason if it cannot.

    `tell` is called with each thing the supervisor says that it is doing.
    """
    report = Report.read(settings.state)
    if report is not None and report.alive():
        raise AlreadyUp(f"A stack runs on {settings.state} already.")
    return _follow(settings, _launch(settings, infrastructure), tell)


def _launch(settings: Settings, infrastructure: bool) -> subprocess.Popen[bytes]:
    logs = settings.state / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "libs.common.devstack.supervisor", *(["--infrastructure"] if infrastructure else [])]
    with (logs / "supervisor.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own module
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {"RELANCE_STATE": str(settings.state)},
        )


def _follow(settings: Settings, launched: subprocess.Popen[bytes], tell: Callable[[str], None]) -> Report:
    said = ""
    while True:
        ended = launched.poll() is not None
        report = Report.read(settings.state)
        if report is not None and report.supervisor.pid == launched.pid:
            if report.doing != said:
                said = report.doing
                tell(said)
            if report.phase == "running":
                # It runs on by itself: nobody waits for it, and nobody should be warned of that.
                launched.returncode = 0
                return report
        if ended:
            raise _why(report, launched, settings)
        time.sleep(0.05)


def _why(report: Report | None, launched: subprocess.Popen[bytes], settings: Settings) -> StackError:
    if report is not None and report.supervisor.pid == launched.pid and report.failure is not None:
        return DidNotStart(report.failure["detail"], remedy=report.failure["remedy"])
    return did_not_start("The supervisor", settings.state / "logs" / "supervisor.log")


def down(settings: Settings, tell: Callable[[str], None]) -> bool:
    """Stop the stack of this state folder and nothing else; False if none ran.

    Processes are known by pid and start time. If the supervisor was killed, what is left of its parts is stopped too.
    """
    report = Report.read(settings.state)
    if report is None:
        return False
    supervisor = report.supervisor.process()
    left = [process for known in report.parts.values() if (process := known.process())]
    if supervisor is not None:
        tell("stopping " + ", ".join(report.parts))
        _end([supervisor], _STOPS_WITHIN)
    _end(left, 20)
    return supervisor is not None or bool(left)


def _end(processes: list[psutil.Process], within: float) -> None:
    for process in processes:
        if process.is_running():
            process.terminate()
    _, stubborn = psutil.wait_procs(processes, within)
    for process in stubborn:
        process.kill()
    psutil.wait_procs(stubborn, 10)


@dataclass(frozen=True)
class Fare:
    """How one part fares: up or down, ready (None where there is no page to ask), pid, restarts, address."""

    part: str
    up: bool
    ready: bool | None
    pid: int | None
    restarts: int
    address: str


def fares(settings: Settings) -> list[Fare]:
    """Every part of this folder's stack; empty if there never was one."""
    report = Report.read(settings.state)
    if report is None:
        return []
    addresses = _addresses(settings)
    return [_fare(name, report, addresses.get(name, "")) for name in report.restarts]


def _fare(name: str, report: Report, address: str) -> Fare:
    known = report.parts.get(name)
    process = known.process() if known else None
    ready = answers(f"{address}/healthz/ready") if address.startswith("http") else None
    return Fare(name, process is not None, ready, process.pid if process else None, report.restarts[name], address)


def _addresses(settings: Settings) -> dict[str, str]:
    servers = {"postgres": settings.database_url, "kafka": settings.kafka}
    mail = {"mail": f"smtp://{settings.smtp_host}:{settings.smtp_port}"}
    return servers | mail | {name: f"http://127.0.0.1:{port}" for name, port in settings.ports.items()}
