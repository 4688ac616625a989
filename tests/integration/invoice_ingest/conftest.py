"""invoice_ingest in this process on the real PostgreSQL, for a tenant of each test's own."""

from collections.abc import AsyncIterator

import pytest

from libs.common.clock import FixedClock
from libs.common.devstack.postgres import Postgres
from libs.common.settings import Settings
from tests.integration.invoice_ingest.office import NOW, Office, open_office


@pytest.fixture(scope="session")
async def building(postgres: Postgres, settings: Settings) -> AsyncIterator[Office]:
    """The service, wired once for all tests."""
    office = open_office(settings, FixedClock(NOW))
    yield office
    await office.close()


@pytest.fixture
async def office(building: Office) -> AsyncIterator[Office]:
    """The service for a fresh tenant with one entity."""
    async with building.for_a_tenant() as mine:
        yield mine
