"""The key figures page: what the scheduler counted, in both languages, and what it says when nothing can be counted."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.common.ids import uuid7
from libs.common.settings import Settings
from services.console.pages.web import Texts
from services.scheduler.balancing import STANDINGS
from tests.integration.console.conftest import Console
from tests.integration.console.owners import Browser, Owners, owners, refusal

Desk = tuple[Browser, Owners]
PERIOD = {"first": "2026-09-01", "last": "2026-09-30"}


def euros(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


ANSWERS: dict[str, Any] = {
    "/v1/kpis/collection": PERIOD | {"figures": [{
        "currency": "EUR", "owed_at_start": euros("1000.00"), "sold": euros("2500.00"), "owed_at_end": euros("900.00"),
        "not_due_at_end": euros("100.00"), "effectiveness": "0.7647", "items_settled": 3, "days_late": "12.5",
        "days_late_by_amount": "9.0", "cost_of_overdue": None,
    }]},
    "/v1/kpis/promises": PERIOD | {"figures": [{
        "currency": "EUR", "kept": 3, "partly_kept": 0, "broken": 1, "kept_rate": "0.7500",
        "promised": euros("4000.00"), "paid_in_time": euros("3000.00"), "paid_rate": "0.7500",
    }]},
    "/v1/kpis/reminders": PERIOD | {"reminders": 1240, "wrong": 2, "wrong_rate": "0.0016"},
    "/v1/kpis/steps": PERIOD | {"within_days": 10, "figures": [{
        "step": "friendly", "currency": "EUR", "items": 40, "settled": 22, "settled_rate": "0.5500",
        "reminded": euros("80000.00"), "settled_amount": euros("41000.00"),
    }]},
}  # fmt: skip


@pytest.fixture
async def desk(console: Console, settings: Settings) -> AsyncIterator[Desk]:
    tenant, _ = await console.tenant()
    with owners(console, settings) as scheduler:
        client = await console.sign_in(await console.user(tenant, "manager"))
        for path, answer in ANSWERS.items():
            scheduler.says["GET", path] = answer
        line = {"standing": "held", "state": "held", "reason": "gap", "count": 31}
        odd = {"standing": "stopped", "state": "stopped", "reason": "<i>odd</i>", "count": 1}
        day = {"entity_id": str(uuid7()), "on": "2026-09-29", "due": 32, "unanswered": 0, "balanced": True,
               "lines": [line, odd]}  # fmt: skip
        scheduler.says["GET", "/v1/daily-balance"] = {"double_reminders": 0, "balanced": True, "items": [day]}
        yield Browser(client, settings.public_url, uuid7(), uuid7(), []), scheduler
        await client.aclose()


async def test_the_figures_of_a_period_and_the_balance_of_yesterday_stand_on_one_page(desk: Desk) -> None:
    browser, scheduler = desk
    page = (await browser.client.get("/figures?first=2026-09-01&last=2026-09-30")).text
    for told in ("1\u00a0240", "76\u00a0%".replace("\u00a0", "&nbsp;"), "2\u00a0500,00\u00a0€", "Rappel courtois",
                 "un autre message est parti récemment", "équilibré", "32 étapes", "0,2&nbsp;%"):  # fmt: skip
        assert told in page, told
    assert "&lt;i&gt;odd&lt;/i&gt;" in page
    asked = {one.path: one.params for one in scheduler.asked if one.path.startswith("/v1/kpis")}
    assert set(asked) == set(ANSWERS) and all(params == PERIOD for params in asked.values())


async def test_what_cannot_be_counted_is_said_and_a_scheduler_that_is_away_too(desk: Desk) -> None:
    browser, scheduler = desk
    for path, answer in ANSWERS.items():
        scheduler.says["GET", path] = answer | ({"figures": []} if "figures" in answer else {})
    scheduler.says["GET", "/v1/daily-balance"] = {"double_reminders": 0, "balanced": True, "items": []}
    assert (await browser.client.get("/figures")).text.count("Rien à compter") == 3
    scheduler.says["GET", "/v1/kpis/steps"] = refusal(422, "no_period", field="last")
    wrong = await browser.client.get("/figures?first=2020-01-01&last=2026-09-30")
    assert wrong.status_code == 422 and "366 jours plus tard au plus" in wrong.text
    scheduler.says["GET", "/v1/kpis/steps"] = refusal(503, "unavailable")
    away = await browser.client.get("/figures")
    assert away.status_code == 200 and "ne répond pas" in away.text


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_place_of_the_balance_has_its_word(language: str) -> None:
    t = Texts(language)
    assert all(t.has(f"balance.standing.{standing}") for standing in STANDINGS.values())
