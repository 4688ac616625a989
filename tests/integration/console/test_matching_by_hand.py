"""The workbench: a suggestion is one command, parts are as typed, account, rejection and undo reach their owner."""

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from libs.common.auth import ROLES
from libs.common.db import Database
from libs.common.events import event
from libs.common.events.payments import PaymentReceived
from libs.common.ids import uuid7
from libs.common.money import Money
from libs.common.settings import Settings
from services.console.tables import read_model as model
from tests.integration.console.conftest import NOW, Console
from tests.integration.console.history import History, played
from tests.integration.console.owners import Browser, Owners, owners, refusal
from tests.integration.console.test_read_model import hear

PAYMENT, OTHER = uuid7(), uuid7()
Desk = tuple[Browser, Owners]


@pytest.fixture(scope="module")
async def history(console: Console, settings: Settings) -> History:
    tenant, _ = await console.tenant()
    told = played(tenant, 21, debtors=4, invoices=40)
    money = Money(123_456, "EUR")
    facts = {"tenant_id": tenant, "version": 1, "entity_id": told.entity, "value_date": NOW.date()}
    came = [PaymentReceived(**facts, payment_id=each, amount=money, unapplied=money) for each in (PAYMENT, OTHER)]
    loops = Database(settings, "console", "loop")
    await hear(loops, [*told.events, *(event(each, NOW) for each in came)], 200)
    await loops.close()
    return told


@pytest.fixture
async def desk(console: Console, settings: Settings, history: History) -> AsyncIterator[Desk]:
    with owners(console, settings) as played_owners:
        client = await console.sign_in(await console.user(history.tenant, "treasurer"))
        debtor = next(iter(history.invoices.values()))["debtor"]
        yield Browser(client, settings.public_url, debtor, debtor, []), played_owners
        await client.aclose()


async def open_item(console: Console, history: History) -> Any:
    item = model.item
    async with console.room.database.transaction(history.tenant) as db:
        asked = select(item).where(item.c.tenant_id == history.tenant, ~item.c.gone, item.c.amount > 0)
        row = (await db.execute(asked.where(item.c.residual.is_(None)))).first()
    assert row is not None
    return row


def suggestion(item: Any, amount: str) -> dict[str, Any]:
    part = {"item_id": str(item.item_id), "invoice_id": str(item.invoice_id), "number": "F<1>"}
    part |= {"amount": {"amount": amount, "currency": "EUR"}}
    return {"rank": 1, "shape": "one", "items": [part], "credits": [], "share": 0.9, "score": 7.0, "evidence": ["même"]}


def at(state: str = "left") -> str:
    return f"/payments?state={state}&line={PAYMENT}"


async def test_the_line_shows_the_banks_words_and_what_it_may_be_meant_for(
    console: Console, history: History, desk: Desk
) -> None:
    browser, played_owners = desk
    item = await open_item(console, history)
    amount = Money(min(item.amount, 123_456), "EUR").decimal()
    told = {"payer_name": "<b>DUPONT</b>", "remittance": "VIR <script>", "allocations": [], "payer_iban": "FR76"}
    best = suggestion(item, amount)
    played_owners.says["POST", "/internal/v1/lookups"] = {
        "payments": {str(PAYMENT): told},
        "suggestions": {str(PAYMENT): best},
    }
    played_owners.says["GET", f"/v1/payments/{PAYMENT}/suggestions"] = {"suggestions": [best]}
    page = await browser.client.get(at())
    assert "&lt;b&gt;DUPONT&lt;/b&gt;" in page.text
    assert "VIR &lt;script&gt;" in page.text
    assert "data-enter" in page.text, "Enter takes the likeliest"
    assert f'name="amount:{item.item_id}" value="{amount}"' in page.text


async def test_a_suggestion_whose_item_was_paid_meanwhile_is_not_shown(
    console: Console, history: History, desk: Desk
) -> None:
    browser, played_owners = desk
    item = await open_item(console, history)
    too_much = suggestion(item, Money(item.amount + 1, "EUR").decimal())
    played_owners.says["GET", f"/v1/payments/{PAYMENT}/suggestions"] = {"suggestions": [too_much]}
    page = await browser.client.get(at())
    assert page.status_code == 200
    assert "Aucune proposition" in page.text


async def test_parts_are_given_as_they_were_typed_once_and_may_be_taken_back(desk: Desk) -> None:
    browser, played_owners = desk
    one, two, given, old = uuid7(), uuid7(), uuid7(), uuid7()
    told = {"allocations": [{"allocation_id": str(old)}, {"allocation_id": str(given)}], "unapplied": None}
    played_owners.says["POST", f"/v1/payments/{PAYMENT}/allocations"] = told
    fields = {"currency": "EUR", "item": [str(one), str(two)], f"amount:{one}": "1 000,50", "had": str(old)}
    for _ in range(2):
        assert (await browser.send(f"/payments/{PAYMENT}/match", fields, at=at())).status_code == 303
    [asked] = played_owners.did(f"/v1/payments/{PAYMENT}/allocations")
    assert asked.body == {
        "allocations": [
            {"item_id": str(one), "amount": {"amount": "1000.50", "currency": "EUR"}},
            {"item_id": str(two)},
        ],
        "credits": [],
    }
    page = await browser.client.get(at())
    assert f'action="/payments/{PAYMENT}/unmatch?id={given}"' in page.text, "what was there before stays"
    undone = await browser.send(f"/payments/{PAYMENT}/unmatch?id={given}", {}, at=at())
    assert undone.status_code == 303
    assert (played_owners.done[-1].method, played_owners.done[-1].path.rpartition("/")[2]) == ("DELETE", str(given))


async def test_what_was_written_off_in_two_currencies_is_told_in_each(desk: Desk) -> None:
    browser, played_owners = desk
    amounts = [{"amount": "4.00", "currency": "USD"}, {"amount": "1.00", "currency": "EUR"}]
    off = [{"allocation_id": str(uuid7()), "amount": amount} for amount in [*amounts, amounts[0]]]
    told = {"allocations": [], "write_offs": off, "unapplied": None}
    played_owners.says["POST", f"/v1/payments/{PAYMENT}/allocations"] = told
    fields = {"currency": "EUR", "item": str(uuid7()), "write_off": "fee"}
    assert (await browser.send(f"/payments/{PAYMENT}/match", fields, at=at())).status_code == 303
    page = re.sub(r"\s", " ", (await browser.client.get(at())).text)
    assert "Affecté, et 8,00 $US + 1,00 € passés en perte" in page


async def test_a_match_that_no_longer_fits_is_told_at_its_form(desk: Desk) -> None:
    browser, played_owners = desk
    played_owners.says["POST", f"/v1/payments/{PAYMENT}/allocations"] = refusal(422, "over_allocated")
    fields = {"currency": "EUR", "item": str(uuid7())}
    refused = await browser.send(f"/payments/{PAYMENT}/match", fields, at=at(), quiet=True)
    assert refused.status_code == 422
    assert "C’est plus que ce qui reste" in refused.text
    nothing = await browser.send(f"/payments/{PAYMENT}/match", {"currency": "EUR"}, at=at(), quiet=True)
    assert nothing.status_code == 422
    strange = {"currency": "EUR", "item": str(uuid7())}
    strange |= {f"amount:{strange['item']}": "beaucoup"}
    unread = await browser.send(f"/payments/{PAYMENT}/match", strange, at=at(), quiet=True)
    assert f'data-field="amount:{strange["item"]}"' in unread.text


async def test_a_small_rest_is_written_off_with_the_match_and_the_page_says_how_much(
    console: Console, history: History, desk: Desk
) -> None:
    browser, played_owners = desk
    item, off = await open_item(console, history), uuid7()
    part = suggestion(item, Money(item.amount - 235, "EUR").decimal())
    rest = {"amount": "2.35", "currency": "EUR"}
    part["items"][0] |= {"rest": rest, "may_write_off": ["discount", "fee"], "write_off": "discount"}
    played_owners.says["GET", f"/v1/payments/{PAYMENT}/suggestions"] = {"suggestions": [part]}
    page = (await browser.client.get(at())).text
    name = f"write_off:{item.item_id}"
    offered = page.split(f'<select name="{name}">')[1].split("</select>")[0]
    assert "2,35\u00a0€" in page.split(f'<select name="{name}">')[0].rpartition("<li")[2]
    assert 'value="discount" selected' in offered and 'value="fee"' in offered and "rounding" not in offered

    line = {"allocation_id": str(off), "amount": rest, "kind": "fee"}
    told = {"allocations": [{"allocation_id": str(uuid7())}], "unapplied": None, "write_offs": [line]}
    played_owners.says["POST", f"/v1/payments/{PAYMENT}/allocations"] = told
    fields = {"currency": "EUR", "item": str(item.item_id), name: "fee"}
    assert (await browser.send(f"/payments/{PAYMENT}/match", fields, at=at())).status_code == 303
    [asked] = played_owners.did(f"/v1/payments/{PAYMENT}/allocations")
    assert asked.body["allocations"] == [{"item_id": str(item.item_id), "write_off": "fee"}]
    assert "Affecté, et 2,35\u00a0€ passés en perte" in (await browser.client.get(at())).text


async def test_by_hand_one_choice_says_what_becomes_of_every_rest(desk: Desk) -> None:
    browser, played_owners = desk
    one, two = str(uuid7()), str(uuid7())
    played_owners.says["POST", f"/v1/payments/{PAYMENT}/allocations"] = {"allocations": [], "unapplied": None}
    fields = {"currency": "EUR", "item": [one, two], "write_off": "rounding"}
    assert (await browser.send(f"/payments/{PAYMENT}/match", fields, at=at())).status_code == 303
    strange = {"currency": "EUR", "item": one, "write_off": "everything"}
    assert (await browser.send(f"/payments/{PAYMENT}/match", strange | {"key": "form-2"}, at=at())).status_code == 303
    asked = [each.body["allocations"] for each in played_owners.did(f"/v1/payments/{PAYMENT}/allocations")]
    assert asked == [[{"item_id": one, "write_off": "rounding"}, {"item_id": two, "write_off": "rounding"}],
                     [{"item_id": one}]]  # fmt: skip


def dollars(item: Any) -> dict[str, Any]:
    """A suggestion in dollars for this payment in euros, for an item that the read model knows."""
    found = suggestion(item, Money(item.amount, "USD").decimal())
    found["items"][0] |= {"amount": Money(item.amount, "USD").wire(), "paid": Money(123_456, "EUR").wire()}
    return found


async def test_a_suggestion_in_another_currency_is_accepted_with_both_amounts(
    console: Console, history: History, desk: Desk
) -> None:
    browser, played_owners = desk
    item = await open_item(console, history)
    best = dollars(item)
    told = {"instructed": Money(item.amount, "USD").wire(), "exchange_rate": "1.0856", "allocations": []}
    told |= {"payer_name": None, "remittance": "", "payer_iban": None}
    found = {"payments": {str(PAYMENT): told}, "suggestions": {str(PAYMENT): best}}
    played_owners.says["POST", "/internal/v1/lookups"] = found
    played_owners.says["GET", f"/v1/payments/{PAYMENT}/suggestions"] = {"suggestions": [best]}
    page = (await browser.client.get(at())).text
    assert "Montant ordonné" in page and "cours 1,0856" in page and "data-enter" in page
    assert 'action="/payments/accept"' not in page, "to the cent in another currency is not equal"
    form = page.split('<form class="suggestion"')[1].split("</form>")[0]
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
    assert fields[f"paid:{item.item_id}"] == "1234.56"
    played_owners.says["POST", f"/v1/payments/{PAYMENT}/allocations"] = {"allocations": [], "unapplied": None}
    assert (await browser.send(f"/payments/{PAYMENT}/match", fields, at=at())).status_code == 303
    [asked] = played_owners.did(f"/v1/payments/{PAYMENT}/allocations")
    both = {"amount": Money(item.amount, "USD").wire(), "paid": Money(123_456, "EUR").wire()}
    assert asked.body["allocations"] == [{"item_id": str(item.item_id), **both}]


async def test_where_the_bank_told_no_amount_both_are_a_persons_and_enter_takes_nothing(
    console: Console, history: History, desk: Desk
) -> None:
    browser, played_owners = desk
    item = await open_item(console, history)
    best = dollars(item) | {"shape": "unconverted"}
    played_owners.says["GET", f"/v1/payments/{PAYMENT}/suggestions"] = {"suggestions": [best]}
    page = (await browser.client.get(at())).text
    form = page.split('<form class="suggestion"')[1].split("</form>")[0]
    assert form.count('class="amount"') == 2 and "data-enter" not in page
    played_owners.says["POST", f"/v1/payments/{PAYMENT}/allocations"] = {"allocations": [], "unapplied": None}
    one = str(item.item_id)
    fields = {
        "currency": "EUR",
        "item": one,
        f"currency:{one}": "USD",
        f"amount:{one}": "1 000",
        f"paid:{one}": "921,15",
    }
    assert (await browser.send(f"/payments/{PAYMENT}/match", fields, at=at())).status_code == 303
    [asked] = played_owners.did(f"/v1/payments/{PAYMENT}/allocations")
    both = {"amount": Money(100_000, "USD").wire(), "paid": Money(92_115, "EUR").wire()}
    assert asked.body["allocations"] == [{"item_id": one, **both}]
    for name in (f"amount:{one}", f"paid:{one}"):
        half = fields | {name: "", "key": "form-2"}
        refused = await browser.send(f"/payments/{PAYMENT}/match", half, at=at(), quiet=True)
        assert (refused.status_code, f'data-field="{name}"' in refused.text) == (422, True)


@pytest.mark.parametrize(
    ("act", "path", "fields"),
    [
        ("account", "account", {"debtor": "1633d8da-e8e7-500f-8f1c-b40d6fabad47"}),
        ("reject", "suggestions/reject", {}),
        ("retry", "retry", {}),
    ],
)
async def test_account_rejection_and_another_look_are_the_owners(
    desk: Desk, act: str, path: str, fields: dict[str, str]
) -> None:
    browser, played_owners = desk
    assert (await browser.send(f"/payments/{PAYMENT}/{act}", fields, at=at())).status_code == 303
    assert [one.path for one in played_owners.done] == [f"/v1/payments/{PAYMENT}/{path}"]


async def test_equals_are_accepted_together_and_one_that_changed_is_told(desk: Desk) -> None:
    browser, played_owners = desk
    one, two = uuid7(), uuid7()
    played_owners.says["POST", f"/v1/payments/{OTHER}/allocations"] = refusal(422, "over_allocated")
    pairs = [f"{PAYMENT}:{one}:10.00:EUR", f"{PAYMENT}:{two}:5.00:EUR", f"{OTHER}:{two}:15.00:EUR"]
    done = await browser.send("/payments/accept", {"pair": pairs}, at=at())
    assert done.status_code == 303
    [asked] = played_owners.done
    assert [each["item_id"] for each in asked.body["allocations"]] == [str(one), str(two)]
    page = await browser.client.get(at())
    assert "1 paiement(s) affecté(s), 1 refusé(s)" in page.text
    for wrong in ("x", f"{PAYMENT}:{one}", f"{PAYMENT}:{one}:ten:EUR", ""):
        assert (await browser.send("/payments/accept", {"pair": wrong}, at=at())).status_code == 422


@pytest.mark.parametrize("role", sorted(ROLES))
async def test_only_who_may_match_sees_the_buttons_and_is_heard(
    console: Console, settings: Settings, history: History, role: str
) -> None:
    with owners(console, settings) as played_owners:
        client = await console.sign_in(await console.user(history.tenant, role))
        browser = Browser(client, settings.public_url, UUID(int=0), UUID(int=0), [])
        allowed = "payments:write" in ROLES[role]
        page = await client.get(at())
        assert page.status_code == (200 if "payments:read" in ROLES[role] else 403)
        assert (f'action="/payments/{PAYMENT}/match"' in page.text) <= allowed
        sent = await browser.send(f"/payments/{PAYMENT}/reject", {}, at="/customers")
        assert sent.status_code == (303 if allowed else 403)
        assert bool(played_owners.done) == allowed
        await client.aclose()
