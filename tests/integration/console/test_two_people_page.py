"""Whoever may decide is told on Today how much waits; an administrator says from which amount on it takes two."""

import re
from uuid import UUID

import httpx
import pytest

from libs.common.settings import Settings
from tests.integration.console.conftest import Console
from tests.integration.console.owners import Owners, owners, refusal
from tests.integration.console.street import Resident, street  # noqa: F401 - the fixture itself
from tests.integration.console.test_two_people import Desk, desk  # noqa: F401 - the fixture itself
from tests.integration.payment_matching.test_two_people import LIMITS, PATH

AT = "/payments/two-people"
WAITS = 'class="note next waits"'


async def limits(desk: Desk) -> list[tuple[str, str]]:  # noqa: F811 - the fixture above
    told = (await desk.till.get(LIMITS))["limits"]
    return [(each["above"]["amount"], each["above"]["currency"]) for each in told]


async def test_an_administrator_changes_the_amount_and_takes_it_away(desk: Desk) -> None:  # noqa: F811
    boss = await desk.street.person(desk.till.tenant, "administrator")
    page = await boss.page(AT)
    assert re.search(r"<b>50,00\s€</b>", page) and "Armoréa Distribution" in page
    sent = await boss.send(AT, {"entity": str(desk.till.entity), "above": "1 250,50", "currency": "EUR"}, at=AT)
    assert sent.status_code == 303, sent.text
    assert await limits(desk) == [("1250.50", "EUR")]
    page = await boss.page(AT)
    assert re.search(r"<b>1\s250,50\s€</b>", page) and "Yanis Benali" in page
    for typed, currency, field in (("-3", "EUR", "above"), ("beaucoup", "EUR", "above"), ("", "EUR", "above")):
        wrong = await boss.send(AT, {"above": typed, "currency": currency}, at=AT)
        assert wrong.status_code == 422, wrong.text
        assert await limits(desk) == [("1250.50", "EUR")], field
    dropped = await boss.send(f"{AT}/{desk.till.entity}/EUR/drop", {}, at=AT)
    assert dropped.status_code == 303 and await limits(desk) == []
    assert "Une seule personne suffit" in await boss.page(AT)
    again = await boss.send(f"{AT}/{desk.till.entity}/EUR/drop", {}, at=AT)
    assert again.status_code == 404, "it says so where it happens"
    await boss.client.aclose()


@pytest.mark.parametrize("role", ["manager", "treasurer", "collector", "auditor"])
async def test_others_see_the_amount_and_who_set_it_and_change_nothing(desk: Desk, role: str) -> None:  # noqa: F811
    reader = await desk.street.person(desk.till.tenant, role)
    page = await reader.page(AT)
    assert "Un administrateur fixe ces montants." in page and "<b>50,00" in page
    assert f'action="{AT}' not in page and "Comptes bancaires" not in page
    sent = await reader.send(AT, {"above": "1", "currency": "EUR"}, at=AT)
    assert sent.status_code == 403 and await limits(desk) == [("50.00", "EUR")]
    await reader.client.aclose()


async def told(resident: Resident) -> str:
    page = await resident.page("/")
    found = re.search(rf"<nav {WAITS}.*?</nav>", page, re.DOTALL)
    return found[0] if found else ""


async def test_today_counts_what_another_proposed_and_only_for_those_who_decide(desk: Desk) -> None:  # noqa: F811
    assert await told(desk.bert) == "", "nothing waits"
    await desk.propose()
    assert '<a class="link" href="/payments">1 affectation de paiement</a>' in await told(desk.bert)
    assert await told(desk.anne) == "", "she proposed it herself"
    for role, sees in (("treasurer", True), ("collector", False), ("auditor", False)):
        other = await desk.street.person(desk.till.tenant, role)
        assert ("1 affectation" in await told(other)) == sees, role
        await other.client.aclose()
    [one] = (await desk.till.get(PATH, state="waiting"))["proposals"]
    await desk.decide(desk.bert, one["proposal_id"], do="approve")
    assert await told(desk.bert) == ""


IBAN = "FR7630006000011234567890189"


async def test_bank_details_are_counted_and_decided_by_another_administrator(desk: Desk) -> None:  # noqa: F811
    tenant, console = desk.till.tenant, desk.street.console
    first, second = [await desk.street.person(tenant, "administrator") for _ in range(2)]
    facts = {"entity_id": str(desk.till.entity), "iban": IBAN, "holder": "Armoréa SA"}
    made = await console.call("POST", "/bank-details", tenant, facts, subject="user:somebody")
    assert made.status_code == 201, made.text
    identity = UUID(made.json()["proposal_id"])
    assert f'<a class="link" href="{AT}">1 compte bancaire</a>' in await told(first)
    assert await told(desk.bert) == "", "a manager decides none"
    page = await first.page(AT)
    assert IBAN in page and "Armoréa SA" in page
    assert (await first.send(f"{AT}/accounts/{identity}", {"do": "approve"}, at=AT)).status_code == 303
    late = await second.send(f"{AT}/accounts/{identity}", {"do": "reject"}, at=AT)
    assert late.status_code == 409, late.text
    [kept] = (await console.call("GET", "/bank-details", tenant)).json()
    assert kept["state"] == "approved" and kept["decided_by"].startswith("user:")
    assert await told(first) == ""
    for each in (first, second):
        await each.client.aclose()


def waits(played: Owners) -> None:
    """What waits as its owners count it: of credit more than one call would list."""
    played.says["GET", "/v1/credit/undecided"] = {"count": 1302, "by_others": 1301}
    played.says["GET", "/v1/policies/undecided"] = {"count": 3, "by_others": 2}
    played.says["GET", "/v1/matching/proposals/undecided"] = {"count": 1, "by_others": 0}


async def test_credit_requests_and_drafts_are_counted_and_a_silent_owner_is_told(
    console: Console, settings: Settings
) -> None:
    tenant, _ = await console.tenant()
    with owners(console, settings) as played:
        browser = await console.sign_in(await console.user(tenant, "manager"))
        waits(played)
        page = (await browser.get("/")).text
        assert 'href="/credit/requests">1\u00a0301 demandes de crédit</a>' in page
        assert 'href="/policies">2 versions de politique</a>' in page
        assert "affectation de paiement" not in page
        asked = {one.path for one in played.asked}
        assert not asked & {"/v1/credit/limits", "/v1/policies", "/v1/matching/proposals"}, (
            "nothing is read to be counted"
        )
        played.says["GET", "/v1/policies/undecided"] = refusal(503, "unavailable")
        page = (await browser.get("/")).text
        assert "versions de politique : pas de réponse pour l’instant" in page
        assert "demandes de crédit</a>" in page
        collector = await console.sign_in(await console.user(tenant, "collector"))
        seen = (await collector.get("/")).text
        assert "demandes de crédit" not in seen and "versions de politique" in seen
        await browser.aclose()
        await collector.aclose()


async def test_the_page_says_that_the_payments_service_is_away(console: Console, settings: Settings) -> None:
    tenant, _ = await console.tenant()
    with owners(console, settings) as played:
        played.says["GET", LIMITS] = refusal(503, "unavailable")
        browser: httpx.AsyncClient = await console.sign_in(await console.user(tenant, "administrator"))
        page = await browser.get(AT)
        assert page.status_code == 200 and "ne répond pas" in page.text
        assert "Aucun montant" not in page.text
        await browser.aclose()
