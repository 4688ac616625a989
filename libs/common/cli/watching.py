"""A directory of files that are taken as they come: each once, then moved to done/ or refused/.

Protects: a file is moved only after it was answered, so that an interruption loses none; one that is still being
written waits until it rests; what is refused stands beside a .txt that says why.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

UNFINISHED = (".part", ".filepart", ".tmp", ".crdownload")
Take = Callable[[Path], dict[str, Any]]
Look = tuple[int, int]


class Watch:
    """One directory. `take` answers a row with `result`, and for a refusal `detail` and `remedy`."""

    def __init__(self, folder: Path, take: Take) -> None:
        self.folder = folder
        self.take = take
        self._seen: dict[Path, Look] = {}

    def look(self, now: datetime, *, resting: bool = False) -> Iterator[dict[str, Any]]:
        """Take what rests since the last look, or all of it if `resting` says that nobody writes; answers the rows."""
        here = dict(self._files())
        before, self._seen = self._seen, here
        for file, state in here.items():
            if resting or before.get(file) == state:
                row = self.take(file)
                self._put_away(file, row, now)
                yield row

    def _files(self) -> Iterator[tuple[Path, Look]]:
        for file in sorted(self.folder.iterdir()):
            if file.is_file() and not file.name.startswith(".") and file.suffix.lower() not in UNFINISHED:
                told = file.stat()
                yield file, (told.st_size, told.st_mtime_ns)

    def _put_away(self, file: Path, row: dict[str, Any], now: datetime) -> None:
        refused = row["result"] == "refused"
        place = _free(self.folder / ("refused" if refused else "done") / file.name)
        if refused:
            lines = [f"{file.name}: {row['detail']}", row.get("remedy", ""), f"refused at {now.isoformat()}"]
            why = place.with_name(f"{place.name}.txt")
            why.write_text("\n".join(line for line in lines if line) + "\n")
        file.rename(place)


def _free(place: Path) -> Path:
    """This path, or one with a number where it is taken."""
    place.parent.mkdir(exist_ok=True)
    number, free = 1, place
    while free.exists():
        number += 1
        free = place.with_name(f"{place.stem}-{number}{place.suffix}")
    return free
