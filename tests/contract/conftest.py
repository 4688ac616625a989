"""The services as they are served to the tests of their contracts."""

from collections.abc import Iterator

import pytest

from libs.common.devstack.postgres import Postgres
from libs.common.settings import Settings
from tests.contract.serving import World, served


@pytest.fixture(scope="package")
def world(postgres: Postgres, settings: Settings) -> Iterator[World]:
    """All services on the test's own database, and two tenants that they know."""
    with served(settings) as found:
        yield found
