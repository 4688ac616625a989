"""One living stack for all end-to-end tests, gone after them; each test opens a world of its own on it."""

from collections.abc import AsyncIterator, Generator, Iterator

import httpx
import pytest

from libs.common.demo.office import ADMINISTRATOR
from tests.integration.console.conftest import PASSWORD, submit
from tests.support.living import Living, living
from tests.support.world import World


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what the services complained of."""
    report = yield
    worlds = [each for each in getattr(item, "funcargs", {}).values() if isinstance(each, World)]
    if report.failed and worlds:
        report.sections.append(("what the services complained of", worlds[0].living.complaints()))
    return report


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


@pytest.fixture
async def fed(stack: Living) -> AsyncIterator[World]:
    """A fresh tenant whose reminders wait for its bank."""
    found = await World.open(stack, feed_required=True)
    yield found
    await found.office.close()


@pytest.fixture
async def screen(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """The console as a manager of this company sees it."""
    email = f"odile@{world.mark}.example"
    user = {"email": email, "name": "Odile Perrin", "roles": ["manager"], "password": PASSWORD}
    await world.office.post("console", "/v1/directory/users", user, by=ADMINISTRATOR)
    async with httpx.AsyncClient(base_url=world.living.settings.public_url, timeout=30) as browser:
        assert (await submit(browser, "/login", {"email": email, "password": PASSWORD})).status_code == 303
        yield browser
