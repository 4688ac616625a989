"""The embedded PostgreSQL keeps what was committed."""

import asyncio
from pathlib import Path

import asyncpg

from libs.common.devstack.postgres import Postgres
from tests.support import eventually
from tests.support.stack import free_base


async def test_postgres_18_answers_with_fsync_on(postgres: Postgres) -> None:
    assert postgres.query("show server_version").startswith("18.")
    assert postgres.query("show fsync").strip() == "on"


async def test_postgres_has_trigrams(postgres: Postgres) -> None:
    assert postgres.query("create extension if not exists pg_trgm; select similarity('dupont', 'dupond')") > "0"


async def test_what_was_committed_before_a_kill_is_there_after_the_restart(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "data", free_base() + 32, tmp_path / "log")
    server.start()
    try:
        server.query("create table kept (number int primary key)")
        committed: list[int] = []
        writing = asyncio.create_task(_write(server, committed))
        await eventually(lambda: len(committed) > 200)
        server.kill()
        await writing
        server.start()
        there = {int(line) for line in server.query("select number from kept").split()}
        assert set(committed) <= there
    finally:
        server.stop()


async def _write(server: Postgres, committed: list[int]) -> None:
    """Insert rows, a transaction each, until the server is gone."""
    connection = await asyncpg.connect(server.admin_url)
    try:
        for number in range(1_000_000):
            await connection.execute("insert into kept values ($1)", number)
            committed.append(number)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
        connection.terminate()
