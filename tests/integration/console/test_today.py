"""Today: one notice is approved, said otherwise or postponed; calls, replies, promises and holds are dealt with."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from libs.common.db import Database
from libs.common.events import event
from libs.common.events.deliveries import TaskOpened
from libs.common.ids import case_id, uuid7
from libs.common.settings import Settings
from services.console.tables import read_model as model
from tests.integration.console.conftest import NOW, Console
from tests.integration.console.history import History, played
from tests.integration.console.owners import Browser, Owners, owners, refusal
from tests.integration.console.test_read_model import hear

KINDS = ("call", "reply")


@pytest.fixture(scope="module")
async def history(console: Console, settings: Settings) -> History:
    tenant, _ = await console.tenant()
    told = played(tenant, 9, debtors=5, invoices=60)
    loops = Database(settings, "console", "loop")
    payer = next(iter(told.invoices.values()))["debtor"]
    about = {"tenant_id": tenant, "version": 1, "entity_id": told.entity, "payer_id": payer, "due_on": NOW.date()}
    calls = [TaskOpened(**about, case_id=case_id(tenant, payer), task_id=uuid7(), kind=kind) for kind in KINDS]
    await hear(loops, [*told.events, *(event(each, NOW) for each in calls)], 200)
    await loops.close()
    return told


Desk = tuple[Browser, Owners]


@pytest.fixture
async def desk(console: Console, settings: Settings, history: History) -> AsyncIterator[Desk]:
    with owners(console, settings) as played_owners:
        client = await console.sign_in(await console.user(history.tenant, "collector"))
        debtor = next(iter(history.invoices.values()))["debtor"]
        yield Browser(client, settings.public_url, debtor, debtor, []), played_owners
        await client.aclose()


async def waiting(console: Console, history: History, table: Any, *where: Any) -> Any:
    """One row of the read model that waits."""
    async with console.room.database.transaction(history.tenant) as db:
        row = (await db.execute(select(table).where(table.c.tenant_id == history.tenant, *where))).first()
    assert row is not None
    return row


async def a_notice(console: Console, history: History) -> Any:
    return await waiting(console, history, model.notice, model.notice.c.state == "proposed")


def words(notice: Any, **facts: Any) -> dict[str, Any]:
    """A notice as the notifier shows it."""
    return {
        "id": str(notice.notice_id),
        "version": 4,
        "kind": notice.kind,
        "approval": "confirm",
        "first_approver": None,
        "edited_by": None,
        "channel": "email",
        "subject": "Vos factures <échues>",
        "text": "Bonjour",
        "html": "<p>Bonjour <b>Mme Aubry</b><script>alert(1)</script></p>",
        "note": "Mes mots",
        "sums": [{"amount": "120.50", "currency": "EUR"}],
        "lines": [{}],
        "deliveries": [{"recipient": "compta@client.example"}],
        **facts,
    }


async def test_the_opened_notice_shows_what_it_asks_and_is_approved_alone(
    console: Console, history: History, desk: Desk
) -> None:
    browser, played_owners = desk
    notice = await a_notice(console, history)
    played_owners.says["GET", f"/v1/notices/{notice.notice_id}"] = words(notice)
    played_owners.says["POST", "/v1/notices/approve"] = {"approved": [], "awaiting_second": []}
    tab = "formal" if notice.kind == "formal_notice" else "send"
    page = await browser.client.get(f"/?tab={tab}&line={notice.notice_id}")
    assert "Vos factures &lt;échues&gt;" in page.text
    assert f'src="/notices/{notice.notice_id}/message"' in page.text
    assert "sandbox" in page.text
    sent = {"id": str(notice.notice_id), "as_of": "2026-11-23T08:42:00+00:00", "currency": "EUR", "amount": "120.50"}
    done = await browser.send("/notices/approve", sent, at=f"/?tab={tab}&line={notice.notice_id}")
    assert done.status_code == 303
    [asked] = played_owners.did("/v1/notices/approve")
    assert asked.body["ids"] == [str(notice.notice_id)]
    assert (asked.body["count"], asked.body["sums"]) == (1, [{"amount": "120.50", "currency": "EUR"}])


async def test_a_message_stands_alone_in_a_frame_where_nothing_runs(
    console: Console, history: History, desk: Desk
) -> None:
    browser, played_owners = desk
    notice = await a_notice(console, history)
    played_owners.says["GET", f"/v1/notices/{notice.notice_id}"] = words(notice)
    shown = await browser.client.get(f"/notices/{notice.notice_id}/message")
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox;" in policy
    assert "script-src" not in policy
    assert shown.headers["x-frame-options"] == "SAMEORIGIN"
    assert shown.headers["x-content-type-options"] == "nosniff"
    guessed = await browser.client.get(f"/notices/{uuid7()}/message")
    assert guessed.status_code == 404


async def test_a_notice_is_said_otherwise_only_as_it_was_seen(console: Console, history: History, desk: Desk) -> None:
    browser, played_owners = desk
    notice, new = await a_notice(console, history), uuid7()
    path = f"/v1/notices/{notice.notice_id}"
    played_owners.says["GET", path] = words(notice)
    played_owners.says["PATCH", path] = {"id": str(new), "replaces": str(notice.notice_id)}
    told = {
        "version": "4",
        "kind": notice.kind,
        "recipient": ["compta@client.example"],
        "other": "dg@client.example; compta@client.example",
        "note": "Bonjour Madame,\r\nsuite à notre appel",
    }
    done = await browser.send(f"/notices/{notice.notice_id}/edit", told)
    assert done.headers["location"].endswith(f"line={new}")
    [asked] = played_owners.did(path)
    assert asked.body == {
        "recipients": ["compta@client.example", "dg@client.example"],
        "note": "Bonjour Madame,\nsuite à notre appel",
    }
    played_owners.says["PATCH", path] = refusal(412, "precondition_failed")
    stale = await browser.send(f"/notices/{notice.notice_id}/edit", told, quiet=True)
    assert stale.status_code == 412
    assert "Quelqu’un l’a changé entre-temps" in stale.text
    nobody = await browser.send(f"/notices/{notice.notice_id}/edit", {"note": "x"}, quiet=True)
    assert 'data-field="recipient"' in nobody.text


async def test_a_notice_is_postponed_by_a_hold_that_ends_by_itself(
    console: Console, history: History, desk: Desk
) -> None:
    browser, played_owners = desk
    notice = await a_notice(console, history)
    done = await browser.send(f"/notices/{notice.notice_id}/postpone", {"review_on": "2026-11-30"})
    assert done.status_code == 303
    [asked] = played_owners.did("/v1/holds")
    assert asked.body == {
        "scope": "case",
        "scope_id": str(notice.case_id),
        "kind": "manual",
        "reason": "postponed",
        "review_on": "2026-11-30",
        "lift_at_review": True,
    }


async def test_a_formal_notice_that_i_approved_first_waits_for_somebody_else(
    console: Console, history: History, desk: Desk
) -> None:
    browser, played_owners = desk
    notice = await a_notice(console, history)
    page = await browser.client.get("/")
    me = next(one.subject for one in played_owners.asked) if played_owners.asked else None
    facts = words(notice, approval="four_eyes", first_approver=me)
    played_owners.says["GET", f"/v1/notices/{notice.notice_id}"] = facts
    tab = "formal" if notice.kind == "formal_notice" else "send"
    page = await browser.client.get(f"/?tab={tab}&line={notice.notice_id}")
    assert "une autre personne doit le faire aussi" in page.text
    assert 'action="/notices/approve"' not in page.text
    played_owners.says["GET", f"/v1/notices/{notice.notice_id}"] = facts | {"first_approver": f"user:{uuid7()}"}
    page = await browser.client.get(f"/?tab={tab}&line={notice.notice_id}")
    assert "Première approbation donnée" in page.text
    assert 'action="/notices/approve"' in page.text


async def test_a_call_of_the_list_ends_with_its_promise_under_one_form(
    console: Console, history: History, desk: Desk
) -> None:
    browser, played_owners = desk
    task = await waiting(console, history, model.task, model.task.c.outcome.is_(None), model.task.c.kind != "reply")
    played_owners.says["POST", f"/v1/tasks/{task.task_id}/outcome"] = {"task_id": str(task.task_id)}
    told = {"outcome": "promise", "amount": "99,90", "currency": "EUR", "promised_for": "2026-11-30"}
    for _ in range(2):
        assert (await browser.send(f"/tasks/{task.task_id}/outcome", told, at="/?tab=calls")).status_code == 303
    assert [one.path for one in played_owners.done] == ["/v1/promises", f"/v1/tasks/{task.task_id}/outcome"]
    stranger = await browser.send(f"/tasks/{uuid7()}/outcome", {"outcome": "done"}, at="/?tab=calls")
    assert stranger.status_code == 404


@pytest.mark.parametrize("tab", ["promises", "blocked", "calls", "replies"])
async def test_a_tab_opens_its_first_line_with_its_acts(
    console: Console, history: History, desk: Desk, tab: str
) -> None:
    browser, _ = desk
    page = await browser.client.get(f"/?tab={tab}")
    assert page.status_code == 200, page.text
    count = int(page.text.split(f"tab={tab}")[1].split('class="figure">')[1].split("<")[0])
    assert ('tr class="on"' in page.text) == bool(count)


async def test_a_line_that_is_on_no_page_yet_opens_by_its_id(console: Console, history: History, desk: Desk) -> None:
    browser, _ = desk
    notice = await a_notice(console, history)
    tab = "formal" if notice.kind == "formal_notice" else "send"
    page = await browser.client.get(f"/?tab={tab}&q=nobody-like-this&line={notice.notice_id}")
    assert f'href="/customers/{notice.payer_id}"' in page.text
    other: UUID = uuid7()
    assert (await browser.client.get(f"/?tab={tab}&line={other}")).status_code == 200


async def test_a_line_is_called_by_its_step(console: Console, history: History, desk: Desk, settings: Settings) -> None:
    browser, _ = desk
    notice = await waiting(
        console, history, model.notice, model.notice.c.state == "proposed", model.notice.c.kind == "reminder"
    )
    loops, reminder = Database(settings, "console", "loop"), model.reminder
    mine = (reminder.c.tenant_id == history.tenant, reminder.c.reminder_id == notice.reminder_id)
    for step, called in (("firm", "Relance ferme"), ("a_step_of_theirs", "Relance")):
        async with loops.transaction() as db:
            await db.execute(update(reminder).where(*mine).values(step_key=step))
        page = (await browser.client.get(f"/?line={notice.notice_id}&mine=no")).text
        pane = page.partition('aria-labelledby="pane-h"')[2]
        assert f'<p class="small">{called}' in pane, step
    await loops.close()
