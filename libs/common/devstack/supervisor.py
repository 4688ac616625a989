"""Keeps a stack: starts its parts in order, restarts one that ends, and stops them all when told.

The rule it protects: whatever way the supervisor ends, its parts end with it, and it never touches another process.
Runs as `python -m libs.common.devstack.supervisor`; `relance up` starts it in the background and reads its report.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from libs.common.devstack.errors import StackError
from libs.common.devstack.jars import classpath
from libs.common.devstack.parts import (
    Part,
    Program,
    environment,
    make_kafka,
    make_mail,
    make_postgres,
    make_service,
)
from libs.common.devstack.processes import Known, check_free, check_room, did_not_start
from libs.common.devstack.report import Phase, Report, only_one
from libs.common.errors import RelanceError
from libs.common.settings import PORTS, Settings

_TURN = 0.2
_READY_WITHIN = 180.0
_LONGEST_PAUSE = 15.0
_FORGIVEN_AFTER = 30.0


@dataclass
class Watched:
    """A part, how to start it again, its deaths in a row, when it last started and when it may start again."""

    name: str
    part: Part
    again: Callable[[], None]
    deaths: int = 0
    started: float = 0.0
    not_before: float = 0.0

    def ended(self) -> bool:
        return self.part.process is None or self.part.process.poll() is not None

    def bury(self, now: float) -> float:
        """Note a death and return the seconds of pause before the next start: 0.5 doubling to 15."""
        self.deaths = 1 if now - self.started > _FORGIVEN_AFTER else self.deaths + 1
        pause = float(min(_LONGEST_PAUSE, 0.5 * 2 ** (self.deaths - 1)))
        self.not_before = now + pause
        return pause


class Supervisor:
    """One stack over one state folder."""

    def __init__(self, settings: Settings, services: Iterable[str] = PORTS) -> None:
        self.settings = settings
        self.postgres = make_postgres(settings)
        self.kafka = make_kafka(settings)
        self.env = environment(settings, self.postgres, self.kafka)
        self.mail = make_mail(settings, self.env)
        self.services = {name: make_service(settings, name, self.env) for name in services}
        base = settings.ports["console"]
        self.report = Report("starting", "looking around", Known.of(os.getpid()), base)
        self.watched: dict[str, Watched] = {}
        self.stopping = False

    def run(self) -> None:
        """Start everything, keep it until SIGTERM or SIGINT, stop everything. Raises StackError if it cannot start."""
        with only_one(self.settings.state):
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, self._told_to_stop)
            try:
                self._start()
                self._keep()
            except RelanceError as error:
                self.report.failure = {"detail": error.detail, "remedy": error.remedy_text}
                raise
            finally:
                self._stop()

    def _told_to_stop(self, *_: object) -> None:
        self.stopping = True

    def _say(self, phase: Phase, doing: str) -> None:
        self.report.phase, self.report.doing = phase, doing
        self.report.parts = {name: known for name, watched in self.watched.items() if (known := watched.part.known())}
        self.report.write(self.settings.state)
        sys.stdout.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {phase}: {doing}\n")
        sys.stdout.flush()

    def _start(self) -> None:
        self._say("starting", "checking ports and room")
        check_free(self._ports())
        check_room(self.settings.state)
        self._say("starting", "PostgreSQL, and the jars of Apache Kafka")
        with ThreadPoolExecutor(1) as pool:
            jars = pool.submit(classpath)
            self._begin("postgres", self.postgres)
            migrating = self._once("migrate", admin=True)
            jars.result()
        self._say("starting", "Apache Kafka and the tables of the services")
        self.kafka.begin()
        self._watch("kafka", self.kafka, self.kafka.begin)
        self._begin("mail", self.mail)
        self._done("migrate", migrating)
        self.kafka.await_started()
        self._done("topics", self._once("topics"))
        self._say("starting", "the services" if self.services else "nothing more")
        for name, service in self.services.items():
            self._begin(name, service)
        self._await_ready()

    def _ports(self) -> dict[str, int]:
        fixed = {
            "PostgreSQL": self.postgres.port,
            "Kafka": self.kafka.port,
            "Kafka's controller": self.kafka.controller,
        }
        return fixed | {"mail": self.settings.smtp_port} | {name: self.settings.ports[name] for name in self.services}

    def _begin(self, name: str, part: Part) -> None:
        part.start()
        self._watch(name, part, part.start)

    def _watch(self, name: str, part: Part, again: Callable[[], None]) -> None:
        self.watched[name] = Watched(name, part, again, started=time.monotonic())
        self.report.restarts[name] = 0

    def _once(self, command: str, *, admin: bool = False) -> Program:
        more = {"RELANCE_ADMIN_URL": self.postgres.admin_url} if admin else {}
        program = Program((command,), self.settings.state / "logs" / f"{command}.log", self.env | more)
        program.start()
        return program

    def _done(self, name: str, program: Program) -> None:
        if program.process is not None and program.process.wait() != 0:
            raise did_not_start(f"`relance {name}`", program.log)

    def _await_ready(self) -> None:
        """Wait for every part to serve. One that ends three times in a row, or 180 s in all, ends the start."""
        end = time.monotonic() + _READY_WITHIN
        waiting = [name for name, program in self._programs() if not program.ready()]
        while waiting and not self.stopping:
            doing = "waiting for " + ", ".join(waiting)
            if doing != self.report.doing:
                self._say("starting", doing)
            self._look_after()
            for name, program in self._programs():
                if self.watched[name].deaths >= 3 or time.monotonic() > end:
                    raise did_not_start(name, program.log)
            time.sleep(_TURN)
            waiting = [name for name, program in self._programs() if not program.ready()]

    def _programs(self) -> list[tuple[str, Program]]:
        return [("mail", self.mail), *self.services.items()]

    def _keep(self) -> None:
        if not self.stopping:
            self._say("running", "everything serves")
        while not self.stopping:
            self._look_after()
            time.sleep(_TURN)

    def _look_after(self) -> None:
        now = time.monotonic()
        for watched in self.watched.values():
            if not watched.ended():
                continue
            if watched.not_before <= watched.started:
                pause = watched.bury(now)
                self._say(self.report.phase, f"{watched.name} ended; it starts again in {pause:g} s")
            elif now >= watched.not_before:
                self._restart(watched)

    def _restart(self, watched: Watched) -> None:
        watched.started = time.monotonic()
        self.report.restarts[watched.name] += 1
        try:
            watched.again()
        except StackError as error:
            self._say(self.report.phase, f"{watched.name}: {error.detail}")
            return
        self._say(self.report.phase, f"{watched.name} started again")

    def _stop(self) -> None:
        self._say("stopping", "the services drain")
        for service in self.services.values():
            service.ask_to_stop()
        parts: list[Part] = [*self.services.values(), self.mail, self.kafka, self.postgres]
        for part in parts:
            part.stop()
        failed = self.report.failure is not None
        self._say(
            "failed" if failed else "stopped", self.report.failure["detail"] if self.report.failure else "all is down"
        )


def main(argv: list[str]) -> int:
    """Run a supervisor; `--infrastructure` leaves the services to be run by hand."""
    services: Iterable[str] = () if "--infrastructure" in argv else PORTS
    try:
        Supervisor(Settings.from_env(), services).run()
    except RelanceError as error:
        sys.stdout.write(f"{error.detail} {error.remedy_text}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
