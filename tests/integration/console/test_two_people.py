"""Beyond an amount the workbench says that a second person is needed, and a second person decides there; both doors
are real."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import httpx
import pytest

from libs.common.auth import ROLES
from libs.common.events import event
from libs.common.events.payments import PaymentReceived
from libs.common.money import Money
from tests.integration.console.conftest import Console
from tests.integration.console.street import Resident, Street, street  # noqa: F401 - the fixture itself
from tests.integration.console.test_read_model import hear
from tests.integration.payment_matching.test_two_people import PATH, limited, said
from tests.integration.payment_matching.till import NOW, Till, eur


@dataclass
class Desk:
    """A payment of 100 € that says nothing, an invoice of 100 €, and two treasurers; beyond 50 € it takes both."""

    street: Street
    till: Till
    payment: UUID
    anne: Resident
    bert: Resident

    @property
    def at(self) -> str:
        return f"/payments?state=left&line={self.payment}"

    async def propose(self) -> str:
        """Anne gives the payment to the invoice; what then waits."""
        fields = {"currency": "EUR", "item": str(self.till.item_id("FA-1"))}
        sent = await self.anne.send(f"/payments/{self.payment}/match", fields, at=self.at)
        assert sent.status_code == 303, sent.text
        page = await self.anne.page(self.at)
        assert "rien n’est encore affecté, une deuxième personne doit l’approuver" in page
        [found] = set(re.findall(r'action="/payments/proposals/([0-9a-f-]+)"', page))
        return str(found)

    async def decide(self, who: Resident, proposal: str, **fields: str) -> httpx.Response:
        return await who.send(f"/payments/proposals/{proposal}", fields, at=self.at)


@pytest.fixture
async def desk(console: Console, street: Street) -> AsyncIterator[Desk]:  # noqa: F811 - the fixture above
    tenant, _ = await console.tenant()
    app = street.apps["payment_matching"]
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app.http), base_url="http://matching")
    room = console.app.http.state.room
    console.app.http.state.room = replace(room, patience=0.0)
    loops = street.databases["payment_matching"]
    till = Till(street.settings, app, console.clock, loops, client, tenant, await console.entity(tenant))
    await till.furnish()
    await limited(till, 5_000)
    told = [till.customer("Dupont"), till.issued("FA-1", "Dupont", 10_000), till.issued("FA-2", "Dupont", 6_000)]
    await till.hear(*told)
    payment, money = await till.pay("P1", 10_000, "merci"), Money(10_000, "EUR")
    facts: dict[str, Any] = {"tenant_id": tenant, "version": 1, "entity_id": till.entity, "value_date": NOW.date()}
    facts |= {"payment_id": payment, "payer_id": till.debtor("Dupont")}
    came = PaymentReceived(**facts, amount=money, unapplied=money)
    await hear(street.databases["console"], [event(each, NOW) for each in (*told, came)])
    anne, bert = await street.person(tenant, "treasurer"), await street.person(tenant, "manager")
    yield Desk(street, till, payment, anne, bert)
    for each in (anne.client, bert.client, client):
        await each.aclose()
    console.app.http.state.room = room


async def test_what_one_person_proposes_the_payment_shows_and_another_approves(desk: Desk) -> None:
    proposal = await desk.propose()
    assert await desk.till.owed("FA-1") == 10_000
    page = await desk.anne.page(desk.at)
    assert "attend une deuxième personne" in page
    assert "Proposé par Yanis Benali" in page and "FA-1</a> Dupont SARL" in page
    assert re.search(r'<b class="num">100,00\s€</b> <span class="tag care">attend', page)
    assert "Vous l’avez proposé" in page and 'value="approve"' not in page
    assert f'action="/payments/{desk.payment}/match"' not in page, "first what waits is decided"
    own = await desk.decide(desk.anne, proposal, do="approve")
    assert own.status_code == 409
    assert "Une autre personne que celle qui l’a demandé doit en décider" in own.text

    assert 'value="approve"' in await desk.bert.page(desk.at)
    assert (await desk.decide(desk.bert, proposal, do="approve")).status_code == 303
    assert await desk.till.owed("FA-1") == 0
    page = await desk.bert.page(desk.at)
    assert "en vos deux noms" in page and "/payments/proposals/" not in page
    late = await desk.decide(desk.bert, proposal, do="approve")
    assert late.status_code == 409 and "C’est déjà fait" in late.text
    await desk.till.balanced()


async def test_what_was_refused_or_taken_back_can_be_proposed_anew(desk: Desk) -> None:
    first = await desk.propose()
    assert (await desk.decide(desk.bert, first, do="refuse")).status_code == 422, "it says why"
    assert (await desk.decide(desk.bert, first, do="refuse", why="pas celle-ci")).status_code == 303
    assert "cela peut être refait" in await desk.bert.page(desk.at)
    second = await desk.propose()
    assert second != first
    assert (await desk.decide(desk.anne, second, do="refuse", why="une erreur")).status_code == 303
    third = await desk.propose()
    assert (await desk.decide(desk.bert, third, do="approve")).status_code == 303
    assert await desk.till.owed("FA-1") == 0


async def test_what_no_longer_fits_is_told_and_waits_on(desk: Desk) -> None:
    proposal = await desk.propose()
    await desk.till.pay("P2", 10_000, "FA-1")
    assert await desk.till.owed("FA-1") == 0
    refused = await desk.decide(desk.bert, proposal, do="approve")
    assert refused.status_code == 409 and "la facture ne doit plus rien" in refused.text
    assert f'action="/payments/proposals/{proposal}"' in await desk.bert.page(desk.at)


async def test_a_write_off_that_waits_is_decided_on_the_same_page(desk: Desk) -> None:
    told = desk.till.issued("FA-3", "Dupont", 900)
    await desk.till.hear(told)
    await hear(desk.street.databases["console"], [event(told, NOW)])
    await limited(desk.till, 100)
    path = f"/v1/open-items/{desk.till.item_id('FA-3')}/write-offs"
    status, found = await said(desk.till, "user:carl", "POST", path, {"kind": "other"})
    assert status == 202, found
    page = await desk.bert.page("/payments?state=matched")
    assert "FA-3</a> Dupont SARL · passé en écart de règlement" in page
    assert (await desk.decide(desk.bert, found["proposal_id"], do="approve")).status_code == 303
    assert await desk.till.owed("FA-3") == 0


@pytest.mark.parametrize("role", sorted(role for role in ROLES if "payments:read" in ROLES[role]))
async def test_who_may_not_match_sees_what_waits_and_decides_nothing(desk: Desk, role: str) -> None:
    proposal = await desk.propose()
    reader = await desk.street.person(desk.till.tenant, role)
    may = "payments:write" in ROLES[role]
    page = await reader.page(desk.at)
    assert "Proposé par" in page and ("/payments/proposals/" in page) == may
    sent = await desk.decide(reader, proposal, do="approve")
    assert sent.status_code == (303 if may else 403)
    states = [one["state"] for one in (await desk.till.get(PATH))["proposals"]]
    assert states == ["approved" if may else "waiting"]
    await reader.client.aclose()


async def test_equals_that_take_two_are_told_apart(desk: Desk) -> None:
    pair = f"{desk.payment}:{desk.till.item_id('FA-1')}:100.00:EUR"
    assert (await desk.anne.send("/payments/accept", {"pair": pair}, at=desk.at)).status_code == 303
    assert "0 paiement(s) affecté(s), 1 en attente d’une deuxième personne" in await desk.anne.page(desk.at)
    [waits] = (await desk.till.get(PATH, state="waiting"))["proposals"]
    assert (waits["payment_id"], waits["amount"]) == (str(desk.payment), eur(10_000))


async def test_the_audit_tells_a_proposal_from_what_was_done(desk: Desk) -> None:
    proposal = await desk.propose()
    boss = await desk.street.person(desk.till.tenant, "administrator")
    page = await boss.page("/audit")
    assert "Affectation proposée" in page and "Paiement lettré" not in page
    await desk.decide(desk.bert, proposal, do="approve")
    page = await boss.page("/audit")
    assert "Affectation approuvée à deux" in page and "Paiement lettré" not in page
    await boss.client.aclose()


async def test_both_amounts_of_an_invoice_in_another_currency_wait_and_are_given_as_proposed(desk: Desk) -> None:
    told = desk.till.issued("US-1", "Dupont", 20_000, currency="USD")
    await desk.till.hear(told)
    await hear(desk.street.databases["console"], [event(told, NOW)])
    one = str(desk.till.item_id("US-1"))
    form = await desk.anne.page(desk.at)
    assert f'name="amount:{one}" data-owes="200.00"' in form and f'name="paid:{one}"' in form
    fields = {
        "currency": "EUR",
        "item": one,
        f"currency:{one}": "USD",
        f"amount:{one}": "200,00",
        f"paid:{one}": "92,15",
    }
    assert (await desk.anne.send(f"/payments/{desk.payment}/match", fields, at=desk.at)).status_code == 303
    page = await desk.bert.page(desk.at)
    assert "200,00\u00a0$US (92,15\u00a0€)" in page
    [proposal] = set(re.findall(r'action="/payments/proposals/([0-9a-f-]+)"', page))
    assert (await desk.decide(desk.bert, proposal, do="approve")).status_code == 303
    assert await desk.till.owed("US-1") == 0
    left = await desk.till.get(f"/v1/payments/{desk.payment}")
    assert (left["unapplied"], left["allocations"][0]["paid"]) == (eur(785), eur(9_215))
    await desk.till.balanced()
