"""The thank-you on the real database: said when the money is there, permitted though nothing is owed, never twice."""

from datetime import date
from typing import Any

import httpx

from libs.common.events.reminders import ReminderDue, ReminderWithdrawn
from services.scheduler.tables import item, occurrence
from tests.integration.scheduler.test_doors import asked, got, permit, posted
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)


async def paid_after_a_reminder(world: World, *numbers: str) -> None:
    """Reminded on 3 September, paid on the 9th."""
    await world.tell(*(world.issued(number, DUE) for number in numbers))
    await world.tell(world.sent((await world.day(date(2026, 9, 3)))[0]))
    world.go_to(date(2026, 9, 9))
    for number in numbers:
        await world.tell(world.matched(f"P{number}", 500, number, 0), world.settled(number))


def told(released: list[ReminderDue]) -> list[tuple[Any, ...]]:
    return [(due.kind, due.tone, [(line.number, line.residual.minor) for line in due.lines]) for due in released]


async def test_a_payment_after_a_reminder_is_thanked_for_once_when_the_gap_is_over(world: World) -> None:
    await paid_after_a_reminder(world, "F1", "F2")
    assert await world.sweep() == []
    thanks = await world.day(date(2026, 9, 10))
    assert told(thanks) == [("acknowledge", 0, [("F1", 0), ("F2", 0)])]
    assert (thanks[0].template, thanks[0].approval, thanks[0].deductions) == ("thanks", "none", [])
    await world.tell(world.sent(thanks[0]))
    for day in (date(2026, 9, 11), date(2026, 9, 20)):
        assert await world.day(day) == []
    assert {row["to_thank"] for row in await world.rows(item)} == {False}
    assert (await world.states())["F1", "thanks"] == "completed"


async def test_nobody_is_thanked_who_paid_unasked_or_was_credited(world: World) -> None:
    await world.tell(world.issued("F1", DUE), world.issued("F2", DUE, debtor="B"), world.debtor_changed("B"))
    for due in await world.day(date(2026, 9, 3)):
        await world.tell(world.sent(due))
    settled = world.settled("F2", payer="B").model_copy(update={"by": "credit"})
    await world.tell(world.issued("F3", date(2026, 9, 20)))
    await world.tell(world.matched("P", 500, "F3", 0), world.settled("F3"), settled)
    assert [due.step_key for due in await world.day(date(2026, 9, 11))] == ["firm"]
    assert {row["kind"] for row in await world.rows(occurrence)} == {"reminder"}


async def test_a_thank_you_is_permitted_though_nothing_is_owed_and_refused_once_it_is(
    world: World, doors: httpx.AsyncClient
) -> None:
    await paid_after_a_reminder(world, "F1")
    thanks = (await world.day(date(2026, 9, 10)))[0]
    assert await permit(doors, asked(world, thanks)) == [("yes", None)]
    assert await permit(doors, asked(world, thanks, kind="reminder")) == [("no", "settled")]
    told = {"scope": "payer", "scope_id": str(world.debtor("A")), "kind": "exclusion", "reason": "x",
            "review_on": "2026-09-30"}  # fmt: skip
    hold = await posted(doors, "/v1/holds", told)
    assert await permit(doors, asked(world, thanks)) == [("no", "excluded")]
    await posted(doors, f"/v1/holds/{hold['hold_id']}/lift", status=200)
    await world.tell(world.reopened("F1"))
    assert await permit(doors, asked(world, thanks)) == [("no", "reopened")]
    await world.sweep()
    assert [each.reason for each in await world.said(ReminderWithdrawn)] == ["reopened"]


async def test_a_thank_you_that_was_stopped_in_time_is_said_again(world: World) -> None:
    await paid_after_a_reminder(world, "F1")
    first = (await world.day(date(2026, 9, 10)))[0]
    await world.tell(world.stopped(first, "window_over"))
    assert await world.sweep() == []
    assert told(await world.day(date(2026, 9, 11))) == [("acknowledge", 0, [("F1", 0)])]


async def test_the_thank_you_is_explained_before_and_after(world: World, doors: httpx.AsyncClient) -> None:
    await paid_after_a_reminder(world, "F1")
    await world.sweep()
    path = f"/v1/items/{world.item('F1')}/explain"
    before = await got(doors, path)
    assert (before["next_step"], [reason["code"] for reason in before["reasons"]]) == ("thanks", ["gap", "settled"])
    await world.tell(world.sent((await world.day(date(2026, 9, 10)))[0]))
    await world.sweep()
    after = await got(doors, path)
    assert (after["next_step"], [reason["code"] for reason in after["reasons"]]) == (None, ["settled"])
    assert [(mark["step"], mark["state"]) for mark in after["history"]][-1] == ("thanks", "completed")
