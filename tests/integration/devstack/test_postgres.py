"""The embedded PostgreSQL keeps what was committed."""

from libs.common.devstack.postgres import Postgres


async def test_postgres_18_answers_with_fsync_on(postgres: Postgres) -> None:
    assert postgres.query("show server_version").startswith("18.")
    assert postgres.query("show fsync").strip() == "on"


async def test_postgres_has_trigrams(postgres: Postgres) -> None:
    assert postgres.query("create extension if not exists pg_trgm; select similarity('dupont', 'dupond')") > "0"
