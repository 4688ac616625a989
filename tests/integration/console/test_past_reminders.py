"""Past reminders as a file: tried when it is sent, with why a line is not taken, and taken by the real scheduler."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from libs.common.events import Event, event
from libs.common.money import Money
from services.console.pages import remembered
from services.scheduler.handlers import handlers
from services.scheduler.tables import occurrence
from tests.integration.console.conftest import NOW, csrf
from tests.integration.console.street import Resident, Street, street  # noqa: F401 - the fixture itself
from tests.integration.console.test_currencies import debtor, invoice
from tests.integration.console.test_excel import table

AT = "/imports/past-reminders"
DUE = NOW.date() - timedelta(days=40)
DAY = f"{DUE + timedelta(days=3):%d/%m/%Y}"
TABLE = f"""Facture;Envoyée le;Niveau;Type;Résultat;Commentaire
F-1;{DAY};2;relance;remis;merci
F-2;{DAY};3;dernière relance;rejeté;
F-9;{DAY};2;;;
F-1;31/02/2026;2;;;
F-1;{DAY};9;;;
;;;;;
"""


@dataclass
class Office:
    """A company with two invoices that the scheduler knows, and its manager."""

    street: Street
    tenant: UUID
    entity: UUID
    manager: Resident

    async def send(self, data: bytes, who: Resident | None = None) -> httpx.Response:
        browser = who or self.manager
        fields = {"csrf": csrf(await browser.client.get("/imports")), "entity": str(self.entity), "next": "/imports"}
        files = {"file": ("relances.csv", data)}
        return await browser.client.post(AT, data=fields, files=files, headers={"origin": browser.origin})

    async def known(self) -> int:
        async with self.street.databases["scheduler"].transaction() as db:
            asked = select(func.count()).where(occurrence.c.tenant_id == self.tenant)
            return int(await db.scalar(asked) or 0)


@pytest.fixture
async def office(street: Street) -> AsyncIterator[Office]:  # noqa: F811
    tenant, _ = await street.console.tenant()
    entity = await street.console.entity(tenant)
    await street.spread(tenant)
    base = {"tenant_id": tenant, "version": 1, "entity_id": entity}
    who = debtor(base, "Dupont")
    told = [who, *(invoice(base, who.debtor_id, number, Money(90_000, "EUR"), DUE) for number in ("F-1", "F-2"))]
    events: list[Event] = [event(each, NOW) for each in told]
    async with street.databases["scheduler"].transaction() as db:
        for each in events:
            await handlers()[type(each.body)](db, [each])
    manager = await street.person(tenant, "manager")
    yield Office(street, tenant, entity, manager)
    await manager.client.aclose()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
async def test_a_file_is_tried_first_and_then_taken_and_its_errors_keep_their_lines(
    office: Office, encoding: str
) -> None:
    tried = await office.send(TABLE.encode(encoding))
    assert tried.status_code == 303, tried.text[-2_000:]
    at = tried.headers["location"]
    page = await office.manager.page(at)
    assert "Prendre 2 relances" in page and "5 lignes essayées. 3 ne seraient pas prises." in page
    assert "Aucune facture de ce numéro" in page and "Le ton est un nombre de 1" in page
    assert "Colonnes laissées de côté : Commentaire" in page
    assert await office.known() == 0, "a trial takes nothing"
    _, lines = table(await office.manager.client.get(f"{at}/errors.xlsx"))
    assert [(line["Ligne"], line["Champ"]) for line in lines] == [(4, "invoice"), (5, "sent_on"), (6, "tone")]

    take = at.replace("/imports/", f"{AT}/") + "/take"
    assert (await office.manager.send(take, {}, at=at)).status_code == 303
    assert await office.known() == 2
    page = await office.manager.page(at)
    assert "Prendre" not in page and f'href="/shadow?entity={office.entity}"' in page
    assert (await office.manager.send(take, {}, at=at)).status_code == 409
    audit = await office.manager.page("/audit")
    assert audit.count("Relances passées importées") == 1, "a trial is no deed"
    again = (await office.send(TABLE.encode(encoding))).headers["location"]
    page = await office.manager.page(again)
    assert "Aucune ligne ne serait prise" in page and "/take" not in page
    assert (await office.manager.send(again.replace("/imports/", f"{AT}/") + "/drop", {}, at=again)).status_code == 303
    assert (await office.manager.client.get(again)).status_code == 404


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"invoice;tone\nF-1;2\n", "column_missing"),
        (b"invoice;sent_on;tone\n", "field_missing"),
        (b"PK\x03\x04\x00\x00", "column_missing"),
    ],
)
async def test_a_file_that_is_no_such_table_says_what_is_missing(office: Office, data: bytes, code: str) -> None:
    refused = await office.send(data)
    assert refused.status_code == 422 and code in refused.text


async def test_a_long_file_is_asked_in_parts_and_its_lines_keep_their_numbers(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "AT_ONCE", 2)
    at = (await office.send(TABLE.encode())).headers["location"]
    _, lines = table(await office.manager.client.get(f"{at}/errors.xlsx"))
    assert [line["Ligne"] for line in lines] == [4, 5, 6]


async def test_who_chases_nobody_imports_no_past_reminders(office: Office) -> None:
    treasurer = await office.street.person(office.tenant, "treasurer")
    assert f'action="{AT}"' not in await treasurer.page("/imports")
    assert (await office.send(TABLE.encode(), treasurer)).status_code == 403
    await treasurer.client.aclose()
