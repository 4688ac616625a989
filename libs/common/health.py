"""Health: alive while the process turns, ready while it can serve. The broker never decides readiness.

Ready = not draining, the database answers, its schema is at least what this release needs, and whatever the service
adds (such as a directory that was read to its end).
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from libs.common.db import Database

Check = Callable[[], Awaitable[str | None]]
"""Answers None when all is well, else one sentence that says what is not."""

LOOK_SECONDS = 3.0
_MIGRATION = re.compile(r"(\d{4})_\w+\.py")


def needed_schema(service: str) -> int:
    """The number of the service's newest migration; 0 when it has none."""
    folder = Path(__file__).parents[2] / "services" / service / "migrations"
    found = [_MIGRATION.fullmatch(file.name) for file in folder.rglob("*.py")]
    return max((int(match[1]) for match in found if match), default=0)


class Health:
    """What `/healthz` answers. The runtime sets `draining` when the process is told to end."""

    def __init__(self, service: str, database: Database, checks: Mapping[str, Check]) -> None:
        self.draining = False
        self.database = database
        self.needed = needed_schema(service)
        self.checks: dict[str, Check] = {"schema": self._schema, **checks}

    async def _schema(self) -> str | None:
        async with self.database.transaction() as db:
            found = (await db.execute(text("select version_num from alembic_version"))).scalar_one_or_none()
        number = int(str(found or "0")[:4])
        if number < self.needed:
            return f"The schema is at {number:04d}, this release needs {self.needed:04d}: run `relance migrate`."
        return None

    async def troubles(self) -> dict[str, str]:
        """What keeps this process from serving, by check; empty when it is ready."""
        if self.draining:
            return {"process": "The process is ending."}
        found = await asyncio.gather(*(self._look(check) for check in self.checks.values()))
        return {name: trouble for name, trouble in zip(self.checks, found, strict=True) if trouble is not None}

    async def _look(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await check()
        except (OSError, TimeoutError, SQLAlchemyError) as error:
            return f"The database does not answer as it should ({type(error).__name__})."
