"""The commands for letters and consumers, as an operator types them, on the schemas of the real services."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from libs.common import breaker, dead_letters
from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.devstack.kafka import Kafka
from libs.common.devstack.postgres import Postgres
from libs.common.events.reminders import ReminderDue
from libs.common.ids import uuid7
from libs.common.incoming import Record, read
from libs.common.settings import Settings


async def relance(settings: Settings, *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command."""
    env = os.environ | {"RELANCE_DATABASE_URL": settings.database_url, "RELANCE_KAFKA": settings.kafka}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "libs.common.cli", *words),
        env=env,
        cwd=Path(__file__).parents[3],
        stdout=pipe,
        stderr=pipe,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), err.decode()


async def answer(settings: Settings, *words: str) -> Any:
    code, out, err = await relance(settings, *words, "--json")
    assert code == 0, err
    return json.loads(out)


async def set_aside(settings: Settings, tenant: UUID, error: Exception) -> None:
    """A letter of the notifier."""
    headers = {"ce_type": "relance.ReminderDue.v1", "ce_id": str(uuid7()), "ce_tenantid": str(tenant)}
    record = Record("relance.reminders", 3, 9, str(tenant).encode(), headers, b"?")
    it = read(record, {"ReminderDue": ReminderDue}, SystemClock().now())
    assert it is not None
    database = Database(settings, "notifier", "loop", pool=1)
    async with database.transaction() as db:
        assert await dead_letters.set_aside(db, "relance.notifier", it, error, 1)
    await database.close()


async def test_a_letter_is_listed_shown_and_decided_wherever_it_lies(
    settings: Settings, postgres: Postgres, tenant: UUID
) -> None:
    await set_aside(settings, tenant, ValueError("no such notice"))
    listed = await answer(settings, "dead-letters", "list", "--service", "notifier")
    mine = next(row for row in listed if row["tenant_id"] == str(tenant))
    assert (mine["service"], mine["type"], mine["state"]) == ("notifier", "ReminderDue", "open")
    shown = await answer(settings, "dead-letters", "show", mine["letter_id"])
    assert shown["headers"]["ce_tenantid"] == str(tenant) and "no such notice" in shown["error"]
    assert (await answer(settings, "dead-letters", "replay", mine["letter_id"]))["service"] == "notifier"
    dropped = await answer(settings, "dead-letters", "drop", mine["letter_id"], "--reason", "sent by mistake")
    assert dropped["state"] == "drop"


async def test_a_letter_that_is_not_there_is_told_in_a_line(settings: Settings, postgres: Postgres) -> None:
    code, out, err = await relance(settings, "dead-letters", "show", str(uuid7()))
    assert (code, out) == (1, "")
    assert "There is no dead letter" in err and "Traceback" not in err


async def test_a_stopped_consumer_is_shown_and_resumed(settings: Settings, postgres: Postgres, kafka: Kafka) -> None:
    database = Database(settings, "notifier", "loop", pool=1)
    name = f"relance.notifier.{uuid7().hex}"
    async with database.transaction() as db:
        await breaker.open_(db, name, "letters", "five letters of two tenants")
    status = await answer(settings, "consumers", "status", "--service", "notifier")
    assert [row["stopped"] for row in status if row["consumer"] == name] == ["letters"]
    assert name in (await answer(settings, "consumers", "resume"))["resumed"]
    async with database.transaction() as db:
        assert await breaker.opened(db, name) == []
    await database.close()


async def test_recovery_says_what_it_did(settings: Settings, postgres: Postgres, kafka: Kafka) -> None:
    assert set(await answer(settings, "broker", "recover")) == {"events", "groups"}
