"""Operations: what waits for a decision reaches its owner; the emergency stop is heard and takes two clicks."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.common import dead_letters
from libs.common.auth import ROLES
from libs.common.db import Database
from libs.common.errors import Impossible
from libs.common.ids import uuid7
from libs.common.inbox import month_of
from libs.common.incoming import Incoming, Record
from libs.common.settings import Settings
from tests.integration.console.conftest import NOW, Console
from tests.integration.console.owners import Browser, Owners, owners

LETTER = {
    "letter_id": str(uuid7()),
    "consumer": "relance.scheduler",
    "type": "PaymentMatched",
    "topic": "relance.payments",
    "key": "k",
    "error": "Impossible: <b>no</b>",
    "attempts": 20,
    "state": "open",
    "set_aside_at": "2026-11-23T08:00:00Z",
    "behind": 3,
}
STOPPED = {"consumer": "relance.scheduler", "opened_at": "2026-11-23T08:00:00Z", "cause": "letters", "detail": "50"}
Desk = tuple[Browser, Owners]


def say_troubles(played_owners: Owners, delivery: str) -> None:
    def told(asked: Any) -> dict[str, Any]:
        mine = asked.owner == "scheduler"
        return {"service": asked.owner, "letters": [LETTER] if mine else [], "stopped": [STOPPED] if mine else []}

    played_owners.says["GET", "/internal/v1/operations"] = told
    uncertain = {"delivery_id": delivery, "recipient": "<compta>@client.example", "reply": None}
    played_owners.says["GET", "/v1/deliveries"] = {"deliveries": [uncertain], "next": None}
    played_owners.says["GET", "/v1/volume"] = {"sent": 60, "most": 50, "stopped_at": "2026-11-23T08:00:00Z"}


async def browser_of(console: Console, settings: Settings, role: str) -> Browser:
    tenant, _ = await console.tenant()
    client = await console.sign_in(await console.user(tenant, role))
    return Browser(client, settings.public_url, uuid7(), uuid7(), [])


@pytest.fixture
async def desk(console: Console, settings: Settings) -> AsyncIterator[Desk]:
    with owners(console, settings) as played_owners:
        browser = await browser_of(console, settings, "administrator")
        yield browser, played_owners
        await browser.client.aclose()


async def test_what_waits_for_a_decision_is_shown_and_decided_by_its_owner(desk: Desk) -> None:
    browser, played_owners = desk
    delivery = str(uuid7())
    say_troubles(played_owners, delivery)
    page = await browser.client.get("/operations")
    assert "Impossible: &lt;b&gt;no&lt;/b&gt;" in page.text
    assert "&lt;compta&gt;@client.example" in page.text
    assert "Le volume du jour est atteint" in page.text
    letter, at = LETTER["letter_id"], "/operations"
    played_owners.says["POST", f"/v1/deliveries/{delivery}/resolve"] = {}
    await browser.send(f"/operations/letters/scheduler/{letter}/replay", {}, at=at)
    await browser.send(f"/operations/letters/scheduler/{letter}/drop", {"reason": "sent again"}, at=at)
    await browser.send("/operations/consumers/scheduler/resume", {}, at=at)
    told = {"outcome": "not_sent", "why": "not in the log"}
    await browser.send(f"/operations/deliveries/{delivery}/resolve", told, at=at)
    await browser.send("/operations/volume", {"more": "40"}, at=at)
    posted = [one for one in played_owners.asked if one.method == "POST"]
    assert [(one.owner, one.path.rpartition("/")[2], one.body) for one in posted] == [
        ("scheduler", "replay", None),
        ("scheduler", "drop", {"reason": "sent again"}),
        ("scheduler", "resume", None),
        ("notifier", "resolve", told),
        ("notifier", "resume", {"more": 40}),
    ]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/operations/deliveries/{}/resolve", {"outcome": "sent"}),
        ("/operations/deliveries/{}/resolve", {"outcome": "maybe", "why": "x"}),
        ("/operations/letters/scheduler/{}/drop", {}),
        ("/operations/letters/nobody/{}/replay", {}),
        ("/operations/letters/scheduler/{}/burn", {}),
        ("/operations/volume", {"more": "many"}),
        ("/operations/stop", {"reason": " "}),
    ],
)
async def test_a_decision_without_its_reason_or_about_nothing_is_refused_here(
    desk: Desk, path: str, fields: dict[str, str]
) -> None:
    browser, played_owners = desk
    sent = await browser.send(path.format(uuid7()), fields, at="/operations", quiet=True)
    assert sent.status_code == 422
    assert all(one.method == "GET" for one in played_owners.asked)


async def test_the_emergency_stop_is_told_everywhere_and_ends_by_an_administrator(desk: Desk) -> None:
    browser, _ = desk
    stopped = await browser.send("/operations/stop", {"reason": "Erreur de modèle"}, at="/operations")
    assert stopped.status_code == 303, stopped.text
    page = await browser.client.get("/operations")
    assert "Arrêté : plus rien ne part." in page.text
    assert "Arrêt d’urgence : plus aucun envoi" in page.text or 'class="banner"' in page.text
    assert (await browser.send("/operations/start", {"reason": "Corrigé"}, at="/operations")).status_code == 303
    page = await browser.client.get("/operations")
    assert 'class="banner"' not in page.text


@pytest.mark.parametrize("role", sorted(ROLES))
async def test_a_role_decides_only_what_it_may(console: Console, settings: Settings, role: str) -> None:
    with owners(console, settings) as played_owners:
        browser = await browser_of(console, settings, role)
        scopes = ROLES[role]
        played_owners.says["POST", "/v1/volume/resume"] = {}
        for path, fields, scope in (
            (f"/operations/letters/scheduler/{uuid7()}/replay", {}, "directory:admin"),
            ("/operations/consumers/notifier/resume", {}, "directory:admin"),
            ("/operations/volume", {"more": "5"}, "notices:approve"),
            ("/operations/start", {"reason": "x"}, "directory:admin"),
        ):
            sent = await browser.send(path, fields, at="/customers")
            assert sent.status_code == (303 if scope in scopes else 403), path
        await browser.client.aclose()


async def test_a_services_door_shows_and_takes_decisions_for_the_callers_tenant_alone(
    console: Console, settings: Settings
) -> None:
    tenant, _ = await console.tenant()
    loops = Database(settings, "console", "loop")
    lying = Record("relance.payments", 0, 7, None, {"ce_type": "relance.PaymentMatched.v1"}, b"{}")
    record = Incoming(lying, uuid7(), tenant, month_of(NOW, NOW))
    async with loops.transaction() as db:
        assert await dead_letters.set_aside(db, "relance.console", record, Impossible("no"), 1)
    await loops.close()
    other, _ = await console.tenant()
    async with console.client() as client:
        path = "/internal/v1/operations"
        mine = (await client.get(path, headers=console.token(tenant))).json()
        [letter] = mine["letters"]
        assert "no" in letter["error"]
        assert (await client.get(path, headers=console.token(other))).json()["letters"] == []
        act = f"{path}/letters/{letter['letter_id']}"
        stranger = await client.post(f"{act}/replay", headers=console.token(other))
        assert stranger.status_code == 404
        reader = await client.post(f"{act}/replay", headers=console.token(tenant, roles=("manager",)))
        assert reader.status_code == 403
        dropped = await client.post(f"{act}/drop", json={"reason": "x"}, headers=console.token(tenant))
        assert dropped.json() == {"state": "drop"}
        key = await client.get(path, headers={"authorization": "Bearer rk_test_x_y"})
        assert key.status_code == 401
