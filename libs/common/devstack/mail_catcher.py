"""An SMTP server on the loopback address that accepts every mail and sends none: the development stack's world."""

import asyncio
import signal
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from libs.common.devstack.mailbox import Mailbox

_LARGEST = 33_554_432


class Catcher:
    """Accepts whatever comes and keeps it in the mailbox before it says so."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """250 once the mail is in its file."""
        content = envelope.original_content or b""
        caught = self._mailbox.keep(envelope.mail_from or "", list(envelope.rcpt_tos), content)
        return f"250 2.0.0 kept as {caught.number}"


async def serve(mailbox: Mailbox, host: str, port: int) -> None:
    """Catch mails until SIGTERM or SIGINT."""
    mailbox.open()
    catcher = Catcher(mailbox)

    def session() -> SMTP:
        options: dict[str, Any] = {"data_size_limit": _LARGEST, "enable_SMTPUTF8": True, "hostname": "localhost"}
        return SMTP(catcher, **options)

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    server = await loop.create_server(session, host, port)
    try:
        await stopping.wait()
    finally:
        server.close()
