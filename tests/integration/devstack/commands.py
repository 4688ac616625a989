"""Running the `relance` command as a person does, on a stack of the test's own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.support.stack import free_base

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Stack:
    """A state folder and a base port, and the commands over them."""

    state: Path
    base: int

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end, with its output."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("RELANCE_")}
        env |= {"RELANCE_STATE": str(self.state), "RELANCE_BASE_PORT": str(self.base)} | more
        argv = [sys.executable, "-m", "libs.common.cli", *arguments]
        return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=240)

    def up(self) -> None:
        done = self.run("up", "--infrastructure")
        assert done.returncode == 0, done.stderr

    def report(self) -> dict[str, Any]:
        return json.loads((self.state / "stack.json").read_text())

    def process(self, part: str) -> psutil.Process:
        return psutil.Process(self.report()["parts"][part]["pid"])


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """A stack that is down at the end, whatever the test did."""
    made = Stack(folder / "state", free_base())
    try:
        yield made
    finally:
        made.run("down")
