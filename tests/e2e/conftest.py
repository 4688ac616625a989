"""One living stack for all end-to-end tests, gone after them; each test opens a world of its own on it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.living import Living, living
from tests.support.world import World


@pytest.fixture(scope="package")
def stack() -> Iterator[Living]:
    """Supervisor, PostgreSQL, Kafka, mail catcher and the five services, as real processes."""
    with living() as found:
        yield found


@pytest.fixture
async def world(stack: Living) -> AsyncIterator[World]:
    """A fresh tenant on a working morning."""
    found = await World.open(stack)
    yield found
    await found.office.close()
