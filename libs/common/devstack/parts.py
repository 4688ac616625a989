"""The parts of a stack: PostgreSQL, Kafka, the mail catcher and the five services, each a child process."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from libs.common.devstack.kafka import Kafka
from libs.common.devstack.postgres import Postgres
from libs.common.devstack.processes import Known, listens, spawn, stop
from libs.common.settings import Settings

NICENESS = {"payment_matching": 2, "scheduler": 2, "notifier": 10, "console": 5}
"""What comes in, goes before what is made of it: on a busy machine the doors for invoices and money answer first."""


class Part(Protocol):
    """Something that runs as one child process."""

    process: subprocess.Popen[bytes] | None

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def known(self) -> Known | None: ...


@dataclass
class Program:
    """One `relance` command that runs until it is stopped."""

    arguments: Sequence[str]
    log: Path
    env: Mapping[str, str]
    ready_url: str | None = None
    port: int | None = None
    niceness: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it and return at once; `ready` says when it serves."""
        argv = [sys.executable, "-m", "libs.common.cli", *self.arguments]
        self.process = spawn(argv, self.log, env=self.env, niceness=self.niceness)

    def ready(self) -> bool:
        """Whether it serves: its readiness page answers 200, or its port takes connections."""
        if self.ready_url is not None:
            return answers(self.ready_url)
        return self.port is None or listens(self.port)

    def ask_to_stop(self) -> None:
        """SIGTERM without waiting, so that several can drain at once."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def stop(self) -> None:
        """Let it drain; a service finishes its answers and batches within 45 s."""
        if self.process is not None:
            stop(self.process, signal.SIGTERM, within=50)

    def known(self) -> Known | None:
        """Its pid and start time while it runs."""
        return Known.of(self.process.pid) if self.process and self.process.poll() is None else None


def answers(url: str) -> bool:
    """Whether a GET of this address of ours answers 200 within 2 s."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own loopback address
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def environment(settings: Settings, postgres: Postgres, kafka: Kafka) -> dict[str, str]:
    """What every program of the stack is told: this environment, with the embedded servers' addresses."""
    return os.environ | {
        "RELANCE_STATE": str(settings.state),
        "RELANCE_DATABASE_URL": postgres.address,
        "RELANCE_KAFKA": kafka.address,
        "PYTHONUNBUFFERED": "1",
    }


def make_postgres(settings: Settings) -> Postgres:
    """The embedded database of this state folder."""
    port = urlsplit(settings.database_url).port or 5432
    return Postgres(settings.state / "postgres", port, settings.state / "logs" / "postgres.log")


def make_kafka(settings: Settings) -> Kafka:
    """The embedded broker of this state folder."""
    port = int(settings.kafka.rpartition(":")[2])
    return Kafka(settings.state / "kafka", port, settings.state / "logs" / "kafka.log")


def make_mail(settings: Settings, env: Mapping[str, str]) -> Program:
    """The mail catcher."""
    return Program(("mail", "serve"), settings.state / "logs" / "mail.log", env, port=settings.smtp_port)


def make_service(settings: Settings, name: str, env: Mapping[str, str]) -> Program:
    """One of the five services, doors and loops together."""
    url = f"http://127.0.0.1:{settings.ports[name]}/healthz/ready"
    log = settings.state / "logs" / f"{name}.log"
    return Program((name,), log, env, ready_url=url, niceness=NICENESS.get(name, 0))
