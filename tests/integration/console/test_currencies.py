"""Credit balances and foreign money on every page: signs, decimals of each currency, and no sum over two of them."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from libs.common import ids
from libs.common.db import Database
from libs.common.events import Event, event
from libs.common.events.debtors import DebtorChanged
from libs.common.events.deliveries import Covered, ReminderProposed, TaskOpened
from libs.common.events.invoices import Instalment, InvoiceIssued
from libs.common.events.payments import PaymentReceived
from libs.common.events.reminders import DisputeOpened, PromiseMade
from libs.common.money import Money
from libs.common.settings import Settings
from tests.integration.console.conftest import NOW, Console, submit
from tests.integration.console.test_read_model import hear

TODAY = NOW.date()
OWED = {"EUR": 1_234_567, "CHF": 225_050, "JPY": 1_200_000, "BHD": 1_234_567}
"""Overdue of the first customer, in minor units: 12,345.67 · 2,250.50 · 1,200,000 · 1,234.567."""
SHOWN = {
    "fr": {"EUR": "12 345,67 €", "CHF": "2 250,50 CHF", "JPY": "1 200 000 JPY", "BHD": "1 234,567 BHD"},
    "en": {"EUR": "€12,345.67", "CHF": "CHF 2,250.50", "JPY": "¥1,200,000", "BHD": "BHD 1,234.567"},
}
CREDIT = {"fr": "−500,00 €", "en": "−€500.00"}
PAGES = [
    "/",
    "/?tab=calls",
    "/?tab=promises",
    "/customers",
    "/customers/{foreign}",
    "/customers/{credited}",
    "/invoices?state=all",
    "/aged-balance",
    "/aged-balance/items?currency=CHF",
    "/aged-balance/items?currency=JPY",
    "/aged-balance/items?currency=BHD",
    "/aged-balance/items?currency=EUR&debtor={credited}",
    "/dso?currency=JPY",
    "/dso?currency=CHF",
    "/dso",
    "/forecast?currency=BHD",
    "/forecast",
    "/payments?state=all",
    "/promises?state=all",
    "/disputes?state=all",
    "/hand-over",
    "/operations",
]


@dataclass
class Abroad:
    """A tenant that sells in four currencies, and a reader of each language."""

    tenant: UUID
    entity: UUID
    readers: dict[str, httpx.AsyncClient]
    foreign: UUID
    credited: UUID

    async def page(self, language: str, path: str) -> str:
        """The page's words: tags away, and each kind of space one space."""
        answer = await self.readers[language].get(path.format(foreign=self.foreign, credited=self.credited))
        assert answer.status_code == 200, path
        told = answer.text.partition("<main")[2]
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", told))


def debtor(base: dict[str, Any], name: str) -> DebtorChanged:
    identity = ids.debtor_id(base["tenant_id"], base["entity_id"], name)
    about = {"debtor_id": identity, "payer_id": identity, "party_id": ids.named("party", identity)}
    return DebtorChanged(**base, **about, external_id=name, name=name)


def invoice(base: dict[str, Any], whose: UUID, number: str, owed: Money, due: date) -> InvoiceIssued:
    identity = ids.invoice_id(base["tenant_id"], base["entity_id"], "invoice", number, 2026)
    part = Instalment(item_id=ids.item_id(identity, 1), sequence=1, due_date=due, amount=owed)
    about = {"invoice_id": identity, "debtor_id": whose, "payer_id": whose, "due_source": "structured"}
    issued = due - timedelta(days=30)
    return InvoiceIssued(**base, **about, number=number, issue_date=issued, payable=owed, instalments=[part])


def sold(tenant: UUID, entity: UUID) -> tuple[UUID, UUID, list[Event]]:
    """What happened: one customer owes in four currencies, and has paid, promised and disputed; another has credit."""
    base = {"tenant_id": tenant, "version": 1, "entity_id": entity}
    foreign, credited = debtor(base, "Maison Lointaine"), debtor(base, "Maison Créditée")
    payer = foreign.debtor_id
    told: list[Any] = [foreign, credited]
    for days, (currency, minor) in enumerate(OWED.items()):
        due = TODAY - timedelta(days=20 + days)
        told.append(invoice(base, payer, f"X{currency}", Money(minor, currency), due))
    told.append(invoice(base, credited.debtor_id, "AV-1", Money(-50_000, "EUR"), TODAY - timedelta(days=5)))
    case = base | {"case_id": ids.case_id(tenant, payer), "payer_id": payer}
    item = told[3].instalments[0].item_id
    covers = [Covered(occurrence_id=ids.named("o", item), release=1, item_id=item, step_key="r1", tone=2)]
    notice = {"party_id": payer, "reminder_id": ids.named("r", item), "notice_id": ids.named("n", item)}
    told.append(ReminderProposed(kind="reminder", covers=covers, **case, **notice))
    told.append(TaskOpened(task_id=ids.named("t", item), kind="call", due_on=TODAY, **case))
    promise = {"promise_id": ids.named("p", item), "amount": Money(OWED["CHF"], "CHF"), "promised_for": TODAY}
    told.append(PromiseMade(**case, **promise))
    dispute = {"dispute_id": ids.named("d", item), "item_id": item, "reason": "quantity"}
    told.append(DisputeOpened(amount=Money(OWED["CHF"], "CHF"), **case, **dispute))
    for currency, minor in OWED.items():
        money = Money(minor, currency)
        about = {"payment_id": ids.named("pay", item, currency), "payer_id": payer, "value_date": TODAY}
        told.append(PaymentReceived(amount=money, unapplied=money, **base, **about))
    return payer, credited.debtor_id, [event(each, NOW) for each in told]


@pytest.fixture(scope="module")
async def abroad(console: Console, settings: Settings) -> AsyncIterator[Abroad]:
    tenant, email = await console.tenant()
    entity = await console.entity(tenant)
    foreign, credited, told = sold(tenant, entity)
    loops = Database(settings, "console", "loop")
    await hear(loops, told, 50)
    await loops.close()
    readers = {"fr": await console.sign_in(email)}
    readers["en"] = await console.sign_in(await console.user(tenant, "manager"))
    await submit(readers["en"], "/preferences", {"language": "en", "next": "/"}, at="/")
    yield Abroad(tenant, entity, readers, foreign, credited)
    for reader in readers.values():
        await reader.aclose()


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("path", PAGES)
async def test_amounts_are_written_as_their_currency_and_language_want(
    abroad: Abroad, path: str, language: str
) -> None:
    shown = await abroad.page(language, path)
    after, before = r"(?:€|CHF|JPY|BHD|¥)", r"(?:€|CHF ?|¥|BHD ?)"
    assert re.findall(rf"-\d[\d ,.]*{after}|-{before}\d", shown) == [], "a minus is no hyphen"
    assert re.findall(r"\d,\d\d? (?:JPY|¥)|¥[\d,]*\.\d+(?![\dkM])", shown) == [], "yen have no decimals"
    assert re.findall(rf"\d{after}\d|{after} ?-", shown) == []
    assert re.findall(r"−0(?:,00)? €|−€0(?:\.00)?(?!\d)|nan|None", shown) == []


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_each_currency_has_its_own_line_and_its_own_sum(abroad: Abroad, language: str) -> None:
    for path in ("/customers/{foreign}", "/invoices?state=all", "/aged-balance", "/payments?state=all"):
        shown = await abroad.page(language, path)
        for amount in SHOWN[language].values():
            assert amount in shown, (path, amount)
    for currency, amount in SHOWN[language].items():
        items = await abroad.page(language, f"/aged-balance/items?currency={currency}&debtor={{foreign}}")
        assert amount in items, currency
        assert not any(other in items for code, other in SHOWN[language].items() if code != currency)
    for path in ("/promises?state=all", "/disputes?state=all"):
        assert SHOWN[language]["CHF"] in await abroad.page(language, path)


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_credit_balance_is_a_negative_amount_without_shares(abroad: Abroad, language: str) -> None:
    for path in ("/customers/{credited}", "/invoices?state=all", "/aged-balance/items?currency=EUR&debtor={credited}"):
        assert CREDIT[language] in await abroad.page(language, path), path
    balance = await abroad.page(language, "/aged-balance?q=cr%C3%A9dit%C3%A9e")
    assert CREDIT[language] in balance
    assert "%" not in balance


async def test_today_adds_no_currencies_up(abroad: Abroad) -> None:
    page = await abroad.page("fr", "/")
    assert "+ 3 autres devises" in page
    assert "12,3 k€" in page or "2,3 kCHF" in page
    english = await abroad.page("en", "/")
    assert "+ 3 other currencies" in english
    assert "CHF 2.3k" in english or "€12.3k" in english


async def test_by_hand_an_invoice_in_another_currency_has_a_field_for_each_amount(abroad: Abroad) -> None:
    items = {currency: ids.item_id(_invoice_of(abroad, currency), 1) for currency in OWED}
    payment = ids.named("pay", items["CHF"], "EUR")
    page = (await abroad.readers["fr"].get(f"/payments?state=all&line={payment}")).text
    rows = re.findall(r'<input type="checkbox" name="item" value="([^"]+)"', page)
    assert rows[0] == str(items["EUR"]), "those in its own currency come first"
    assert f'name="paid:{items["EUR"]}"' not in page
    for currency, plain in (("CHF", "2250.50"), ("JPY", "1200000"), ("BHD", "1234.567")):
        one = items[currency]
        assert f'name="currency:{one}" value="{currency}"' in page
        assert f'name="paid:{one}"' in page
        assert f'name="amount:{one}" data-owes="{plain}"' in page, "all that it owes is what the form suggests"


def _invoice_of(abroad: Abroad, currency: str) -> UUID:
    return ids.invoice_id(abroad.tenant, abroad.entity, "invoice", f"X{currency}", 2026)
