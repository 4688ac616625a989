"""The servers that figures are measured on: PostgreSQL and Kafka of their own, stock settings, gone afterwards."""

import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from libs.common.devstack.control import down, up
from libs.common.settings import Settings

BASE = "8500"
"""The first of the bench's ports, away from those of a stack that runs."""


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")


def _open(folder: Path) -> None:
    """PostgreSQL runs as a user of its own when we are root."""
    folder.chmod(0o755)


@asynccontextmanager
async def stack() -> AsyncIterator[Settings]:
    """Settings that point at servers of this run alone; RELANCE_BASE_PORT moves them."""
    os.environ.setdefault("RELANCE_BASE_PORT", BASE)
    base = int(os.environ["RELANCE_BASE_PORT"])
    with tempfile.TemporaryDirectory(prefix="relance-bench-", ignore_cleanup_errors=True) as folder:
        admin = f"postgresql://postgres:development@127.0.0.1:{base + 32}/relance"
        settings = Settings.from_env(os.environ | {"RELANCE_STATE": folder, "RELANCE_ADMIN_URL": admin})
        _open(Path(folder))
        up(settings, _tell, infrastructure=True)
        try:
            yield settings
        finally:
            down(settings, _tell)
