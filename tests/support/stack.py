"""The stack of one test process: its own ports, folders and servers, gone when the process is gone.

Each pytest-xdist worker has its own, so that workers share no consumer group and no clock. Servers are started when
the first test asks for them, and end with the process even if it is killed.
"""

import asyncio
import fcntl
import inspect
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from libs.common.devstack.errors import PortTaken
from libs.common.devstack.processes import check_free
from libs.common.settings import PORTS, Settings

_REPOSITORY = Path(__file__).parents[2]
_OFFSETS = (0, 1, 2, 3, 4, 25, 32, 92, 93)


def free_base() -> int:
    """A base port whose stack ports are all free, below the range that the kernel hands out, and ours until we end."""
    dice = random.Random(os.urandom(8))
    while True:
        base = dice.randrange(10_000, 32_000, 200)
        if not _reserved(base):
            continue
        try:
            check_free({str(offset): base + offset for offset in _OFFSETS})
        except PortTaken:
            continue
        return base


def _reserved(base: int) -> bool:
    """Lock the base against our other test processes. The lock goes with this process: nobody closes its file.

    Each user has files of its own: another's could never be locked, and he leaves one for every base.
    """
    file = Path(tempfile.gettempdir()) / f"relance-ports-{os.getuid()}-{base}"
    lock = os.open(file, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    return True


def settings_for(state: Path, base: int) -> Settings:
    """Development settings on this base port, with this state folder and the right to migrate."""
    admin = f"postgresql://postgres:development@127.0.0.1:{base + 32}/relance"
    return Settings.from_env({"RELANCE_BASE_PORT": str(base), "RELANCE_STATE": str(state), "RELANCE_ADMIN_URL": admin})


@contextmanager
def state_folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="relance-test-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def migrate(settings: Settings) -> None:
    """Bring every service that has migrations to its newest one."""
    if find_spec("libs.common.migrate") is None:
        return
    ready = [name for name in PORTS if (_REPOSITORY / "services" / name / "migrations" / "0001_initial.py").exists()]
    # In a thread: migrations drive an event loop of their own.
    outcome = await asyncio.to_thread(import_module("libs.common.migrate").migrate, settings, ready)
    if inspect.isawaitable(outcome):
        await outcome


async def make_topics(settings: Settings) -> None:
    """Make every topic that the services use."""
    if find_spec("libs.common.kafka") is not None:
        await import_module("libs.common.kafka").ensure_topics(settings)
