"""payment_matching in this process on the real PostgreSQL, with a tenant, an entity and accounts of the test's own."""

from collections.abc import AsyncIterator

import pytest

from libs.common.clock import FixedClock
from libs.common.devstack.postgres import Postgres
from libs.common.settings import Settings
from tests.integration.payment_matching.till import NOW, Till, open_till


@pytest.fixture(scope="session")
async def shop(postgres: Postgres, settings: Settings) -> AsyncIterator[Till]:
    """The service, wired once for all tests; its loops do not run by themselves."""
    till = open_till(settings, FixedClock(NOW))
    yield till
    await till.close()


@pytest.fixture
async def till(shop: Till) -> AsyncIterator[Till]:
    """The service for a fresh tenant with one entity and one bank account."""
    async with shop.for_a_tenant() as mine:
        yield mine
