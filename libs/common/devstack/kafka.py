"""Apache Kafka 4.3 as one KRaft node: one folder, one port of the loopback address and the next one for its controller.

The rule it protects: what it acknowledged is there again after a kill and a restart over the same folder.
"""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from libs.common.devstack.errors import DidNotStart
from libs.common.devstack.jars import cache_folder, classpath
from libs.common.devstack.java import java_home
from libs.common.devstack.processes import Known, await_ready, did_not_start, listens, spawn, stop

_CLUSTER = "relance-embedded-stack"
_JVM = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
_LOGGING = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dlog4j2.level=WARN"]
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=1000
group.min.session.timeout.ms=1000
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
"""


@dataclass
class Kafka:
    """One broker over one folder. `start` formats the folder when it is new."""

    folder: Path
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def address(self) -> str:
        """host:port, as Settings.kafka wants it."""
        return f"127.0.0.1:{self.port}"

    @property
    def controller(self) -> int:
        """The port of the controller, the one after the broker's."""
        return self.port + 1

    def start(self, *, within: float = 90) -> None:
        """Return when the broker takes connections. Raises StackError if it does not `within` seconds."""
        self.begin()
        self.await_started(within=within)

    def begin(self) -> None:
        """Start without waiting, so that other parts can start meanwhile."""
        home, path = java_home(), classpath()
        properties = self._configure()
        if not (self.folder / "data" / "meta.properties").exists():
            _format(self.folder / "data", properties, home, path, self.log)
        argv: list[str | Path] = [home / "bin" / "java", *_JVM, *_LOGGING, "-cp", path, "kafka.Kafka", properties]
        self.process = spawn(argv, self.log, env=os.environ | {"JAVA_HOME": str(home)})

    def await_started(self, *, within: float = 90) -> None:
        """Wait for what `begin` started."""
        if self.process is None:
            raise DidNotStart("Apache Kafka was not begun.")
        await_ready("Apache Kafka", self.process, lambda: listens(self.port), within=within, log=self.log)

    def _configure(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "server.properties"
        file.write_text(
            _PROPERTIES.format(port=self.port, controller=self.controller, data=(self.folder / "data").as_posix())
        )
        return file

    def known(self) -> Known | None:
        """The broker's pid and start time while it runs."""
        return Known.of(self.process.pid) if self.process and self.process.poll() is None else None

    def stop(self) -> None:
        """Controlled shutdown: logs are flushed and the folder is marked clean."""
        if self.process is not None:
            stop(self.process, signal.SIGTERM, within=30)

    def kill(self) -> None:
        """End it as a power cut would; for tests of recovery."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def _format(data: Path, properties: Path, home: Path, path: str, log: Path) -> None:
    """Make the folder a new node's. The result depends on the version alone, so it is kept and copied."""
    formatted = cache_folder() / "formatted-4.3.1"
    if not formatted.exists():
        _run_format(data, properties, home, path, log)
        fresh = formatted.with_name(f"formatted-{os.getpid()}-{time.monotonic_ns()}")
        shutil.copytree(data, fresh)
        try:
            fresh.rename(formatted)
        except OSError:  # another run was first
            shutil.rmtree(fresh)
        return
    shutil.copytree(formatted, data, dirs_exist_ok=True)


def _run_format(data: Path, properties: Path, home: Path, path: str, log: Path) -> None:
    what = ["format", "--cluster-id", _CLUSTER, "--config", str(properties), "--ignore-formatted"]
    argv: list[str | Path] = [home / "bin" / "java", *_JVM, *_LOGGING, "-cp", path, "kafka.tools.StorageTool", *what]
    if spawn(argv, log, env=os.environ | {"JAVA_HOME": str(home)}).wait() != 0:
        shutil.rmtree(data, ignore_errors=True)
        raise did_not_start("Apache Kafka", log)
