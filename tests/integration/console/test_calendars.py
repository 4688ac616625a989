"""The business calendars: what the scheduler goes by, and what an administrator changes, through the real doors."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import pytest

from libs.common import directory
from tests.integration.console.street import Resident, Street, street  # noqa: F401 - the fixture itself


@dataclass
class Office:
    """A company, and its administrator."""

    street: Street
    tenant: UUID
    entity: UUID
    admin: Resident

    async def change(self, act: str, **fields: str) -> int:
        answer = await self.admin.send(f"/calendars/{self.entity}/{act}", fields, at="/calendars")
        await self.street.spread(self.tenant)
        return answer.status_code

    async def closed(self) -> list[date]:
        async with self.street.console.room.database.transaction(self.tenant) as db:
            return (await directory.entity(db, self.tenant, self.entity)).closed_days


@pytest.fixture
async def office(street: Street) -> AsyncIterator[Office]:  # noqa: F811
    tenant, _ = await street.console.tenant()
    entity = await street.console.entity(tenant)
    await street.spread(tenant)
    admin = await street.person(tenant, "administrator")
    yield Office(street, tenant, entity, admin)
    await admin.client.aclose()


async def test_a_company_shows_its_holidays_and_today(office: Office) -> None:
    page = await office.admin.page("/calendars?year=2026")
    assert "Fête du Travail" in page and "jour ouvré" in page and "24/11/2026" in page
    assert "Lundi de Pâques" not in page.split("janv. 26")[1].split("avr. 26")[0]
    assert "Rouvrir" not in page


async def test_days_are_closed_without_their_weekends_and_opened_again(office: Office) -> None:
    assert await office.change("close", first="2026-12-24", last="2027-01-01") == 303
    assert len(await office.closed()) == 7 and date(2026, 12, 26) not in await office.closed()
    page = await office.admin.page("/calendars?year=2026")
    assert page.count("Rouvrir") == 5, "Christmas is a holiday, and two days are of the next year"
    assert await office.change("open?on=2026-12-24") == 303
    assert date(2026, 12, 24) not in await office.closed() and len(await office.closed()) == 6
    assert await office.change("close", first="2026-12-24", last="2026-12-20") == 422
    assert await office.change("close", first="2026-01-01", last="2026-12-31") == 422
    assert await office.change("open?on=never") == 422


async def test_a_region_brings_its_holidays_and_one_of_another_country_is_refused(office: Office) -> None:
    assert "Saint-Étienne" not in await office.admin.page("/calendars?year=2026")
    assert await office.change("region", region="57") == 303
    page = await office.admin.page("/calendars?year=2026")
    assert "Saint-Étienne" in page and "Moselle</td>" in page
    assert await office.change("region", region="BY") == 422
    assert await office.change("region", region="") == 303


async def test_whoever_reads_reminders_sees_it_and_only_an_administrator_changes_it(office: Office) -> None:
    collector = await office.street.person(office.tenant, "collector")
    page = await collector.page("/calendars")
    assert "Un administrateur modifie les calendriers." in page and "/close" not in page
    refused = await collector.send(f"/calendars/{office.entity}/close", {"first": "2026-12-24"}, at="/calendars")
    assert refused.status_code == 403
    await collector.client.aclose()
