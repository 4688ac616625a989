"""Named points at which a test may end this process as if the machine had lost power.

`RELANCE_CRASH_AT=relay.acked` ends it at that point, `relay.acked:3` at the third passage. `RELANCE_CRASH_AT=/a/folder`
ends whichever process first passes a point whose name is a file there, and removes the file: so a point is armed while
everything runs, and its disappearance says that it fired. The points stand where two systems have to agree: after one
has said yes and before the other knows. In production the variable is ignored.
"""

import os
from collections import Counter
from pathlib import Path

POINTS = (
    "intake.committed",  # the invoice is on record, its sender has no answer yet
    "relay.acked",  # the broker has the events, the outbox does not know
    "consumer.committed",  # the effects are on record, the offsets are not
    "sweep.decided",  # the reminders are decided, the transaction is open
    "dispatch.on_wire",  # the row says on_wire, nothing was said to the mail server
    "dispatch.dotted",  # the mail server has the whole message, its answer was not read
    "dispatch.accepted",  # the mail server said 250, the row does not know
    "matching.decided",  # the matches are decided, the transaction is open
)
_passed: Counter[str] = Counter()


def crash_point(name: str, service: str = "") -> None:
    """End the process here if the environment says so; nothing runs after it, not even `finally`.

    A point that several services have is armed for one of them by `service.name`.
    """
    wanted = os.environ.get("RELANCE_CRASH_AT")
    if not wanted or os.environ.get("RELANCE_ENVIRONMENT") == "production":
        return
    names = (name, f"{service}.{name}")
    if wanted.startswith("/"):
        _end_if_armed(Path(wanted), names)
        return
    point, _, passage = wanted.partition(":")
    if point in names:
        _passed[name] += 1
        if _passed[name] >= int(passage or 1):
            os._exit(137)


def _end_if_armed(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        try:
            (folder / name).unlink()
        except FileNotFoundError:
            continue
        os._exit(137)
