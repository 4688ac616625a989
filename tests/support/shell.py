"""A terminal on a living stack: the commands as somebody types them."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import eventually
from tests.support.living import Living

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Typed:
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """A terminal with this stack's environment and a folder for files."""

    folder: Path
    env: dict[str, str]

    @classmethod
    def at(cls, stack: Living, folder: Path) -> "Shell":
        """In front of this stack."""
        settings = stack.settings
        env = {
            "RELANCE_STATE": str(settings.state),
            "RELANCE_BASE_PORT": str(settings.ports["console"]),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }
        return cls(folder, env)

    async def relance(self, *words: str, **env: str) -> Typed:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "libs.common.cli", *words, cwd=REPOSITORY, env=os.environ | self.env | env,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(), 90)
        return Typed(process.returncode or 0, out.decode(), err.decode())

    async def until(self, ready: Callable[[Typed], bool], *words: str, **env: str) -> Typed:
        """The command again and again until it answers so: what another service was told arrives by the bus."""
        told: list[Typed] = []

        async def right() -> bool:
            told.append(await self.relance(*words, **env))
            assert ready(told[-1]), told[-1]
            return True

        await eventually(right, 60)
        return told[-1]

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text, "utf-8")
        return str(path)
