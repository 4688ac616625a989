"""Approving: the console asks the notifier as the person, shows its count and sums, and sends exactly those."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest

from libs.common.auth import opened_token
from libs.common.calls import Peers
from libs.common.settings import Settings
from services.console.room import Room
from tests.integration.console.conftest import Console, csrf
from tests.integration.console.street import lived


@dataclass
class Notifier:
    """The notifier's side of the contract: what waits, and what was asked of it."""

    settings: Settings
    waiting: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    callers: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    changed: bool = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        caller = opened_token(self.settings, token, audience="notifier")
        self.callers.append((caller.subject, caller.roles))
        if request.url.path == "/v1/notices" and request.method == "GET":
            return httpx.Response(200, json={"notices": self.waiting, "as_of": "2026-11-23T08:42:00Z", "next": None})
        if request.url.path == "/v1/notices/approve":
            self.asked.append(orjson.loads(request.content))
            self.keys.append(request.headers.get("idempotency-key"))
            if self.changed:
                said = {"code": "set_changed", "title": "changed", "status": 409, "detail": "Look again."}
                return httpx.Response(409, json=said)
            return httpx.Response(200, json={"approved": self.asked[-1]["ids"], "awaiting_second": []})
        return httpx.Response(404, json={"code": "not_found", "title": "", "status": 404, "detail": ""})


@dataclass
class Desk:
    """A collector's browser, the notifier it talks to, and the notices that wait."""

    browser: httpx.AsyncClient
    notifier: Notifier
    ids: list[str]
    origin: dict[str, str]

    async def post(self, path: str, fields: dict[str, Any]) -> httpx.Response:
        token = csrf(await self.browser.get("/operations"))
        return await self.browser.post(path, data={"csrf": token, **fields}, headers=self.origin)


@pytest.fixture
async def desk(console: Console, settings: Settings) -> AsyncIterator[Desk]:
    tenant, _ = await console.tenant()
    history = await lived(settings, tenant, 9, debtors=4, invoices=30)
    told = {}
    for each in history.events:
        if each.type in ("ReminderProposed", "ReminderSent"):
            told[each.subject] = each.type
    ids = [str(notice) for notice, last in told.items() if last == "ReminderProposed"]
    sums = [{"amount": "100.10", "currency": "EUR"}]
    notifier = Notifier(settings, [{"id": identity, "sums": sums, "kind": "reminder"} for identity in ids])
    before: Room = console.app.http.state.room
    client = httpx.AsyncClient(transport=httpx.MockTransport(notifier))
    console.app.http.state.room = replace(before, peers=Peers(settings, "console", client=client))
    browser = await console.sign_in(await console.user(tenant, "collector"))
    yield Desk(browser, notifier, ids, {"origin": settings.public_url})
    await browser.aclose()
    await client.aclose()
    console.app.http.state.room = before


def fields(page: httpx.Response) -> dict[str, Any]:
    """The hidden fields of the confirmation, as the browser would send them."""
    inside = page.text[page.text.index('action="/notices/approve"') :]
    found: dict[str, Any] = {}
    for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', inside[: inside.index("</form>")]):
        if name != "csrf":
            found.setdefault(name, []).append(value)
    return found


async def test_the_whole_queue_is_approved_with_its_count_and_sum(desk: Desk) -> None:
    shown = await desk.post("/notices/review", {"all": "yes", "next": "/?tab=send"})
    assert shown.status_code == 200, shown.text
    assert "Approuver" in shown.text
    done = await desk.post("/notices/approve", fields(shown))
    assert (done.status_code, done.headers["location"]) == (303, "/?tab=send")
    (asked,) = desk.notifier.asked
    assert sorted(asked["ids"]) == sorted(desk.ids)
    assert asked["count"] == len(desk.ids)
    assert asked["as_of"] == "2026-11-23T08:42:00Z"
    minor = 10010 * len(desk.ids)
    assert asked["sums"] == [{"amount": f"{minor // 100}.{minor % 100:02}", "currency": "EUR"}]


async def test_a_double_click_sends_one_command_under_one_key(desk: Desk) -> None:
    shown = await desk.post("/notices/review", {"id": desk.ids[:1], "next": "/"})
    told = fields(shown)
    await desk.post("/notices/approve", told)
    await desk.post("/notices/approve", told)
    first, second = desk.notifier.keys
    assert first == second
    assert first


async def test_the_notifier_is_asked_as_the_person_with_their_roles(desk: Desk) -> None:
    await desk.post("/notices/review", {"id": desk.ids[:2], "next": "/"})
    subject, roles = desk.notifier.callers[-1]
    assert subject.startswith("user:")
    assert UUID(subject.removeprefix("user:"))
    assert roles == {"collector"}


async def test_a_notice_that_no_longer_waits_is_told_and_left_out(desk: Desk) -> None:
    del desk.notifier.waiting[0]
    shown = await desk.post("/notices/review", {"id": desk.ids[:2], "next": "/"})
    assert "n’attend plus d’approbation" in shown.text
    assert fields(shown)["id"] == desk.ids[1:2]


async def test_a_set_that_changed_meanwhile_is_refused_with_what_to_do(desk: Desk) -> None:
    shown = await desk.post("/notices/review", {"id": desk.ids[:1], "next": "/"})
    desk.notifier.changed = True
    refused = await desk.post("/notices/approve", fields(shown))
    assert refused.status_code == 409
    assert "La liste a changé entre-temps" in refused.text


async def test_an_approval_does_not_lead_to_another_host(desk: Desk) -> None:
    shown = await desk.post("/notices/review", {"id": desk.ids[:1], "next": "//evil.example"})
    done = await desk.post("/notices/approve", fields(shown))
    assert done.headers["location"] == "/"


async def test_ids_that_are_none_are_refused(desk: Desk) -> None:
    refused = await desk.post("/notices/review", {"id": ["'; drop table"], "next": "/"})
    assert refused.status_code == 422
