"""`relance clock`: read and move the business clock of a development stack."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from libs.common.cli.output import AsJson, answer
from libs.common.clock import SharedClock
from libs.common.errors import Refused
from libs.common.settings import Settings

app = typer.Typer(name="clock", help="Read or move the business clock (development only).", no_args_is_help=True)

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class ClockNotMovable(Refused):
    """Only a development stack has a clock that moves."""

    code = "clock_not_movable"
    remedy = "In production the business clock is the machine's."


@app.command("show")
def show(as_json: AsJson = False) -> None:
    """The business instant, and how far it runs ahead of the machine."""
    _tell(_clock(), as_json)


@app.command("advance")
def advance(
    by: Annotated[str | None, typer.Argument(help="How far: 90m, 12h, 3d, 2w or a sum such as 1d12h.")] = None,
    to: Annotated[datetime | None, typer.Option(help="Or the UTC instant to move to: 2026-12-01T09:00:00.")] = None,
    as_json: AsJson = False,
) -> None:
    """Move every service's business clock forward at once."""
    clock = _clock()
    target = to.replace(tzinfo=UTC) if to is not None else clock.now() + duration(by or "")
    if target < clock.now():
        raise Refused("The clock only moves forward.", field="to")
    clock.move_to(target)
    _tell(clock, as_json)


def duration(text: str) -> timedelta:
    """Read `3d`, `12h`, `90m`, `2w` or a sum such as `1d12h`. Raises Refused."""
    if not re.fullmatch(r"(\d{1,5}[mhdw])+", text, re.ASCII):
        raise Refused("That is not a length of time.", field="by", remedy="Write 90m, 12h, 3d, 2w or 1d12h.")
    parts = re.findall(r"(\d+)([mhdw])", text)
    return sum((timedelta(**{_UNITS[unit]: int(count)}) for count, unit in parts), timedelta())


def _clock() -> SharedClock:
    clock = Settings.from_env().clock()
    if not isinstance(clock, SharedClock):
        raise ClockNotMovable
    return clock


def _tell(clock: SharedClock, as_json: bool) -> None:
    now, ahead = clock.now(), timedelta(seconds=round(clock.offset().total_seconds()))
    facts: dict[str, Any] = {"now": now.isoformat(), "offset_seconds": round(ahead.total_seconds())}
    answer(facts, as_json=as_json, line=f"{now:%Y-%m-%d %H:%M:%S} UTC, {ahead} ahead of the machine")
