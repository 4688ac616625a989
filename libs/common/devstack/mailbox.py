"""The folder of caught mails: one .eml file each and an index with a JSON line each, in the order they came."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from libs.common.errors import NotFound


@dataclass(frozen=True)
class Caught:
    """One accepted mail. `received_at` is the machine's clock, `date` what the mail itself says."""

    number: int
    received_at: str
    sender: str
    recipients: list[str]
    subject: str
    message_id: str
    date: str
    bytes: int


class Mailbox:
    """Keeps and finds caught mails. One process writes, any may read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index = folder / "index.jsonl"
        self._last = 0

    def open(self) -> None:
        """Make the folder and go on after the last mail that is there; for the writer."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._last = max((mail.number for mail in self.all()), default=0)

    def keep(self, sender: str, recipients: list[str], raw: bytes) -> Caught:
        """Write the mail, then its line: a line always has its file."""
        headers = _headers(raw)
        self._last += 1
        caught = Caught(
            number=self._last,
            received_at=datetime.now(UTC).isoformat(),
            sender=sender,
            recipients=recipients,
            subject=str(headers.get("Subject", "")),
            message_id=str(headers.get("Message-ID", "")),
            date=str(headers.get("Date", "")),
            bytes=len(raw),
        )
        self.file(caught.number).write_bytes(raw)
        with self._index.open("a", encoding="utf-8") as index:
            index.write(json.dumps(asdict(caught), ensure_ascii=False) + "\n")
        return caught

    def file(self, number: int) -> Path:
        """The .eml file of a mail."""
        return self.folder / f"{number:06d}.eml"

    def all(self) -> Iterator[Caught]:
        """Every caught mail, oldest first."""
        if not self._index.exists():
            return
        with self._index.open(encoding="utf-8") as lines:
            for line in lines:
                # The last line may be half written while the catcher is at work.
                if line.endswith("\n"):
                    yield Caught(**json.loads(line))

    def raw(self, number: int) -> bytes:
        """The bytes as they were accepted. Raises NotFound."""
        try:
            return self.file(number).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"There is no mail {number}.", remedy="`relance mail list` shows those there are.") from None

    def message(self, number: int) -> EmailMessage:
        """The mail, parsed. Raises NotFound."""
        return message_from_bytes(self.raw(number), policy=policy.default)


def _headers(raw: bytes) -> EmailMessage:
    end = min((found for found in (raw.find(b"\r\n\r\n"), raw.find(b"\n\n")) if found >= 0), default=len(raw))
    return message_from_bytes(raw[:end] + b"\r\n\r\n", policy=policy.default)
