"""The business clock. Only these classes ask the machine what time it is; everything else is told.

Leases and claims do not use it: they live on database or boot time.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo


class Clock(Protocol):
    """Tells the instant, always in UTC."""

    def now(self) -> datetime: ...


def today(clock: Clock, zone: str) -> date:
    """The date at this instant in a zone such as `Europe/Paris`."""
    return clock.now().astimezone(ZoneInfo(zone)).date()


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class FixedClock:
    """A clock that stands still until it is moved; for tests."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> None:
        self.at += by


class SharedClock:
    """A development clock: the machine's, moved by the seconds written in one file that all services read."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._seen: tuple[int, int] | None = None
        self._offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset()

    def offset(self) -> timedelta:
        """How far this clock runs ahead of the machine; zero while the file does not exist."""
        try:
            stat = self.file.stat()
        except FileNotFoundError:
            return timedelta()
        if self._seen != (stat.st_mtime_ns, stat.st_ino):
            self._offset = timedelta(seconds=float(self.file.read_text() or 0))
            self._seen = (stat.st_mtime_ns, stat.st_ino)
        return self._offset

    def move_to(self, instant: datetime) -> None:
        """Set every service's clock at once. The file is replaced whole, so no reader sees half a figure."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(str((instant - datetime.now(UTC)).total_seconds()))
        fresh.replace(self.file)
