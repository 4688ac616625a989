"""The course of a case on the real database: told, swept, released, answered."""

from datetime import date, timedelta

import httpx
import pytest

from libs.common.events.reminders import CaseClosed, ReminderWithdrawn
from services.scheduler.tables import occurrence, party, payer_case
from tests.integration.scheduler.test_doors import asked, permit
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)


async def test_an_unpaid_invoice_is_reminded_once_and_climbs_when_its_mail_was_sent(world: World) -> None:
    await world.tell(world.issued("F1", DUE))
    assert await world.sweep() == []
    friendly = await world.day(date(2026, 9, 3))
    assert [(due.step_key, due.tone, due.approval) for due in friendly] == [("friendly", 2, "none")]
    assert [line.number for line in friendly[0].lines] == ["F1"]
    assert await world.day(date(2026, 9, 4)) == []
    await world.tell(world.sent(friendly[0]))
    assert await world.sweep() == []
    assert [due.step_key for due in await world.day(date(2026, 9, 14))] == ["firm"]


async def test_a_payment_that_overtakes_its_invoice_leaves_nothing_to_remind(world: World) -> None:
    await world.tell(world.matched("P", 500, "F1", 0), world.settled("F1"))
    await world.tell(world.issued("F1", DUE))
    assert await world.day(date(2026, 9, 3)) == []
    assert await world.rows(occurrence) == []


async def test_a_settled_invoice_withdraws_the_notice_that_waits_for_approval(world: World) -> None:
    await world.tell(world.entity_configured(approvals="confirm"), world.issued("F1", DUE))
    due = (await world.day(date(2026, 9, 3)))[0]
    assert due.approval == "confirm"
    await world.tell(world.proposed(due))
    await world.tell(world.matched("P", 500, "F1", 0), world.settled("F1"))
    await world.sweep()
    withdrawn = await world.said(ReminderWithdrawn)
    assert [(each.reminder_id, each.reason) for each in withdrawn] == [(due.reminder_id, "settled")]
    await world.tell(world.stopped(due, "settled"))
    await world.sweep()
    assert await world.states() == {("F1", "friendly"): "stopped"}
    assert len(await world.said(ReminderWithdrawn)) == 1
    assert len(await world.said(CaseClosed)) == 1


async def test_a_stopped_notice_is_released_again_with_a_higher_release(world: World) -> None:
    await world.tell(world.issued("F1", DUE), world.issued("F2", DUE))
    first = (await world.day(date(2026, 9, 3)))[0]
    await world.tell(world.matched("P", 500, "F1", 0), world.settled("F1"))
    await world.sweep()
    await world.tell(world.stopped(first, "settled"))
    second = (await world.sweep())[0]
    assert [(line.number, line.release) for line in second.lines] == [("F2", 2)]
    assert second.reminder_id != first.reminder_id


async def test_a_bounce_takes_the_level_back_and_a_new_contact_tries_again_at_once(world: World) -> None:
    await world.tell(world.issued("F1", DUE))
    due = (await world.day(date(2026, 9, 3)))[0]
    await world.tell(world.sent(due))
    world.go_to(date(2026, 9, 4))
    await world.tell(world.bounced(due))
    assert await world.sweep() == []
    assert await world.states() == {("F1", "friendly"): "bounced"}
    world.go_to(date(2026, 9, 7))
    await world.tell(world.debtor_changed("A"))
    again = await world.sweep()
    assert [(each.step_key, each.lines[0].release) for each in again] == [("friendly", 2)]


async def test_a_returned_payment_reopens_at_the_level_reached(world: World) -> None:
    await world.tell(world.issued("F1", DUE))
    for day in (date(2026, 9, 3), date(2026, 9, 11)):
        await world.tell(world.sent((await world.day(day))[0]))
    await world.tell(world.matched("P", 500, "F1", 0), world.settled("F1"))
    assert await world.day(date(2026, 9, 28)) == []
    world.go_to(date(2026, 10, 1))
    await world.tell(world.reopened("F1"))
    again = (await world.sweep())[0]
    assert (again.step_key, again.tone, again.lines[0].release) == ("firm", 3, 1)
    assert await world.day(date(2026, 10, 2)) == []


async def test_a_reply_pauses_the_case_until_somebody_has_read_it(world: World) -> None:
    await world.tell(world.issued("F1", DUE))
    world.go_to(date(2026, 9, 2))
    await world.tell(world.replied())
    assert await world.day(date(2026, 9, 3)) == []
    await world.tell(world.task_done())
    assert [due.step_key for due in await world.sweep()] == ["friendly"]


async def test_stale_bank_data_hold_reminders_and_a_statement_frees_them(world: World) -> None:
    await world.tell(world.entity_configured(feed_required=True), world.feed(None), world.issued("F1", DUE))
    assert await world.day(date(2026, 9, 3)) == []
    await world.tell(world.feed(date(2026, 9, 1)))
    assert await world.sweep() == []
    assert (await world.rows(payer_case))[0]["waits"] == "feed"
    await world.tell(world.feed(date(2026, 9, 2)))
    assert [due.step_key for due in await world.sweep()] == ["friendly"]


async def test_in_shadow_everything_is_decided_and_nothing_released(world: World) -> None:
    await world.tell(world.entity_configured(mode="shadow"), world.issued("F1", DUE))
    assert await world.day(date(2026, 9, 3)) == []
    assert await world.rows(occurrence) == []
    await world.tell(world.entity_configured(mode="live"))
    assert [due.step_key for due in await world.sweep()] == ["friendly"]


async def test_a_stopped_tenant_says_nothing_until_it_is_resumed(world: World) -> None:
    await world.tell(world.tenant_configured(stopped=True), world.issued("F1", DUE))
    assert await world.day(date(2026, 9, 3)) == []
    await world.tell(world.tenant_configured(stopped=False))
    assert len(await world.sweep()) == 1


async def test_head_office_gets_one_notice_for_its_three_shops(world: World) -> None:
    shops = ("S1", "S2", "S3")
    await world.tell(*(world.issued(f"F{shop}", DUE, debtor=shop) for shop in shops))
    await world.tell(world.debtor_changed("HQ"), *(world.debtor_changed(shop, payer="HQ") for shop in shops))
    released = await world.day(date(2026, 9, 3))
    assert [[line.number for line in due.lines] for due in released] == [["FS1", "FS2", "FS3"]]
    assert released[0].payer_id == world.debtor("HQ")


async def test_entities_that_compete_for_a_party_take_turns_the_highest_tone_first(world: World) -> None:
    await world.tell(world.debtor_changed("B", party="one"), world.debtor_changed("C", party="one"))
    await world.tell(world.issued("FB", DUE, debtor="B"))
    await world.tell(world.sent((await world.day(date(2026, 9, 3)))[0]))
    await world.tell(world.issued("FC", DUE + timedelta(days=8), debtor="C"))
    both = await world.day(date(2026, 9, 11))
    assert [(due.step_key, due.payer_id) for due in both] == [("firm", world.debtor("B"))]
    await world.tell(world.sent(both[0]))
    later = await world.day(date(2026, 9, 18))
    assert world.debtor("C") in {due.payer_id for due in later if due.kind == "reminder"}


async def test_two_invoices_of_one_payer_due_nine_days_apart_each_get_their_own_first_reminder(world: World) -> None:
    await world.tell(world.issued("F1", DUE), world.issued("F2", DUE + timedelta(days=9)))
    await world.tell(world.sent((await world.day(date(2026, 9, 3)))[0]))
    await world.tell(world.sent((await world.day(date(2026, 9, 11)))[0]))
    assert await world.states() == {
        ("F1", "friendly"): "completed",
        ("F1", "firm"): "completed",
        ("F2", "friendly"): "completed",
    }


async def test_an_amended_due_date_moves_the_next_step(world: World) -> None:
    await world.tell(world.issued("F1", DUE))
    await world.tell(world.amended("F1", DUE + timedelta(days=20)))
    assert await world.day(date(2026, 9, 3)) == []
    assert [due.step_key for due in await world.day(date(2026, 9, 23))] == ["friendly"]


async def test_a_cancelled_invoice_is_never_reminded_even_if_the_cancellation_came_first(world: World) -> None:
    issued = world.issued("F1", DUE)
    await world.tell(world.cancelled("F1"))
    await world.tell(issued)
    assert await world.day(date(2026, 9, 3)) == []


@pytest.mark.parametrize("reason", ["no_recipient", "refused"])
async def test_a_failed_notice_never_counts_and_waits_before_it_is_tried_again(world: World, reason: str) -> None:
    await world.tell(world.issued("F1", DUE))
    await world.tell(world.failed((await world.day(date(2026, 9, 3)))[0], reason))
    assert await world.day(date(2026, 9, 8)) == []
    assert [due.lines[0].release for due in await world.day(date(2026, 9, 10))] == [2]


async def test_what_nobody_can_tell_is_never_sent_again_by_itself(world: World) -> None:
    await world.tell(world.issued("F1", DUE))
    due = (await world.day(date(2026, 9, 3)))[0]
    await world.tell(world.uncertain(due))
    assert await world.day(date(2026, 10, 1)) == []
    await world.tell(world.sent(due))
    await world.sweep()
    assert (await world.states())["F1", "friendly"] == "completed"


async def test_what_somebody_knows_was_not_sent_is_released_again_and_starts_no_gap(world: World) -> None:
    await world.tell(world.issued("F1", DUE))
    due = (await world.day(date(2026, 9, 3)))[0]
    await world.tell(world.uncertain(due))
    await world.tell(world.stopped(due, "not_sent"))
    assert (await world.rows(party))[0]["last_notice_on"] is None
    assert [again.lines[0].release for again in await world.sweep()] == [2]


async def test_an_escalated_case_gets_a_statement_of_account_that_is_permitted(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE))
    said: list[str] = []
    day = date(2026, 9, 3)
    tasks = {
        "task_call": ("call", "no_answer"), "task_visit": ("visit", "done"),
        "formal_notice": ("presentation", "refused"),
    }  # fmt: skip
    while "hand_over" not in said and day < date(2026, 12, 1):
        for due in await world.day(day):
            said.append(due.step_key)
            await world.tell(world.sent(due))
            if due.kind in tasks:
                kind, came_of_it = tasks[due.kind]
                covered = {"covers": world.covers(due), "reminder_id": due.reminder_id}
                await world.tell(world.task_done(kind, outcome=came_of_it, **covered))
        day += timedelta(days=1)
    assert said == ["friendly", "firm", "call", "sales_owner", "final", "visit", "formal", "hand_over"]
    assert (await world.rows(payer_case))[0]["state"] == "escalated"
    await world.tell(world.issued("F2", day + timedelta(days=90)))
    (statement,) = await world.day(day + timedelta(days=33))
    assert (statement.kind, statement.tone, statement.step_key) == ("statement", 1, "monthly")
    assert [(line.number, line.completes) for line in statement.lines] == [("F1", True), ("F2", False)]
    assert await permit(doors, asked(world, statement)) == [("yes", None)]
    await world.tell(world.sent(statement))
    assert (await world.rows(party))[0]["last_notice_on"] == day + timedelta(days=33)
    assert [due.step_key for due in await world.day(day + timedelta(days=68))] == ["monthly-2"]
