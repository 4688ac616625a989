"""How far each lane has come with its mail, in a file that outlives the process and not the machine.

A row that says `on_wire` only tells that DATA may have begun. A process that is killed leaves a better witness: one
slot a lane in shared memory, written before each step is taken. Whoever runs next on this machine reads it and records
the truth: not begun, begun, the dot written, or how it ended. A slot is believed if the lock of its file is free, so
that its owner is dead and not merely frozen, and if the machine has not been started since, so that no write was lost
with its memory. Without a witness a row stays `on_wire` until its claim has run out, and is uncertain then.
"""

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args
from uuid import UUID

import structlog

from services.notifier.channels.smtp import Kind, Outcome, Phase
from services.notifier.store.deliveries import Claim

BOOT = Path("/proc/sys/kernel/random/boot_id")
MAGIC = b"relance lanes 1\n"
SUFFIX = ".lanes"
_HEAD = 64
_SLOT = 512
_NAMES = struct.Struct("<16s16sq")
_END = struct.Struct("<BBhH")
_NAMES_AT, _END_AT, _TEXT_AT = 1, 41, 47
_TEXT = _SLOT - _TEXT_AT
_EMPTY, _BOARDED, _BEGUN, _DOTTED, _ENDED = range(5)
_KINDS: tuple[Kind, ...] = get_args(Kind)
_PHASES: tuple[Phase, ...] = get_args(Phase)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Left:
    """What a dead process left of one delivery, under the fence it held."""

    tenant_id: UUID
    delivery_id: UUID
    fence: int
    outcome: Outcome


class Slot:
    """One mail's line. The first byte says whether the rest is true, so it is written last and cleared first."""

    def __init__(self, memory: mmap.mmap, at: int) -> None:
        self._memory = memory
        self._at = at

    def board(self, claim: Claim) -> None:
        """Before the row says `on_wire`: from here on this slot tells about that delivery."""
        memory, at = self._memory, self._at
        memory[at] = _EMPTY
        names = _NAMES.pack(claim.tenant_id.bytes, claim.delivery_id.bytes, claim.fence)
        memory[at + _NAMES_AT : at + _NAMES_AT + _NAMES.size] = names
        memory[at] = _BOARDED

    def begin(self) -> None:
        """Before DATA is written."""
        self._memory[self._at] = _BEGUN

    def dot(self) -> None:
        """Before the final dot is written."""
        self._memory[self._at] = _DOTTED

    def end(self, outcome: Outcome) -> None:
        """As soon as it is known how it ended; nothing if it never came to DATA."""
        memory, at = self._memory, self._at
        if memory[at] == _EMPTY:
            return
        text = outcome.text.encode()[:_TEXT]
        told = _END.pack(_KINDS.index(outcome.kind), _PHASES.index(outcome.phase), outcome.code, len(text)) + text
        memory[at + _END_AT : at + _END_AT + len(told)] = told
        memory[at] = _ENDED

    def clear(self) -> None:
        """The outcome is on record."""
        self._memory[self._at] = _EMPTY


class Logbook:
    """The slots of one process's lanes. `file` is None where no file can be kept: then nobody will read it."""

    def __init__(self, memory: mmap.mmap, file: Path | None, lock: int | None) -> None:
        self._memory = memory
        self._file = file
        self._lock = lock
        count = (len(memory) - _HEAD) // _SLOT
        self.slots = [Slot(memory, _HEAD + n * _SLOT) for n in range(count)]

    @classmethod
    def open(cls, folder: Path, lanes: int) -> "Logbook":
        """A new one for this process. Without a folder to write in, or a name for this start of the machine, it is
        kept in memory alone."""
        size = _HEAD + lanes * _SLOT
        boot = _boot()
        if boot is None:
            return cls(mmap.mmap(-1, size), None, None)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            fresh = folder / f".{os.getpid()}-{os.urandom(8).hex()}"
            lock = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.posix_fallocate(lock, 0, size)
            os.pwrite(lock, MAGIC + boot, 0)
            # Only now under its name: nobody may find it before it is locked.
            file = fresh.rename(folder / f"{fresh.name[1:]}{SUFFIX}")
        except OSError as error:
            log.warning("lanes.unwitnessed", error=str(error))
            return cls(mmap.mmap(-1, size), None, None)
        return cls(mmap.mmap(lock, size), file, lock)

    def close(self) -> None:
        """The last use: it goes if nothing is open in it, else it stays for whoever comes next."""
        bare = all(self._memory[_HEAD + n * _SLOT] == _EMPTY for n in range(len(self.slots)))
        if self._file is not None and bare:
            self._file.unlink(missing_ok=True)
        # The memory holds the file open too, and with it the lock.
        self._memory.close()
        if self._lock is not None:
            os.close(self._lock)
            self._file = self._lock = None


@contextmanager
def inherited(folder: Path) -> Iterator[list[Left]]:
    """What dead processes of this machine left. Their files go when the block has ended without an error."""
    locks: list[int] = []
    files: list[Path] = []
    found: list[Left] = []
    try:
        for file in sorted(folder.glob(f"*{SUFFIX}")):
            lock = _locked(file)
            if lock is not None:
                locks.append(lock)
                files.append(file)
                found += _read(file)
        yield found
        for file in files:
            file.unlink(missing_ok=True)
    finally:
        for lock in locks:
            os.close(lock)


def _locked(file: Path) -> int | None:
    try:
        lock = os.open(file, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _read(file: Path) -> list[Left]:
    raw, boot = file.read_bytes(), _boot()
    if boot is None or not raw.startswith(MAGIC + boot):
        return []
    slots = (raw[at : at + _SLOT] for at in range(_HEAD, len(raw) - _SLOT + 1, _SLOT))
    return [_left(slot) for slot in slots if slot[0] != _EMPTY]


def _left(slot: bytes) -> Left:
    tenant, delivery, fence = _NAMES.unpack_from(slot, _NAMES_AT)
    return Left(UUID(bytes=tenant), UUID(bytes=delivery), fence, _outcome(slot))


def _outcome(slot: bytes) -> Outcome:
    if slot[0] == _BOARDED:
        return Outcome("unsent", "recipient", text="the process ended before DATA")
    if slot[0] == _BEGUN:
        return Outcome("unknown", "data", text="the process ended between DATA and the final dot")
    if slot[0] == _DOTTED:
        return Outcome("unknown", "body", text="the process ended after the final dot")
    kind, phase, code, length = _END.unpack_from(slot, _END_AT)
    text = slot[_TEXT_AT : _TEXT_AT + length].decode(errors="replace")
    return Outcome(_KINDS[kind], _PHASES[phase], code, text)


def _boot() -> bytes | None:
    """The name of this start of the machine."""
    try:
        return BOOT.read_bytes().strip()
    except OSError:
        return None
