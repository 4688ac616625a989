"""What has not left yet follows the facts: it shrinks under its approval, is approved anew, or stops with a reason."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from libs.common.events.debtors import Contact
from libs.common.events.directory import EntityConfigured, TenantConfigured
from libs.common.events.invoices import DebtorErased, InvoiceAmended, InvoiceCancelled
from libs.common.events.reminders import HoldPlaced, ReminderWithdrawn
from libs.common.ids import named, uuid7
from services.notifier.store import deliveries
from tests.integration.notifier.office import office
from tests.support import eventually

pytestmark = pytest.mark.usefixtures("postgres")
THIEF = "DE89370400440532013000"


async def proposed(it):
    return (await it.get("/v1/notices?state=proposed"))["notices"]


async def approve_all(it, **who):
    listed = await it.get("/v1/notices?state=proposed")
    sums = {}
    for each in listed["notices"]:
        for amount in each["sums"]:
            sums[amount["currency"]] = sums.get(amount["currency"], 0) + round(float(amount["amount"]) * 100)
    told = [{"amount": f"{minor / 100:.2f}", "currency": currency} for currency, minor in sums.items()]
    body = {"filter": {}, "as_of": listed["as_of"], "count": len(listed["notices"]), "sums": told}
    return await it.call("POST", "/v1/notices/approve", json=body, **who)


async def test_a_payment_shrinks_an_approved_notice_and_its_approval_goes_with_it(settings):
    async with office(settings, loops=["writing"]) as it:
        await it.hear(it.due(it.line(1), it.line(2), approval="confirm"))
        await it.until("ReminderProposed")
        assert (await approve_all(it)).status_code == 200
        await it.hear(it.owes(1, 0), it.owes(2, 40_000))
        [ended] = await it.until("ReminderStopped")
        assert ended.reason == "settled" and [each.item_id for each in ended.covers] == [it.line(1).item_id]
        it.run("dispatch")
        sent = (await it.until("ReminderSent"))[0]
        assert [each.item_id for each in sent.covers] == [it.line(2).item_id]
        text = it.sink.taken[0].mail.get_body(("plain",)).get_content()
        assert "FA-2026-0001" not in text and "400,00\u00a0€" in text
        assert len(await it.said("ReminderProposed")) == 1


async def test_a_payment_that_settles_everything_stops_it(settings):
    async with office(settings, loops=["writing"]) as it:
        await it.hear(it.due(approval="confirm"))
        await it.until("ReminderProposed")
        await it.hear(it.owes(1, 0))
        assert (await it.until("ReminderStopped"))[0].reason == "settled"
        assert await proposed(it) == []
        it.run("dispatch")
        assert it.sink.connections == 0


async def test_a_payment_that_overtakes_the_reminder_is_printed(settings):
    async with office(settings) as it:
        await it.hear(it.owes(1, 25_000), it.due())
        await it.until("ReminderSent")
        assert "250,00\u00a0€" in it.sink.taken[0].mail.get_body(("plain",)).get_content()


async def test_a_debt_that_grows_is_not_sent_under_the_old_approval(settings):
    async with office(settings, loops=["writing"]) as it:
        await it.hear(
            it.owes(1, 60_000),
            it.due(it.line(1, residual=60_000).model_copy(update={"item_version": 2}), approval="confirm"),
        )
        await it.until("ReminderProposed")
        await it.hear(it.owes(1, 100_000, version=3))
        assert (await it.until("ReminderStopped"))[0].reason == "reopened"


async def test_an_amended_invoice_leaves_the_notice_and_the_rest_goes_on(settings):
    async with office(settings, loops=["writing"]) as it:
        await it.hear(it.issued(1), it.due(it.line(1), it.line(2), approval="confirm"))
        await it.until("ReminderProposed")
        await it.hear(it.issued(1, 2, InvoiceAmended))
        [ended] = await it.until("ReminderStopped")
        assert ended.reason == "amended" and [each.item_id for each in ended.covers] == [it.line(1).item_id]
        await eventually(lambda: _one_line(it))


async def _one_line(it):
    found = await proposed(it)
    return found and [each["amount"] for each in found[0]["sums"]] == ["1000.00"]


async def test_a_cancelled_invoice_stops_its_notice(settings):
    async with office(settings, loops=["writing"]) as it:
        await it.hear(it.due(approval="confirm"))
        await it.until("ReminderProposed")
        gone = it.issued(1)
        told = {name: getattr(gone, name) for name in ("tenant_id", "entity_id", "invoice_id", "debtor_id", "payer_id")}
        await it.hear(InvoiceCancelled(**told, version=2, item_ids=[it.line(1).item_id]))
        assert (await it.until("ReminderStopped"))[0].reason == "cancelled"


@pytest.mark.parametrize("scope", ["item", "case", "debtor", "payer", "party", "entity", "tenant"])
async def test_a_hold_stops_what_it_covers(settings, scope):
    async with office(settings, loops=["writing"]) as it:
        due = it.due(approval="confirm")
        await it.hear(due)
        await it.until("ReminderProposed")
        ids = {
            "item": due.lines[0].item_id, "case": due.case_id, "debtor": it.payer(1), "payer": due.payer_id,
            "party": due.party_id, "entity": it.entity, "tenant": it.tenant,
        }  # fmt: skip
        hold = HoldPlaced(
            tenant_id=it.tenant, version=1, entity_id=it.entity, hold_id=uuid7(), scope=scope, scope_id=ids[scope],
            kind="manual", review_on=it.clock.now().date(),
        )  # fmt: skip
        await it.hear(hold)
        assert (await it.until("ReminderStopped"))[0].reason == "held"


async def test_a_withdrawn_reminder_stops_for_the_reason_given(settings):
    async with office(settings, loops=["writing"]) as it:
        due = it.due(approval="confirm")
        await it.hear(due)
        await it.until("ReminderProposed")
        told = {name: getattr(due, name) for name in ("tenant_id", "entity_id", "case_id", "payer_id", "reminder_id")}
        await it.hear(ReminderWithdrawn(**told, version=2, reason="promise"))
        assert (await it.until("ReminderStopped"))[0].reason == "promise"


async def test_a_new_address_needs_a_new_approval_and_the_same_address_does_not(settings):
    async with office(settings, loops=["writing"]) as it:
        await it.hear(it.due(approval="confirm"))
        await it.until("ReminderProposed")
        await approve_all(it)
        await it.hear(it.debtor(version=2))
        assert len(await it.said("ReminderProposed")) == 1
        await it.hear(it.debtor(version=3, emails=[f"autre@{it.address().partition('@')[2]}"]))
        await it.until("ReminderProposed", count=2)
        it.run("dispatch")
        assert it.sink.connections == 0
        assert (await approve_all(it)).status_code == 200
        sent = await it.until("ReminderSent")
        assert it.sink.taken[0].recipients[0].startswith("autre@") and len(sent) == 1
        assert it.granters.asked[0][1]["debtor_version"] == 3


async def test_a_new_account_of_ours_is_printed_after_a_new_approval(settings):
    async with office(settings, loops=["writing"]) as it:
        await it.hear(it.due(approval="confirm"))
        await it.until("ReminderProposed")
        await approve_all(it)
        await it.hear(it.account("FR1420041010050500013M02606", version=2))
        await it.until("ReminderProposed", count=2)
        await approve_all(it)
        it.run("dispatch")
        await it.until("ReminderSent")
        text = it.sink.taken[0].mail.get_body(("plain",)).get_content()
        assert "FR14" in text and "FR76" not in text


@pytest.mark.parametrize(("reason", "asks"), [("held", 1), ("residual_changed", 5)])
async def test_a_refused_permit_stops_the_notice_with_its_reason(settings, reason, asks):
    async with office(settings) as it:
        it.granters.say = lambda service, ask: ("no", reason) if service == "scheduler" else ("yes", None)
        await it.hear(it.due())
        assert (await it.until("ReminderStopped", within=40))[0].reason == reason
        assert it.sink.data_instants == []
        assert len([ask for service, ask in it.granters.asked if service == "scheduler"]) == asks


async def test_a_payment_told_after_the_refusal_shrinks_the_notice_instead_of_stopping_it(settings):
    async with office(settings) as it:

        def say(service, ask):
            paid = service == "payment_matching" and ask["items"][0]["amount"]["amount"] == "1000.00"
            return ("no", "residual_changed") if paid else ("yes", None)

        it.granters.say = say
        await it.hear(it.due())
        await eventually(lambda: it.granters.asked)
        await it.hear(it.owes(1, 70_000))
        await it.until("ReminderSent")
        assert "700,00\u00a0€" in it.sink.taken[0].mail.get_body(("plain",)).get_content()
        assert await it.said("ReminderStopped") == []


@pytest.mark.parametrize("silent", ["invoice_ingest", "scheduler", "payment_matching"])
async def test_without_the_answer_of_all_three_nothing_leaves_until_they_answer(settings, silent):
    async with office(settings) as it:
        it.granters.silent.add(silent)
        await it.hear(it.due())
        await eventually(lambda: len(it.granters.asked) >= 4)
        assert it.sink.data_instants == []
        it.granters.silent.clear()
        await it.until("ReminderSent")


async def test_a_notice_that_is_told_when_it_may_leave_is_not_asked_for_again_before(settings):
    async with office(settings) as it:
        opens = it.granters.opens_at = it.clock.now() + timedelta(hours=1)
        closed = ("again", "window_closed")
        it.granters.say = lambda service, ask: closed if it.clock.now() < opens else ("yes", None)
        await it.hear(it.due())
        [waiting] = await eventually(lambda: _told_to_wait(it))
        assert (waiting.opens_at, waiting.asks) == (opens, 1)
        async with it.loops.transaction() as db:
            assert it.tenant not in {claim.tenant_id for claim in await deliveries.claim(db, 500, it.clock.now())}
        it.clock.advance(timedelta(hours=1))
        it.wake()
        await it.until("ReminderSent")
        assert len(it.granters.asked) == 6, "twice each of the three"


async def _told_to_wait(it):
    asked = "select opens_at, asks from delivery where tenant_id = :tenant and opens_at is not null"
    async with it.loops.transaction() as db:
        return list(await db.execute(text(asked), {"tenant": it.tenant}))


async def test_after_its_window_a_notice_stops(settings):
    async with office(settings, loops=["writing"]) as it:
        await it.hear(it.due())
        await eventually(lambda: _ready(it))
        it.clock.advance(timedelta(hours=10))
        it.run("dispatch")
        assert (await it.until("ReminderStopped"))[0].reason == "window_over"


async def _ready(it):
    return (await it.get("/v1/deliveries?state=ready"))["deliveries"]


async def test_a_stopped_tenant_sends_nothing_until_it_is_resumed(settings):
    async with office(settings) as it:
        stop = {"tenant_id": it.tenant, "name": "Léman"}
        await it.hear(TenantConfigured(**stop, version=2, directory_version=2, stopped=True), it.due())
        await eventually(lambda: _ready(it))
        assert it.sink.connections == 0
        await it.hear(TenantConfigured(**stop, version=3, directory_version=3))
        await it.until("ReminderSent")


async def test_an_erased_debtor_leaves_no_name_behind(settings):
    async with office(settings) as it:
        await it.hear(it.due())
        await it.until("ReminderSent")
        await it.hear(DebtorErased(tenant_id=it.tenant, version=9, debtor_id=it.payer(1)))
        [notice] = (await it.get("/v1/notices"))["notices"]
        whole = await it.get(f"/v1/notices/{notice['id']}")
        assert whole["text"] is None and whole["subject"] is None and whole["state"] == "sent"


async def test_a_reminder_that_overtakes_its_debtor_waits_for_the_file(settings):
    async with office(settings) as it:
        await it.hear(it.due(it.line(7), payer=7))
        await it.hear(it.debtor(7))
        await it.until("ReminderSent")
        assert it.sink.to(it.address(7))


async def test_a_manager_without_a_mailbox_leaves_the_accounts_contact(settings):
    async with office(settings) as it:
        boss = Contact(contact_id=named("boss", it.tenant), name="Direction", roles=["manager"])
        file = it.debtor(version=2)
        await it.hear(file.model_copy(update={"contacts": [*file.contacts, boss]}), it.due(audience=["manager"]))
        await it.until("ReminderSent")
        assert it.sink.taken[0].recipients == (it.address(),)


async def test_a_live_installation_sends_nothing_for_a_sandbox_tenant(settings):
    async with office(replace(settings, sending="live")) as it:
        await it.hear(TenantConfigured(tenant_id=it.tenant, version=2, directory_version=2, name="x", sandbox=True))
        await it.hear(it.due())
        assert (await it.until("ReminderStopped"))[0].reason == "sandbox"
        assert it.sink.data_instants == []


async def test_an_entity_whose_notices_are_all_confirmed_confirms_even_a_step_that_asks_for_none(settings):
    async with office(settings, approvals="confirm") as it:
        await it.hear(it.due(approval="none"))
        assert await it.until("ReminderProposed")
        assert it.sink.connections == 0


def test_the_entity_body_has_the_fields_the_office_plays():
    assert {"mode", "approvals"} <= set(EntityConfigured.model_fields)
