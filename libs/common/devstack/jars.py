"""The jars of Apache Kafka, fetched once into the user's cache folder and checked against `kafka.lock`.

The rule it protects: nothing runs that the lock file does not name with its sha256. The lock names artefacts, not
addresses; where they come from is the resolver's own business (jgo, in Python, without Maven).
"""

import hashlib
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from libs.common.devstack.errors import NoNetwork, NotTheLockedJar

if TYPE_CHECKING:
    from jgo.maven import MavenContext

LOCK = Path(__file__).with_name("kafka.lock")
WANTED = ("org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36")
_AT_ONCE = 8


@dataclass(frozen=True)
class Jar:
    """One artefact: its coordinate `group:artifact:version` and the sha256 of its file."""

    coordinate: str
    sha256: str

    @property
    def file(self) -> str:
        """Its name in the cache folder; two groups may use one artifact name."""
        return self.coordinate.replace(":", "-") + ".jar"


def cache_folder() -> Path:
    """Where jars are kept between runs and checkouts: XDG_CACHE_HOME or ~/.cache, under relance/kafka."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "relance" / "kafka"


def locked() -> list[Jar]:
    """The jars that the lock file names."""
    lines = (line.split() for line in LOCK.read_text().splitlines() if line and not line.startswith("#"))
    return [Jar(coordinate, sha256) for coordinate, sha256 in lines]


def classpath() -> str:
    """The class path of the broker, fetching what is not in the cache yet.

    Raises NoNetwork when something must be fetched and cannot be, NotTheLockedJar when it is not what was locked.
    """
    folder, jars = cache_folder(), locked()
    missing = [jar for jar in jars if not (folder / jar.file).exists()]
    if missing:
        _fetch(missing, folder)
    return os.pathsep.join(str(folder / jar.file) for jar in jars)


def _fetch(missing: list[Jar], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / f"fetching-{os.getpid()}"
    context = _context(store)
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(lambda jar: _fetch_one(context, jar, folder), missing):
                pass
    except (OSError, RuntimeError) as error:
        raise NoNetwork(f"The jars of Apache Kafka could not be fetched: {_short(error)}") from error
    finally:
        _remove(store)


def _fetch_one(context: "MavenContext", jar: Jar, folder: Path) -> None:
    found: Path = context.create_dependency(jar.coordinate).artifact.resolve()
    if _sha256(found) != jar.sha256:
        raise NotTheLockedJar(f"{jar.coordinate} is not the file that kafka.lock names.")
    # Renamed in one step: two runs that fetch at once both end with the whole file.
    found.replace(folder / jar.file)


def _context(store: Path) -> "MavenContext":
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - 0.3 s that a warm start does not need

    return MavenContext(repo_cache=store, resolver=PythonResolver(), timeout=30)


def resolve(coordinates: Iterable[str] = WANTED) -> list[Jar]:
    """Ask the repositories for everything these need, and hash it: how the lock file is made anew."""
    store = cache_folder() / f"resolving-{os.getpid()}"
    context = _context(store)
    try:
        roots, others = context.resolver.resolve([context.create_dependency(name) for name in coordinates])
        artifacts = [dependency.artifact for dependency in [*roots, *others]]
        jars = {f"{a.groupId}:{a.artifactId}:{a.version}": _sha256(a.resolve()) for a in artifacts}
    finally:
        _remove(store)
    return [Jar(coordinate, sha256) for coordinate, sha256 in sorted(jars.items())]


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _remove(store: Path) -> None:
    for path in sorted(store.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    if store.exists():
        store.rmdir()


def _short(error: BaseException) -> str:
    """The first line of an error without the addresses it quotes."""
    return f"{type(error).__name__}, {str(error).splitlines()[0].split(' in remote')[0].split('(')[0].strip()}"


def main() -> None:
    """Write kafka.lock anew (`make lock`)."""
    head = "# The jars of Apache Kafka: coordinate and sha256. Made by `make lock`.\n"
    LOCK.write_text(head + "".join(f"{jar.coordinate} {jar.sha256}\n" for jar in resolve()))
    sys.stderr.write(f"{len(locked())} jars locked\n")


if __name__ == "__main__":
    main()
