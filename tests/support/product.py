"""The whole product as real processes on a stack of its own: what end-to-end, fault and kill tests run against."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from libs.common.devstack.kafka import Kafka
from libs.common.devstack.mailbox import Mailbox
from libs.common.devstack.parts import Program, environment, make_kafka, make_mail, make_postgres, make_service
from libs.common.devstack.postgres import Postgres
from libs.common.settings import PORTS, Settings
from tests.support.stack import make_topics, migrate, settings_for
from tests.support.waiting import eventually


@dataclass
class Product:
    """Database, broker, mail catcher and services, each started, stopped and killed by name.

    Start it from the main thread: a process ends with the thread that started it.
    """

    settings: Settings
    postgres: Postgres
    kafka: Kafka
    mail: Program
    env: dict[str, str]
    services: dict[str, Program] = field(default_factory=dict)

    @classmethod
    def on(cls, state: Path, base: int, **more: str) -> "Product":
        """A product over this folder and base port; `more` are RELANCE_* variables for every process of it."""
        settings = settings_for(state, base)
        postgres, kafka = make_postgres(settings), make_kafka(settings)
        env = environment(settings, postgres, kafka) | {"RELANCE_BASE_PORT": str(base)} | more
        return cls(settings, postgres, kafka, make_mail(settings, env), env)

    @property
    def mailbox(self) -> Mailbox:
        """The mails that were accepted."""
        return Mailbox(self.settings.state / "mail")

    async def start(self, services: Iterable[str] = PORTS) -> None:
        """Start everything and return when all of it serves."""
        self.kafka.begin()
        self.mail.start()
        self.postgres.start()
        await migrate(self.settings)
        self.kafka.await_started()
        await make_topics(self.settings)
        for name in services:
            self.run(name)
        await self.ready()

    def run(self, name: str, **more: str) -> None:
        """Start one service without waiting, with these variables besides."""
        self.services[name] = make_service(self.settings, name, self.env | more)
        self.services[name].start()

    def kill(self, name: str) -> None:
        """End one service as a power cut would."""
        process = self.services[name].process
        assert process is not None
        process.kill()
        process.wait()

    async def ready(self, timeout: float = 90) -> None:  # noqa: ASYNC109 - the deadline of the condition
        """Wait until the catcher and every service serve."""
        parts = {"mail": self.mail, **self.services}

        def waiting() -> list[str]:
            ended = [name for name, part in parts.items() if part.process is None or part.process.poll() is not None]
            if ended:
                raise RuntimeError(f"{ended} ended; its log says: {self.log(ended[0])}")
            return [name for name, part in parts.items() if not part.ready()]

        await eventually(lambda: not waiting(), timeout)

    def log(self, name: str) -> str:
        """The end of what one part wrote."""
        return (self.settings.state / "logs" / f"{name}.log").read_text(errors="replace")[-3000:]

    def stop(self) -> None:
        """Stop everything: services first, then what they stand on."""
        for service in self.services.values():
            service.ask_to_stop()
        for part in (*self.services.values(), self.mail):
            part.stop()
        self.kafka.stop()
        self.postgres.stop()
