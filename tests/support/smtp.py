"""A mail server of our own: small, fast, and able to fail at every point of the conversation.

Its journal is the only witness of what really arrived. Instants are CLOCK_BOOTTIME, the clock of the send permits.
Run it in the test's loop (`MailSink.start`) or as a process: `python -m tests.support.smtp PORT [JOURNAL.jsonl]`.
"""

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Literal, cast

Fault = Literal[
    "421_rcpt",
    "450_rcpt",
    "451_rcpt",
    "550_rcpt",
    "cut_rcpt",
    "451_data",
    "cut_data",
    "cut_before_dot",
    "552_dot",
    "451_dot",
    "cut_after_dot_taken",
    "cut_after_dot_lost",
    "late_250",
    "hang_taken",
]
SURE_FAULTS: tuple[Fault, ...] = (
    "421_rcpt", "450_rcpt", "451_rcpt", "550_rcpt", "cut_rcpt", "451_data", "cut_data", "552_dot", "451_dot"
)  # fmt: skip
DOUBTFUL_FAULTS: tuple[Fault, ...] = ("cut_after_dot_taken", "cut_after_dot_lost", "hang_taken")


def boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class Arrival:
    """A message that the sink took. `data_at` is when DATA was read, `taken_at` when the final dot was."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    data_at: float
    taken_at: float
    connection: int

    @property
    def mail(self) -> EmailMessage:
        return cast(EmailMessage, message_from_bytes(self.raw, policy=policy.default))

    @property
    def delivery_id(self) -> str:
        return str(self.mail["X-Relance-Delivery"])


@dataclass
class MailSink:
    """What the server does and saw. `faults` are used up one a mail; `choose` decides when there are none left."""

    faults: deque[Fault | None] = field(default_factory=deque)
    choose: Callable[[str], Fault | None] = lambda recipient: None
    late_seconds: float = 1.0
    host: str = "127.0.0.1"
    port: int = 0
    taken: list[Arrival] = field(default_factory=list)
    data_instants: list[tuple[float, str]] = field(default_factory=list)
    """Every DATA command that was read, whether or not a message followed: the instant and the recipient."""
    connections: int = 0
    keep: bool = True
    count: int = 0
    journal: Path | None = None
    _server: asyncio.AbstractServer | None = None
    _open: set["_Conversation"] = field(default_factory=set)

    async def start(self) -> "MailSink":
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Conversation(self), self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for conversation in list(self._open):
            conversation.end()
        await asyncio.sleep(0)
        self._server = None

    def fail(self, *faults: Fault | None) -> None:
        """The next mails meet these, one each; None lets one pass."""
        self.faults.extend(faults)

    def next_fault(self, recipient: str) -> Fault | None:
        return self.faults.popleft() if self.faults else self.choose(recipient)

    def to(self, recipient: str) -> list[Arrival]:
        return [each for each in self.taken if recipient in each.recipients]

    def take(self, arrival: Arrival) -> None:
        self.count += 1
        if self.keep:
            self.taken.append(arrival)
        if self.journal is not None:
            with self.journal.open("a") as out:
                out.write(json.dumps(_line(arrival)) + "\n")


def _line(arrival: Arrival) -> dict[str, object]:
    return {
        "delivery_id": arrival.delivery_id,
        "sender": arrival.sender,
        "recipients": list(arrival.recipients),
        "data_at": arrival.data_at,
        "taken_at": arrival.taken_at,
        "raw": arrival.raw.decode("ascii", "replace"),
    }


class _Conversation(asyncio.Protocol):
    def __init__(self, sink: MailSink) -> None:
        self.sink = sink
        self.buffer = b""
        self.reset()

    def reset(self) -> None:
        self.sender = ""
        self.recipients: list[str] = []
        self.fault: Fault | None = None
        self.reading = False
        self.data_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.sink.connections += 1
        self.number = self.sink.connections
        self.sink._open.add(self)
        self.say("220 sink ESMTP")

    def connection_lost(self, exc: Exception | None) -> None:
        self.sink._open.discard(self)

    def end(self) -> None:
        self.transport.abort()

    def say(self, line: str) -> None:
        if not self.transport.is_closing():
            self.transport.write(line.encode() + b"\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while self.buffer and not self.transport.is_closing():
            if self.reading:
                if self.fault == "cut_before_dot":
                    return self.end()
                end = self.buffer.find(b"\r\n.\r\n")
                if end < 0:
                    return None
                raw, self.buffer = self.buffer[: end + 2], self.buffer[end + 5 :]
                self.message(raw.replace(b"\r\n..", b"\r\n."))
            else:
                line, found, rest = self.buffer.partition(b"\r\n")
                if not found:
                    return None
                self.buffer = rest
                self.command(line.decode("ascii", "replace"))
        return None

    def command(self, line: str) -> None:
        verb = line[:4].upper()
        if verb == "EHLO":
            self.say("250-sink\r\n250-8BITMIME\r\n250 SIZE 35882577")
        elif verb == "MAIL":
            self.reset()
            self.sender = _address(line)
            self.say("250 2.1.0 ok")
        elif verb == "RCPT":
            self.rcpt(_address(line))
        elif verb == "DATA":
            self.data()
        elif verb == "QUIT":
            self.say("221 2.0.0 bye")
            self.transport.close()
        elif verb in ("RSET", "NOOP", "HELO"):
            self.reset()
            self.say("250 2.0.0 ok")
        else:
            self.say("502 5.5.2 not here")

    def rcpt(self, address: str) -> None:
        self.fault = self.sink.next_fault(address)
        match self.fault:
            case "421_rcpt":
                self.say("421 4.3.2 closing")
                self.transport.close()
            case "450_rcpt":
                self.say("450 4.2.1 mailbox busy")
            case "451_rcpt":
                self.say("451 4.7.1 greylisted, come back later")
            case "550_rcpt":
                self.say("550 5.1.1 no such user")
            case "cut_rcpt":
                self.end()
            case _:
                self.recipients.append(address)
                self.say("250 2.1.5 ok")

    def data(self) -> None:
        if not self.recipients:
            self.say("503 5.5.1 no recipient")
            return
        self.data_at = boottime()
        self.sink.data_instants.append((self.data_at, self.recipients[0]))
        if self.fault == "451_data":
            self.say("451 4.3.0 not now")
        elif self.fault == "cut_data":
            self.end()
        else:
            self.reading = True
            self.say("354 go ahead")

    def message(self, raw: bytes) -> None:
        arrival = Arrival(self.sender, tuple(self.recipients), raw, self.data_at, boottime(), self.number)
        fault = self.fault
        self.reset()
        if fault in ("552_dot", "451_dot"):
            self.say("552 5.3.4 too big" if fault == "552_dot" else "451 4.3.0 try again")
        elif fault == "cut_after_dot_lost":
            self.end()
        else:
            self.sink.take(arrival)
            self.answer(fault)

    def answer(self, fault: Fault | None) -> None:
        if fault == "cut_after_dot_taken":
            self.end()
        elif fault == "late_250":
            asyncio.get_running_loop().call_later(self.sink.late_seconds, self.say, "250 2.0.0 taken late")
        elif fault != "hang_taken":
            self.say("250 2.0.0 taken")


def _address(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]


@asynccontextmanager
async def mail_sink(*faults: Fault | None, keep: bool = True) -> AsyncIterator[MailSink]:
    """A sink that listens on a port of its own while the block runs."""
    sink = await MailSink(deque(faults), keep=keep).start()
    try:
        yield sink
    finally:
        await sink.stop()


async def _serve(arguments: Iterable[str]) -> None:
    port, *journal = arguments
    sink = MailSink(port=int(port), keep=False, journal=Path(journal[0]) if journal else None)
    await sink.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1:]))
