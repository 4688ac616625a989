"""One connection to the mail server, driven command by command: the instants of DATA and of the final dot are ours.

aiosmtplib's `data()` sends DATA, waits for the 354 and sends the body in one breath; here they are three steps with
room for a look at the permit between them. What the server said, and whether it can have taken the message, is told
as one of four outcomes; only silence after the final dot is `unknown`.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from aiosmtplib import SMTP
from aiosmtplib.errors import SMTPException, SMTPResponseException
from aiosmtplib.protocol import PERIOD_REGEX, SMTPProtocol, normalize_message_line_endings

from libs.common.crash import crash_point
from libs.common.permits import boottime
from libs.common.settings import Settings
from services.notifier.errors import WrongDoor

CONNECT_SECONDS = 30.0
COMMAND_SECONDS = 120.0
FINAL_SECONDS = 600.0
"""RFC 5321, 4.5.3.2.6: ten minutes after the final dot. Less makes doubt where there is none."""
DRAIN_LOOK_SECONDS = 0.005
MAILS_A_CONNECTION = 100

Kind = Literal["accepted", "refused", "unsent", "unknown"]
Phase = Literal["connect", "sender", "recipient", "data", "body"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """accepted: a 250 was read. refused: the server said no. unsent: it cannot have it. unknown: it may have it."""

    kind: Kind
    phase: Phase
    code: int = 0
    text: str = ""

    @property
    def permanent(self) -> bool:
        return self.kind == "refused" and 500 <= self.code < 600

    @property
    def recipient_is_dead(self) -> bool:
        """The server does not know this address: RFC 3463 X.1.x, or a bare 550, 551 or 553 at RCPT."""
        if not self.permanent or self.phase != "recipient":
            return False
        words = self.text.split(maxsplit=1)
        status = words[0] if words else ""
        return status.startswith("5.1.") if status.count(".") == 2 else self.code in (550, 551, 553)


class Stopped(Exception):
    """The conversation ended before the mail was taken; `outcome` says how."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


class Wire:
    """A conversation with the mail server: open, then offer, data, body for each mail in turn."""

    def __init__(self, settings: Settings, *, final_seconds: float = FINAL_SECONDS) -> None:
        self.settings = settings
        self.final_seconds = final_seconds
        self.sent = 0
        self.written_at = 0.0
        """CLOCK_BOOTTIME just after the last body was handed to the kernel."""
        self._client: SMTP | None = None

    @property
    def usable(self) -> bool:
        return self._client is not None and self._client.is_connected and self.sent < MAILS_A_CONNECTION

    async def open(self) -> None:
        """Connect, encrypt and log in as the settings say. Raises Stopped, or WrongDoor."""
        security = self.settings.smtp_security
        client = SMTP(
            hostname=self.settings.smtp_host,
            port=self.settings.smtp_port,
            username=self.settings.smtp_user,
            password=self.settings.smtp_password,
            use_tls=security == "tls",
            start_tls=security == "starttls",
            timeout=CONNECT_SECONDS,
        )
        try:
            await client.connect()
            self._check_door(client)
            await client.ehlo(timeout=COMMAND_SECONDS)
        except (SMTPException, OSError, TimeoutError) as error:
            client.close()
            raise Stopped(_unsent("connect", error)) from error
        except WrongDoor:
            client.close()
            raise
        self._client, self.sent = client, 0

    def _check_door(self, client: SMTP) -> None:
        peer = client.get_transport_info("peername")
        if self.settings.sending == "catcher" and peer and ipaddress.ip_address(peer[0]).is_global:
            raise WrongDoor

    async def offer(self, sender: str, recipient: str, copies: Sequence[str] = ()) -> None:
        """MAIL and RCPT. Raises Stopped when one is refused or the line is lost; nothing has left then.

        A copy that the server refuses is left out: the notice is for its recipient.
        """
        client = self._open_client("sender")
        await self._ask("sender", b"MAIL", b"FROM:<" + sender.encode("ascii") + b">")
        await self._ask("recipient", b"RCPT", b"TO:<" + recipient.encode("ascii") + b">")
        for copy in copies:
            try:
                await self._ask("recipient", b"RCPT", b"TO:<" + copy.encode("ascii") + b">")
            except Stopped as stopped:
                if stopped.outcome.kind != "refused" or stopped.outcome.code == 421:
                    raise
        if not client.is_connected:
            raise Stopped(Outcome("unsent", "recipient", text="connection lost"))

    async def data(self) -> None:
        """DATA, up to the 354. Raises Stopped; nothing has left then."""
        await self._ask("data", b"DATA", accepted=354)

    async def body(self, raw: bytes, may: Callable[[], bool], dotting: Callable[[], None] = lambda: None) -> Outcome:
        """The message and the final dot, then as long as the answer takes. What the server does is told, not raised.

        `may` is asked when the bytes are ready, right before they are written. `dotting` is called just before the dot
        is written: up to it the server may not take the message.
        """
        told = _stuffed(raw)
        protocol = self._protocol()
        if protocol is None:
            return Outcome("unsent", "data", text="connection lost")
        if not may():
            self.drop()
            return Outcome("unsent", "data", text="permit over")
        try:
            protocol.write(told)
            self.written_at = boottime()
            await self._drained(protocol)
            dotting()
            protocol.write(b".\r\n")
            crash_point("dispatch.dotted")
        except (SMTPException, OSError) as error:
            return _unsent("data", error)
        try:
            said = await protocol.read_response(timeout=self.final_seconds)
        except SMTPResponseException as error:
            self.drop()
            return Outcome("unknown", "body", error.code, _short(error.message))
        except (SMTPException, OSError, TimeoutError) as error:
            self.drop()
            return Outcome("unknown", "body", text=_short(str(error) or type(error).__name__))
        self.sent += 1
        return self._final(said.code, said.message)

    def _final(self, code: int, text: str) -> Outcome:
        if code == 250:
            return Outcome("accepted", "body", code, _short(text))
        if 400 <= code < 600:
            return Outcome("refused", "body", code, _short(text))
        self.drop()
        return Outcome("unknown", "body", code, _short(text))

    async def withdraw(self) -> None:
        """Forget the mail that was offered; the connection stays if the server agrees."""
        try:
            await self._ask("sender", b"RSET")
        except Stopped:
            self.drop()

    def drop(self) -> None:
        """Cut the line at once. Before the final dot this proves that nothing was taken."""
        if self._client is not None:
            protocol = self._client.protocol
            if protocol is not None and isinstance(protocol.transport, asyncio.WriteTransport):
                protocol.transport.abort()
            self._client.close()
            self._client = None

    async def close(self) -> None:
        """Say goodbye, without waiting long for an answer."""
        if self._client is not None and self._client.is_connected:
            try:
                await self._client.quit(timeout=2)
            except (SMTPException, OSError, TimeoutError):
                self.drop()
        self._client = None

    async def _ask(self, phase: Phase, *command: bytes, accepted: int = 250) -> None:
        client = self._open_client(phase)
        try:
            said = await client.execute_command(*command, timeout=COMMAND_SECONDS)
        except (SMTPException, OSError, TimeoutError) as error:
            self.drop()
            raise Stopped(_unsent(phase, error)) from error
        if said.code == accepted or (accepted == 250 and said.code == 251):
            return
        if said.code == 421:
            self.drop()
        raise Stopped(Outcome("refused", phase, said.code, _short(said.message)))

    def _open_client(self, phase: Phase) -> SMTP:
        if self._client is None or not self._client.is_connected:
            raise Stopped(Outcome("unsent", phase, text="not connected"))
        return self._client

    def _protocol(self) -> SMTPProtocol | None:
        protocol = self._client.protocol if self._client is not None else None
        return protocol if protocol is not None and protocol.is_connected else None

    async def _drained(self, protocol: SMTPProtocol) -> None:
        """Until the body has left this process: a line cut before that has not carried the final dot."""
        await asyncio.sleep(0)
        transport = protocol.transport
        while isinstance(transport, asyncio.WriteTransport) and transport.get_write_buffer_size():
            if transport.is_closing():
                break
            await asyncio.sleep(DRAIN_LOOK_SECONDS)
        if not protocol.is_connected:
            raise ConnectionResetError("connection lost before the final dot")


def _stuffed(raw: bytes) -> bytes:
    """As DATA takes it (RFC 5321, 4.5.2): CRLF at every line's end, a dot before every line's first dot."""
    ends = raw.count(b"\r\n")
    if raw.count(b"\r") != ends or raw.count(b"\n") != ends or not raw.endswith(b"\r\n"):
        raw = normalize_message_line_endings(raw)
    return PERIOD_REGEX.sub(b"..", raw) if b"\n." in raw or raw.startswith(b".") else raw


def _unsent(phase: Phase, error: BaseException) -> Outcome:
    if isinstance(error, SMTPResponseException) and error.code >= 400:
        return Outcome("refused", phase, error.code, _short(error.message))
    return Outcome("unsent", phase, text=_short(str(error) or type(error).__name__))


def _short(text: str) -> str:
    return " ".join(text.encode("utf-8", "replace").decode().split())[:500]
