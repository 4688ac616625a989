"""The tie-out page: both balances to the cent, what differs and why, and a person's word about a list that waits."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from libs.common.ids import uuid7
from libs.common.settings import Settings
from tests.integration.console.conftest import Console
from tests.integration.console.owners import Browser, Owners, owners

Desk = tuple[Browser, Owners, str]
SNAPSHOT = str(uuid7())


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def compared(entity: str, **facts: Any) -> dict[str, Any]:
    balance = {
        "ours": eur("640.00"),
        "theirs": eur("640.01"),
        "difference": eur("-0.01"),
        "control_account": eur("640.00"),
        "control_difference": eur("0.00"),
        "customers": 2,
        "customers_off": 1,
    }
    told = {
        "snapshot_id": SNAPSHOT,
        "entity_id": entity,
        "as_of": "2026-11-19",
        "state": "taken",
        "why": [],
        "received_at": "2026-11-20T06:00:00Z",
        "actor": "key",
        "decided_by": None,
        "lines": 7,
        "open_here": 7,
        "agreed": 6,
        "settled": 0,
        "held": True,
        "differences": [{"kind": "amount", "settled": False, "count": 1, "amount": eur("0.01")}],
        "balances": [balance],
    }
    return told | facts


@pytest.fixture
async def desk(console: Console, settings: Settings) -> AsyncIterator[Desk]:
    tenant, entity = await console.tenant()
    with owners(console, settings) as played:
        client = await console.sign_in(await console.user(tenant, "treasurer"))
        yield Browser(client, settings.public_url, uuid7(), uuid7(), []), played, str(entity)
        await client.aclose()


def say(played: Owners, entity: str, **facts: Any) -> None:
    whole = compared(entity, **facts)
    customer = {"customer": "C<2>", "debtor_id": str(uuid7()), "ours": eur("40.00"), "theirs": eur("40.01")}
    item = {"kind": "amount", "number": "FB<1>", "instalment": None, "item_id": None, "debtor_id": None}
    item |= {"ours": eur("40.00"), "theirs": eur("40.01"), "settled": False}
    customers = [customer | {"difference": eur("-0.01")}]
    played.says["GET", "/v1/tie-out"] = lambda _: _json([whole])
    played.says["GET", f"/v1/tie-out/{entity}"] = {"snapshot": whole, "customers": customers, "next": "more"}
    path = f"/v1/open-items/snapshots/{SNAPSHOT}"
    played.says["GET", f"{path}/differences"] = {"differences": [item], "next": None}
    played.says["POST", f"{path}/accept"] = whole | {"state": "accepted"}


def _json(told: Any) -> Any:
    return httpx.Response(200, json=told)


async def test_both_balances_stand_side_by_side_and_what_differs_is_named(desk: Desk) -> None:
    browser, played, entity = desk
    say(played, entity)
    page = (await browser.client.get("/tie-out")).text
    for words in ("640,01", "-0,01", "C&lt;2&gt;", "FB&lt;1&gt;", "Montant différent", "Relances en attente"):
        assert words in page.replace("−", "-").replace("\u00a0", " "), words
    assert "cursor=more" in page
    assert "/accept" not in page


async def test_a_list_that_waits_is_accepted_once_in_the_persons_name(desk: Desk) -> None:
    browser, played, entity = desk
    say(played, entity, state="waiting", why=["too_many_vanished"])
    page = await browser.client.get("/tie-out")
    assert "20 %" in page.text.replace("\u00a0", " ").replace("\u202f", " ")
    answer = await browser.send(f"/tie-out/{SNAPSHOT}/accept", {}, at="/tie-out")
    assert answer.status_code == 303, answer.text
    (told,) = played.did(f"/v1/open-items/snapshots/{SNAPSHOT}/accept")
    assert told.key
    assert told.subject.startswith("user:")


async def test_without_any_list_or_without_matching_the_page_says_so(desk: Desk) -> None:
    browser, played, _ = desk
    played.says["GET", "/v1/tie-out"] = lambda _: _json([])
    assert "relance ledger send" in (await browser.client.get("/tie-out")).text
    played.says["GET", "/v1/tie-out"] = lambda _: _away()
    assert "ne répond pas" in (await browser.client.get("/tie-out")).text


def _away() -> Any:
    return httpx.Response(503, json={"code": "unavailable", "detail": "Away."})
