"""Imports as pages, before the real invoice_ingest and payment_matching: file, columns, trial, taken, errors."""

import io
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from openpyxl import Workbook
from sqlalchemy import func, select

from services.console.tables import import_draft
from services.invoice_ingest.tables import invoice
from tests.integration.console.conftest import csrf
from tests.integration.console.street import Resident, Street, street  # noqa: F401 - the fixture itself
from tests.integration.console.test_excel import table

CSV = """N° facture;Date;Échéance;Montant TTC;Code client;Nom client
F-1;01/09/2026;01/10/2026;"1 200,50";C1;Dupont
F-2;31/02/2026;01/10/2026;10,00;C1;Dupont
F-3;01/09/2026;15/10/2026;99,99;C2;Élan
"""
CAMT = Path("docs/examples/statement.xml").read_bytes()


@dataclass
class Office:
    """A tenant with one entity and the people who import."""

    street: Street
    tenant: UUID
    treasurer: Resident
    auditor: Resident

    async def send(self, path: str, name: str, data: bytes, who: Resident | None = None) -> httpx.Response:
        browser = who or self.treasurer
        fields = {"csrf": csrf(await browser.client.get("/imports")), "next": "/imports"}
        headers = {"origin": browser.origin}
        return await browser.client.post(path, data=fields, files={"file": (name, data)}, headers=headers)

    async def invoices(self) -> int:
        async with self.street.databases["invoice_ingest"].transaction() as db:
            return int(await db.scalar(select(func.count()).where(invoice.c.tenant_id == self.tenant)) or 0)


@pytest.fixture
async def office(street: Street) -> AsyncIterator[Office]:  # noqa: F811
    tenant, _ = await street.console.tenant()
    await street.console.entity(tenant)
    await street.spread(tenant)
    treasurer, auditor = await street.person(tenant, "treasurer"), await street.person(tenant, "auditor")
    yield Office(street, tenant, treasurer, auditor)
    await treasurer.client.aclose()
    await auditor.client.aclose()


def chosen(page: str) -> dict[str, str]:
    """What the form of the columns says when it is sent as it is drawn."""
    fields = {}
    for name, options in re.findall(r'<select name="([^"]+)"[^>]*>(.*?)</select>', page, re.S):
        picked = re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)', options)
        fields[name] = (picked[1] or picked[2]) if picked else ""
    return fields | {"currency": "EUR"}


async def test_a_file_is_read_tried_and_taken_and_its_errors_keep_their_lines(office: Office) -> None:
    read = await office.send("/imports", "factures.csv", CSV.encode("cp1252"))
    assert read.status_code == 303, read.text[-2_000:]
    at = read.headers["location"]
    page = await office.treasurer.page(at)
    fields = chosen(page)
    assert fields["column.totals.gross"] == "Montant TTC"
    assert fields["date_format"] == "DD/MM/YYYY"

    tried = await office.treasurer.send(f"{at}/try", fields, at=at)
    assert tried.status_code == 303, tried.text[-2_000:]
    page = await office.treasurer.page(at)
    assert "Prendre 2 factures" in page
    assert "3 lignes essayées. 1 ne serait pas prise." in page
    assert await office.invoices() == 0

    assert (await office.treasurer.send(f"{at}/take", {}, at=at)).status_code == 303
    assert await office.invoices() == 2
    page = await office.treasurer.page(at)
    assert "Prendre" not in page
    _, lines = table(await office.treasurer.client.get(f"{at}/errors.xlsx"))
    assert [(line["Ligne"], line["Champ"]) for line in lines] == [(3, "issue_date")]
    again = await office.treasurer.send(f"{at}/take", {}, at=at)
    assert again.status_code == 409
    assert await office.invoices() == 2
    async with office.street.databases["console"].transaction() as db:
        asked = select(import_draft.c.data).where(import_draft.c.tenant_id == office.tenant)
        assert list(await db.scalars(asked)) == [None]


async def test_a_workbook_needs_no_format_and_the_next_one_is_read_like_the_last(office: Office) -> None:
    def workbook(number: str) -> bytes:
        book = Workbook()
        page = book.active
        assert page is not None
        page.append(["Pièce", "Émise le", "Payable le", "Somme", "Client"])
        page.append([number, date(2026, 9, 1), date(2026, 10, 1), 250.4, "C1"])
        made = io.BytesIO()
        book.save(made)
        return made.getvalue()

    at = (await office.send("/imports", "septembre.xlsx", workbook("A-1"))).headers["location"]
    columns = {"number": "Pièce", "issue_date": "Émise le", "due_date": "Payable le", "totals.gross": "Somme"}
    columns |= {"debtor.external_id": "Client", "debtor.name": "Client"}
    fields = chosen(await office.treasurer.page(at)) | {f"column.{name}": told for name, told in columns.items()}
    await office.treasurer.send(f"{at}/try", fields, at=at)
    await office.treasurer.send(f"{at}/take", {}, at=at)
    assert await office.invoices() == 1
    at = (await office.send("/imports", "octobre.xlsx", workbook("A-2"))).headers["location"]
    page = await office.treasurer.page(at)
    assert "Lu comme le dernier fichier" in page
    assert chosen(page)["column.totals.gross"] == "Somme"


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("=cmd.xlsx", b"PK\x03\x04broken", "no workbook"),
        ("vide.csv", b"", "empty"),
        ("image.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00", "not a text file"),
    ],
)
async def test_what_is_no_table_is_refused_with_its_reason(office: Office, name: str, data: bytes, said: str) -> None:
    answer = await office.send("/imports", name, data)
    assert answer.status_code == 422
    assert said in answer.text or "champ" in answer.text.lower()
    assert "factures.csv" not in await office.treasurer.page("/imports")


async def test_a_statement_is_taken_and_a_broken_one_is_kept_with_its_reason(office: Office) -> None:
    taken = await office.send("/imports/statement", "releve.xml", CAMT)
    assert taken.status_code == 303, taken.text[-3_000:]
    page = await office.treasurer.page(taken.headers["location"])
    assert "Écritures" in page
    refused = await office.send("/imports/statement", "autre.xml", b"<Document/>")
    assert refused.status_code in (400, 422)
    page = await office.treasurer.page("/imports")
    assert "refusé" in page
    assert "releve.xml" in page


async def test_readers_see_imports_and_cannot_send_any(office: Office) -> None:
    page = await office.auditor.page("/imports")
    assert 'type="file"' not in page
    assert (await office.send("/imports", "f.csv", CSV.encode(), office.auditor)).status_code == 403
    assert (await office.send("/imports/statement", "f.xml", b"<x/>", office.auditor)).status_code == 403


async def test_a_file_name_is_text_wherever_it_is_shown(office: Office) -> None:
    name = '<img src=x onerror="alert(1)">.csv'
    at = (await office.send("/imports", name, CSV.encode("cp1252"))).headers["location"]
    for page in (await office.treasurer.page(at), await office.treasurer.page("/imports")):
        assert "<img" not in page


async def test_a_file_of_another_tenant_is_not_there(office: Office, street: Street) -> None:  # noqa: F811
    at = (await office.send("/imports", "f.csv", CSV.encode("cp1252"))).headers["location"]
    other, _ = await street.console.tenant()
    stranger = await street.person(other, "administrator")
    await stranger.page(at, 404)
    told: dict[str, Any] = {"column.number": "x", "date_format": "YYYY-MM-DD", "decimal": "auto", "currency": "EUR"}
    assert (await stranger.send(f"{at}/try", told, at="/imports")).status_code == 404
    assert (await stranger.send(f"{at}/take", {}, at="/imports")).status_code == 404
    await stranger.client.aclose()
