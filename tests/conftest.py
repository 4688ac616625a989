"""Fixtures for every test: settings of this test process, the real PostgreSQL and the real broker.

`settings` only says where things are; ask for `postgres` or `kafka` too if the test needs them to run.
"""

import os
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit
from uuid import UUID

import hypothesis
import pytest
import structlog

from libs.common.devstack.kafka import Kafka
from libs.common.devstack.postgres import Postgres
from libs.common.settings import Settings
from tests.support import fresh_tenant
from tests.support.stack import free_base, make_topics, migrate, settings_for, state_folder

# The default draws every local variable of every frame, which takes seconds an error.
structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])
# How long an example takes says how busy the machine is, nothing about the code.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")


def pytest_xdist_auto_num_workers() -> int:
    """Each worker has servers of its own (2 GB) and waits for them a third of its time."""
    return min(4, (os.cpu_count() or 1) + 1)


@pytest.fixture(scope="session")
def settings() -> Iterator[Settings]:
    """Development settings on free ports, with a state folder that is deleted at the end."""
    with state_folder() as state:
        yield settings_for(state, free_base())


@pytest.fixture(scope="session")
async def postgres(settings: Settings) -> AsyncIterator[Postgres]:
    """A running PostgreSQL 18 with the roles, schemas and tables of every service."""
    port = urlsplit(settings.database_url).port
    assert port is not None
    server = Postgres(settings.state / "postgres", port, settings.state / "logs" / "postgres.log")
    server.start()
    try:
        await migrate(settings)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
async def kafka(settings: Settings) -> AsyncIterator[Kafka]:
    """A running Apache Kafka with every topic that the services use."""
    broker = Kafka(
        settings.state / "kafka", int(settings.kafka.rpartition(":")[2]), settings.state / "logs" / "kafka.log"
    )
    broker.start()
    try:
        await make_topics(settings)
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def tenant() -> UUID:
    """A tenant of this test's own."""
    return fresh_tenant()
