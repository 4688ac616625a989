"""The pages with real rows: each opens, its figures are those of the history, and no other tenant is seen."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest

from libs.common.ids import uuid7
from libs.common.money import Money
from libs.common.settings import Settings
from services.console.pages import formats
from tests.integration.console.conftest import NOW, Console
from tests.integration.console.history import History
from tests.integration.console.street import lived

LISTS = ["/", "/?tab=calls", "/?tab=promises", "/?tab=blocked", "/customers", "/invoices", "/aged-balance", "/payments"]


@dataclass
class Played:
    """A tenant with a history, and a browser in which its administrator is signed in."""

    tenant: UUID
    history: History
    browser: httpx.AsyncClient
    email: str

    @property
    def invoice(self) -> UUID:
        return next(iter(self.history.invoices))

    @property
    def debtor(self) -> UUID:
        debtor: UUID = self.history.invoices[self.invoice]["debtor"]
        return debtor


@pytest.fixture(scope="module")
async def shown(console: Console, settings: Settings) -> AsyncIterator[Played]:
    tenant, email = await console.tenant()
    history = await lived(settings, tenant, 8, debtors=5, invoices=40)
    browser = await console.sign_in(email)
    yield Played(tenant, history, browser, email)
    await browser.aclose()


@pytest.mark.parametrize("path", [*LISTS, "/search?q=F0000", "/search?q=1 250,00", "/operations"])
async def test_a_page_opens_with_real_rows(shown: Played, path: str) -> None:
    page = await shown.browser.get(path)
    assert page.status_code == 200, page.text
    assert 'aria-current="page"' in page.text or "search" in path
    assert len(page.content) < 250_000


async def test_the_balance_shows_what_is_owed_to_the_cent(shown: Played) -> None:
    page = (await shown.browser.get("/aged-balance")).text
    amounts = re.findall(r'<td class="r"><b>([^<]+)</b></td>', page)
    minor = sum(int(re.sub(r"\D", "", each)) for each in amounts)
    assert minor == shown.history.owed()
    assert formats.short_money(Money(shown.history.owed(), "EUR"), "fr") in page


async def test_a_customers_file_shows_their_open_invoices_and_what_was_said(shown: Played) -> None:
    page = await shown.browser.get(f"/customers/{shown.debtor}")
    assert page.status_code == 200, page.text
    assert "Maison" in page.text
    assert "Mme Aubry" in page.text
    opened = await shown.browser.get(f"/invoices/{shown.invoice}")
    assert shown.history.invoices[shown.invoice]["number"] in opened.text


@pytest.mark.parametrize("path", ["/customers/{}", "/invoices/{}"])
async def test_an_id_that_was_guessed_or_belongs_to_another_tenant_is_not_there(
    console: Console, shown: Played, path: str
) -> None:
    _, email = await console.tenant()
    other = await console.sign_in(email)
    for identity in (uuid7(), shown.debtor, shown.invoice):
        page = await other.get(path.format(identity))
        assert page.status_code == 404
        assert "Maison" not in page.text
    await other.aclose()


async def test_a_list_of_another_tenant_shows_nothing(console: Console, shown: Played) -> None:
    _, email = await console.tenant()
    other = await console.sign_in(email)
    for path in LISTS:
        page = await other.get(path)
        assert page.status_code == 200
        assert "Maison" not in page.text
    await other.aclose()


@pytest.mark.parametrize("path", LISTS)
async def test_words_that_make_no_sense_in_an_address_narrow_nothing_and_break_nothing(
    shown: Played, path: str
) -> None:
    joined = "&" if "?" in path else "?"
    strange = "entity=x&profile=none&order=wrong&state=odd&on=2026-99-99&q=%25_%5C'&line=nothing"
    page = await shown.browser.get(f"{path}{joined}{strange}")
    assert page.status_code == 200, page.text


async def test_a_filter_is_part_of_the_address_and_of_its_form(shown: Played) -> None:
    page = await shown.browser.get("/customers?q=maison%201&order=name")
    assert 'value="maison 1"' in page.text
    assert '<input type="hidden" name="order" value="name">' in page.text
    assert 'aria-sort="ascending"' in page.text
    assert "Maison 2" not in page.text


async def test_a_balance_gone_by_counts_nothing_issued_after_it(shown: Played) -> None:
    page = await shown.browser.get("/aged-balance?on=2026-01-01")
    assert "Rien n’est dû à cette date" in page.text


PAGES_OF = {
    "/": {"collector", "sales_owner", "treasurer", "manager", "administrator", "auditor"},
    "/customers": {"collector", "sales_owner", "treasurer", "manager", "administrator", "auditor"},
    "/payments": {"collector", "treasurer", "manager", "administrator", "auditor"},
    "/operations": {"collector", "treasurer", "manager", "administrator", "auditor"},
}


@pytest.mark.parametrize("role", ["collector", "sales_owner", "treasurer", "manager", "auditor"])
async def test_a_role_opens_its_pages_and_no_others(console: Console, role: str) -> None:
    tenant, _ = await console.tenant()
    browser = await console.sign_in(await console.user(tenant, role))
    for path, roles in PAGES_OF.items():
        expected = 200 if role in roles else 403
        assert (await browser.get(path)).status_code == expected, (role, path)
    approving = await browser.post("/notices/review", headers={"origin": console.settings.public_url})
    assert approving.status_code == 403, "without a form token, or without the right, nothing is approved"
    await browser.aclose()


async def test_today_is_the_business_clocks(shown: Played) -> None:
    assert formats.long_day(NOW.date(), "fr") in (await shown.browser.get("/")).text
