"""Acts on a customer: each reaches its owner once, as the person; what is refused is told where it was asked."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from libs.common.auth import ROLES
from libs.common.db import Database
from libs.common.events import event
from libs.common.events.invoices import DebtorErased
from libs.common.ids import case_id, uuid7
from libs.common.settings import Settings
from services.console.store import notes
from services.console.tables import audit, note, read_model
from tests.integration.console.conftest import NOW, Console, csrf
from tests.integration.console.history import History
from tests.integration.console.owners import Browser, Owners, owners, refusal
from tests.integration.console.street import lived


@pytest.fixture(scope="module")
async def history(console: Console, settings: Settings) -> History:
    tenant, _ = await console.tenant()
    return await lived(settings, tenant, 11, debtors=4, invoices=40)


async def browser_of(console: Console, history: History, role: str) -> Browser:
    invoice = next(each for each in history.invoices.values())
    client = await console.sign_in(await console.user(history.tenant, role))
    items = [uuid7(), uuid7()]
    return Browser(client, console.settings.public_url, invoice["debtor"], invoice["debtor"], items)


@pytest.fixture
async def desk(console: Console, settings: Settings, history: History) -> AsyncIterator[tuple[Browser, Owners]]:
    with owners(console, settings) as played_owners:
        browser = await browser_of(console, history, "collector")
        yield browser, played_owners
        await browser.client.aclose()


def path(browser: Browser, act: str) -> str:
    return f"/customers/{browser.debtor}/{act}"


HOLD = {"kind": "manual", "reason": "Attend un avoir", "review_on": "2026-12-07"}
PROMISE = {"amount": "1 250,50", "currency": "EUR", "promised_for": "2026-11-30"}


async def test_a_hold_reaches_the_scheduler_as_the_person_and_can_be_undone(desk: tuple[Browser, Owners]) -> None:
    browser, played_owners = desk
    done = await browser.send(path(browser, "hold"), HOLD)
    assert (done.status_code, done.headers["location"]) == (303, f"/customers/{browser.debtor}")
    [asked] = played_owners.did("/v1/holds")
    assert asked.subject.startswith("user:")
    assert asked.roles == {"collector"}
    assert asked.body | {"scope": "payer", "scope_id": str(browser.debtor), "lift_at_review": False} == asked.body
    assert asked.body["reason"] == "Attend un avoir"
    page = await browser.client.get(done.headers["location"])
    assert "Les relances sont suspendues." in page.text
    assert 'action="/holds/lift?id=' in page.text
    again = await browser.client.get(done.headers["location"])
    assert "Les relances sont suspendues." not in again.text, "it is told once"
    undone = await browser.send(f"/holds/lift?id={uuid7()}", {})
    assert undone.status_code == 303
    assert played_owners.done[-1].path.endswith("/lift")


async def test_chosen_invoices_are_held_one_by_one_under_keys_of_their_own(desk: tuple[Browser, Owners]) -> None:
    browser, played_owners = desk
    fields = {**HOLD, "kind": "exclusion", "item": [str(each) for each in browser.items]}
    for _ in range(2):
        assert (await browser.send(path(browser, "hold"), fields)).status_code == 303
    asked = played_owners.did("/v1/holds")
    assert [(one.body["scope"], one.body["scope_id"], one.body["kind"]) for one in asked] == [
        ("item", str(each), "exclusion") for each in browser.items
    ], "a double click does nothing twice"
    assert len({one.key for one in asked}) == 2


async def test_a_promise_carries_its_amount_as_it_was_typed_in_french(desk: tuple[Browser, Owners]) -> None:
    browser, played_owners = desk
    assert (await browser.send(path(browser, "promise"), PROMISE)).status_code == 303
    [asked] = played_owners.did("/v1/promises")
    assert asked.body["amount"] == {"amount": "1250.50", "currency": "EUR"}
    assert asked.body["promised_for"] == "2026-11-30"


async def test_a_call_with_a_promise_notes_the_promise_first_and_the_call_after_it(
    desk: tuple[Browser, Owners],
) -> None:
    browser, played_owners = desk
    fields = {"outcome": "promise", "remark": "Vu avec Mme Aubry", **PROMISE}
    assert (await browser.send(path(browser, "call"), fields)).status_code == 303
    assert [one.path for one in played_owners.done] == ["/v1/promises", "/v1/calls"]
    assert played_owners.done[1].body == {
        "outcome": "promise",
        "remark": "Vu avec Mme Aubry",
        "payer_id": str(browser.payer),
    }


async def test_a_call_is_not_noted_when_its_promise_is_refused(desk: tuple[Browser, Owners]) -> None:
    browser, played_owners = desk
    played_owners.says["POST", "/v1/promises"] = refusal(422, "amount_too_large", field="amount")
    refused = await browser.send(path(browser, "call"), {"outcome": "promise", **PROMISE}, quiet=True)
    assert refused.status_code == 422
    assert 'data-field="amount"' in refused.text
    assert "Le montant dépasse ce qui est dû" in refused.text
    assert "Réduisez le montant" in refused.text
    assert "<html" not in refused.text, "it is told at the form"
    assert played_owners.done == []


async def test_a_refusal_without_a_script_is_a_page_that_leads_back(desk: tuple[Browser, Owners]) -> None:
    browser, _ = desk
    page = await browser.client.get(f"/customers/{browser.debtor}")
    told = {"csrf": csrf(page), "key": "k", "next": "/", **HOLD, "review_on": "tomorrow"}
    headers = {"origin": browser.origin, "referer": f"{browser.origin}/customers/{browser.debtor}?x=1"}
    refused = await browser.client.post(path(browser, "hold"), data=told, headers=headers)
    assert refused.status_code == 422
    assert f'href="/customers/{browser.debtor}?x=1"' in refused.text
    nowhere = await browser.client.post(path(browser, "hold"), data=told, headers=headers | {"referer": "http://["})
    assert nowhere.status_code == 422


async def test_disputes_are_opened_for_each_ticked_invoice_and_none_without(desk: tuple[Browser, Owners]) -> None:
    browser, played_owners = desk
    nothing = await browser.send(path(browser, "dispute"), {"reason": "quality"}, quiet=True)
    assert nothing.status_code == 422
    assert "Aucune facture n’est cochée" in nothing.text
    fields = {"reason": "quality", "item": [str(each) for each in browser.items], "review_on": "2026-12-07"}
    assert (await browser.send(path(browser, "dispute"), fields)).status_code == 303
    assert [one.body["item_id"] for one in played_owners.did("/v1/disputes")] == [str(e) for e in browser.items]
    two = await browser.send(path(browser, "dispute"), {**fields, "amount": "10"}, quiet=True)
    assert two.status_code == 422


@pytest.mark.parametrize("outcome", ["upheld", "rejected", "withdrawn"])
async def test_a_dispute_is_ended_with_its_outcome(desk: tuple[Browser, Owners], outcome: str) -> None:
    browser, played_owners = desk
    identity = uuid7()
    assert (await browser.send(f"/disputes/resolve?id={identity}", {"outcome": outcome})).status_code == 303
    [asked] = played_owners.did("/v1/disputes")
    assert (asked.path, asked.body) == (f"/v1/disputes/{identity}/resolve", {"outcome": outcome})


async def test_an_owner_that_is_away_took_nothing_and_says_so(desk: tuple[Browser, Owners]) -> None:
    browser, played_owners = desk
    played_owners.says["POST", "/v1/holds"] = httpx.Response(503)
    away = await browser.send(path(browser, "hold"), HOLD, quiet=True)
    assert away.status_code == 503
    assert "rien n’a été pris" in away.text.replace("\u00a0", " ") or "ne répond pas" in away.text


async def test_a_note_stands_on_the_file_and_its_author_alone_takes_it_back(
    console: Console, history: History, desk: tuple[Browser, Owners]
) -> None:
    browser, _ = desk
    text = "<script>alert(1)</script> rappeler lundi"
    assert (await browser.send(path(browser, "note"), {"text": text, "pinned": "yes"})).status_code == 303
    page = await browser.client.get(f"/customers/{browser.debtor}")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; rappeler lundi" in page.text
    assert "<script>alert" not in page.text
    async with console.room.database.transaction(history.tenant) as db:
        [kept] = await notes.of_debtors(db, history.tenant, {browser.debtor})
        told = (await db.execute(select(audit.c.action).where(audit.c.tenant_id == history.tenant))).scalars().all()
    assert "note.added" in told
    other = await browser_of(console, history, "manager")
    refused = await other.send(f"/notes/{kept['note_id']}/remove", {})
    assert refused.status_code == 404
    await other.client.aclose()
    assert (await browser.send(f"/notes/{kept['note_id']}/remove", {})).status_code == 303


async def test_what_was_noted_goes_with_the_customer(
    console: Console, settings: Settings, history: History, desk: tuple[Browser, Owners]
) -> None:
    browser, _ = desk
    await browser.send(path(browser, "note"), {"text": "Secret"})
    erased = event(DebtorErased(tenant_id=history.tenant, version=99, debtor_id=browser.debtor), NOW)
    loops = Database(settings, "console", "loop")
    async with loops.transaction() as db:
        await notes.erased(db, [erased])
        left = (await db.execute(select(note).where(note.c.debtor_id == browser.debtor))).all()
    await loops.close()
    assert left == []


EXPLAINED: dict[str, Any] = {
    "number": "F1",
    "due_date": "2026-10-01",
    "reasons": [{"code": "promised", "fr": "Une promesse court.", "en": "A promise runs."}],
    "next_step": "firm",
    "next_on": "2026-12-03",
    "level": 2,
    "residual": {"amount": "10.00", "currency": "EUR"},
    "policy": "Standard",
    "policy_number": 3,
    "history": [{"step": "friendly", "on": "2026-10-05", "state": "sent", "tone": 1, "cycle": 0, "release": 1}],
}


async def test_why_is_one_question_to_the_scheduler_as_a_page_or_a_part_of_one(
    console: Console, history: History, desk: tuple[Browser, Owners]
) -> None:
    browser, played_owners = desk
    item = await an_item(console, history)
    explained = EXPLAINED | {"item_id": str(item), "invoice_id": str(uuid7())}
    played_owners.says["GET", f"/v1/items/{item}/explain"] = explained
    page = await browser.client.get(f"/items/{item}/why")
    assert "Une promesse court." in page.text
    assert "03/12/2026" in page.text
    part = await browser.client.get(f"/items/{item}/why?at=2026-10-10", headers={"x-relance-part": "1"})
    assert "<html" not in part.text
    assert played_owners.asked[-1].params["at"].startswith("2026-10-10T23:59:00")
    guessed = await browser.client.get(f"/items/{uuid7()}/why")
    assert guessed.status_code == 404


async def an_item(console: Console, history: History) -> UUID:
    async with console.room.database.transaction(history.tenant) as db:
        asked = select(read_model.item.c.item_id).where(read_model.item.c.tenant_id == history.tenant)
        found: UUID = (await db.execute(asked.where(read_model.item.c.invoice_id.is_not(None)))).scalars().first()  # type: ignore[assignment]
        return found


ACTS = {"hold": "reminders:write", "promise": "reminders:write", "dispute": "reminders:write", "call": "notices:write"}


@pytest.mark.parametrize("role", sorted(ROLES))
async def test_a_role_does_what_its_scopes_allow_and_sees_no_other_button(
    console: Console, settings: Settings, history: History, role: str
) -> None:
    with owners(console, settings) as played_owners:
        browser = await browser_of(console, history, role)
        if role == "sales_owner":
            assert (await browser.client.get(f"/customers/{browser.debtor}")).status_code == 404, "not an own customer"
            await browser.client.aclose()
            return
        page = await browser.client.get(f"/customers/{browser.debtor}")
        for act, scope in ACTS.items():
            allowed = scope in ROLES[role]
            assert (f'action="{path(browser, act)}"' in page.text) == allowed, act
            fields = {**HOLD, **PROMISE, "outcome": "reached", "reason": "quality", "item": [str(browser.items[0])]}
            sent = await browser.send(path(browser, act), fields)
            assert sent.status_code == (303 if allowed else 403), act
        assert bool(played_owners.done) == (role not in ("auditor", "treasurer"))
        await browser.client.aclose()


@pytest.mark.parametrize("act", ["hold", "promise", "dispute", "call", "note"])
async def test_nothing_is_done_about_a_customer_of_another_tenant(
    console: Console, settings: Settings, history: History, act: str
) -> None:
    tenant, _ = await console.tenant()
    with owners(console, settings) as played_owners:
        stranger = await console.sign_in(await console.user(tenant, "manager"))
        browser = Browser(stranger, settings.public_url, next(iter(history.invoices.values()))["debtor"], uuid7(), [])
        sent = await browser.send(path(browser, act), {**HOLD, **PROMISE, "text": "x"}, at="/customers")
        assert sent.status_code == 404
        assert played_owners.asked == []
        await stranger.aclose()


async def test_a_promise_is_made_about_the_case_of_who_pays(history: History, desk: tuple[Browser, Owners]) -> None:
    browser, played_owners = desk
    await browser.send(path(browser, "promise"), PROMISE)
    assert played_owners.done[0].body["case_id"] == str(case_id(history.tenant, browser.payer))
