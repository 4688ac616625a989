"""The demo from an empty folder to its last day: start, stage, history, sixty days, and what happened in figures."""

import asyncio
import json
import shutil
import time as machine
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from libs.common.clock import SharedClock
from libs.common.demo import history, lending, observing
from libs.common.demo.company import Group, found
from libs.common.demo.customers import Customers
from libs.common.demo.fates import split
from libs.common.demo.office import Office
from libs.common.demo.play import DECIDERS, PARIS, PATIENCE, Play
from libs.common.demo.stage import LOGIN, Stage, set_stage
from libs.common.devstack.control import down, up
from libs.common.devstack.mailbox import Mailbox
from libs.common.errors import Refused
from libs.common.settings import Settings

DAYS = 60
MARK = "demo.json"
Tell = Callable[[str], None]


class OtherData(Refused):
    """This folder holds the data of a stack that is no demo."""

    code = "other_data"
    remedy = "Use another folder for the demo (RELANCE_STATE=.state-demo make demo), or delete this one."


@dataclass(frozen=True)
class Told:
    """What the demo ends with."""

    address: str
    login: str
    password: str
    seconds: float
    figures: dict[str, int]


def play_demo(settings: Settings, tell: Tell) -> Told:
    """Replace an earlier demo of this folder, and play a new one. Raises OtherData rather than delete anything else."""
    began = machine.monotonic()
    _make_room(settings, tell)
    clock = settings.clock()
    assert isinstance(clock, SharedClock)
    end = datetime.now(PARIS).date() - timedelta(days=1)
    start = end - timedelta(days=DAYS - 1)
    _to(clock, start - timedelta(days=6))
    up(settings, tell)
    tell(f"the console answers at {settings.public_url}")
    stage, figures = asyncio.run(_live(settings, clock, found(end), start, tell))
    clock.file.unlink()
    told = Told(settings.public_url, LOGIN, stage.password, machine.monotonic() - began, figures)
    (settings.state / MARK).write_text(json.dumps({"played": datetime.now(UTC).isoformat(), "login": LOGIN}))
    return told


def _make_room(settings: Settings, tell: Tell) -> None:
    state = settings.state
    if (state / "postgres").exists() and not (state / MARK).exists():
        raise OtherData(f"{state} holds the data of a stack that is no demo.")
    down(settings, tell)
    for name in ("postgres", "kafka", "mail", "clock", "credentials.json"):
        _remove(state / name)
    state.mkdir(parents=True, exist_ok=True)
    (state / MARK).write_text("{}")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _to(clock: SharedClock, day: date) -> None:
    clock.move_to(datetime.combine(day, time(7, 0), PARIS).astimezone(UTC))


async def _live(
    settings: Settings, clock: SharedClock, group: Group, start: date, tell: Tell
) -> tuple[Stage, dict[str, int]]:
    office = Office(settings)
    try:
        tell("the tenant, its three entities and its people")
        stage = await set_stage(office, group)
        _keep(settings, stage)
        _to(clock, start - timedelta(days=1))
        before, during = split(group, start)
        customers = Customers(group)
        play = Play(office, stage, group, clock, Mailbox(settings.state / "mail"), customers)
        await _past(play, before, start, tell)
        await play.run(during, start, group.today, tell)
        return stage, dict(play.happened) | await _figures(office)
    finally:
        await office.close()


async def _past(play: Play, before: list[Any], start: date, tell: Tell) -> None:
    """Ten months in bulk: debtors, invoices, payments; and what each may owe."""
    office, stage, group = play.office, play.stage, play.group
    debtors = await history.tell_debtors(office, stage, group)
    tell(f"{debtors} customers")
    told = await history.tell_invoices(office, stage, before, start)
    await office.settled(PATIENCE, ("invoice_ingest", "payment_matching"))
    paid = await history.tell_payments(office, stage, group, before, start)
    await office.settled(PATIENCE, DECIDERS)
    await lending.set_limits(office, stage, group, start)
    await observing.observe(office, stage, group, start)
    tell(f"{told:,} invoices and {paid:,} payments of the months before")
    play.happened["invoices taken"] += told
    play.customers.inherit(before, start)


def _keep(settings: Settings, stage: Stage) -> None:
    """For the commands of `relance`: the demo's own key."""
    file = settings.state / "credentials.json"
    file.touch(mode=0o600)
    facts = {"tenant_id": str(stage.tenant), "api_key": stage.api_key, "login": LOGIN, "password": stage.password}
    file.write_text(json.dumps(facts, indent=2) + "\n")


LEFT = {"unmatched": "left to a person"}


async def _figures(office: Office) -> dict[str, int]:
    """What the services themselves say at the end."""
    payments = Counter(one["state"] for one in await _all(office, "payment_matching", "/v1/payments", "payments"))
    notices = Counter(one["state"] for one in await _all(office, "notifier", "/v1/notices", "notices"))
    return {f"payments {LEFT.get(state, state)}": count for state, count in payments.items()} | {
        f"notices {state}": count for state, count in notices.items()
    }


async def _all(office: Office, service: str, path: str, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = await office.get(service, path, params={"limit": 200} | ({"cursor": cursor} if cursor else {}))
        rows += page[name]
        cursor = page["next"]
        if not cursor:
            return rows
