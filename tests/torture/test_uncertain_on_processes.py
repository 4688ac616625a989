"""A mail server that cuts or hangs after the final dot, on real processes: doubt, and never a second mail by itself.

What is doubtful is listed with how far it came; a person says what became of it, by command and by HTTP.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from libs.common.demo.office import ADMINISTRATOR, Answered
from tests.support import eventually
from tests.support.living import living
from tests.support.smtp import Fault, MailSink
from tests.support.world import World, morning, working
from tests.torture import evidence

ROOT = Path(__file__).parents[2]
SETTLED = 120.0
FAULTS: dict[str, Fault] = {"CUTTAKEN": "cut_after_dot_taken", "CUTLOST": "cut_after_dot_lost", "HANGS": "hang_taken"}


@pytest.fixture(scope="module")
async def sink() -> AsyncIterator[MailSink]:
    """A mail server that fails the first mail to each debtor as the debtor's name says."""
    failed: set[str] = set()

    def fault(recipient: str) -> Fault | None:
        name = recipient.partition("@")[0].upper()
        wanted = next((each for start, each in FAULTS.items() if name.startswith(start)), None)
        first = recipient not in failed
        failed.add(recipient)
        return wanted if first else None

    found = await MailSink(host="127.0.0.2", choose=fault).start()
    yield found
    await found.stop()


@pytest.fixture(scope="module")
async def world(sink: MailSink) -> AsyncIterator[World]:
    """A company that sends through it."""
    with living(RELANCE_SMTP_HOST=sink.host, RELANCE_SMTP_PORT=str(sink.port)) as stack:
        found = await World.open(stack)
        yield found
        await found.office.close()


async def test_silence_after_the_dot_is_doubt_that_a_person_ends(world: World, sink: MailSink) -> None:
    names = [f"{start}{n}" for start in (*FAULTS, "WELL") for n in range(3)]
    due = working(world.today + timedelta(days=12))
    await world.debtors(names)
    await world.invoices_in_one(world.body(f"U{name}", name, due) for name in names)
    await world.office.settled(SETTLED)
    world.clock.move_to(morning(due, 2))
    await eventually(lambda: len(sink.data_instants) == len(names), SETTLED)
    await eventually(lambda: _uncertain(world, 6), SETTLED)
    # The server that hangs gets ten minutes by RFC 5321; its client does not live so long.
    world.living.kill("notifier")
    key = await _key(world)
    listed = await eventually(lambda: _listed(world, key, 9), SETTLED)
    assert {one["reason"] for one in listed} == {"no_answer"}
    assert _hit(sink) == dict.fromkeys(names, 1), "nothing left a second time by itself"
    by_name = {one["recipient"].partition("@")[0].upper(): one["delivery_id"] for one in listed}
    lost = [name for name in by_name if name.startswith("CUTLOST")]
    taken = [name for name in by_name if name not in lost]
    await _resolved(world, key, "sent", [by_name[name] for name in taken])
    one, *others = (by_name[name] for name in lost)
    await _resolved(world, key, "not_sent", others)
    path, found_out = f"/v1/deliveries/{one}/resolve", {"outcome": "not_sent", "why": "not in the relay's log"}
    told = await world.office.post("notifier", path, found_out)
    assert (told["resolved_by"], told["resolved_why"]) == ("claire.vasseur", "not in the relay's log")
    with pytest.raises(Answered, match="409"):
        await world.office.post("notifier", path, found_out)
    await eventually(lambda: _hit(sink) == {name: 2 if name in lost else 1 for name in names}, SETTLED)
    await world.office.settled(SETTLED)
    assert sorted(arrival.recipients[0] for arrival in sink.taken) == sorted(world.address(name) for name in names)
    assert await _listed(world, key, 0) == []
    evidence.ended_once(await evidence.topics(world.living.settings, world.office.tenant))


def _hit(sink: MailSink) -> dict[str, int]:
    """Debtor → DATA commands for it."""
    return dict(Counter(recipient.partition("@")[0].upper() for _, recipient in sink.data_instants))


async def _uncertain(world: World, count: int) -> bool:
    told = await world.office.get("notifier", "/v1/deliveries", params={"state": "uncertain"})
    return len(told["deliveries"]) == count


async def _key(world: World) -> str:
    wanted = {"label": "night shift", "scopes": ["notices:read", "notices:approve"], "kind": "test"}
    made = await world.office.post("console", "/v1/directory/api-keys", wanted, by=ADMINISTRATOR)
    return str(made["token"])


async def _listed(world: World, key: str, count: int) -> list[dict[str, Any]] | None:
    """What the command lists, once it is so many."""
    rows = json.loads(await _relance(world, key, "uncertain", "list"))
    return rows if len(rows) == count else None


async def _resolved(world: World, key: str, outcome: str, deliveries: list[str]) -> None:
    why = ("--why", "read in the relay's log")
    rows = json.loads(await _relance(world, key, "uncertain", "resolve", outcome, *deliveries, *why))
    state = "sent" if outcome == "sent" else "stopped"
    assert [(row["state"], row["resolved_why"]) for row in rows] == [(state, why[1])] * len(deliveries)
    assert all(row["resolved_by"] for row in rows)


async def _relance(world: World, key: str, *arguments: str) -> str:
    """The output of one command of the operator."""
    env = os.environ | {"RELANCE_STATE": str(world.living.settings.state), "RELANCE_API_KEY": key}
    argv = [sys.executable, "-m", "libs.common.cli", *arguments, "--json"]
    done = await asyncio.to_thread(subprocess.run, argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)
