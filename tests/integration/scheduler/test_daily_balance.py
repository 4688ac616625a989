"""The balance of a day from outside: everything that was due stands in exactly one place; nothing was said twice."""

from datetime import date, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import insert, update

from libs.common.events.reminders import ReminderDue
from libs.common.metrics import DOUBLE_REMINDERS
from libs.common.settings import Settings
from services.scheduler.auditing import Auditor
from services.scheduler.reviewing import Reviews
from services.scheduler.store import audit
from services.scheduler.tables import audit_mark, kept_silent, notice
from tests.integration.scheduler.test_doors import got, posted
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)
DAY = date(2026, 9, 3)
PATH = "/v1/daily-balance"


async def balance_of(doors: httpx.AsyncClient, day: date = DAY) -> tuple[dict[tuple[str, str], int], dict[str, Any]]:
    """(standing, reason) → how many, and the whole answer."""
    told = await got(doors, PATH, on=day.isoformat())
    (company,) = told["items"]
    assert company["due"] == sum(line["count"] for line in company["lines"])
    return {(line["standing"], line["reason"]): line["count"] for line in company["lines"]}, told


async def test_everything_that_was_due_stands_in_one_place_with_a_reason(
    world: World, doors: httpx.AsyncClient
) -> None:
    names = ("sent", "failed", "stopped", "proposed", "uncertain", "bounced", "silent", "held")
    await world.tell(*(world.debtor_changed(name) for name in names))
    await world.tell(*(world.issued(name, DUE, debtor=name) for name in names))
    await world.tell(world.issued("far", DUE + timedelta(days=60)))
    hold = {"scope": "payer", "scope_id": str(world.debtor("held")), "reason": "Call", "review_on": "2026-10-01"}
    await posted(doors, "/v1/holds", hold)
    due = {each.lines[0].number: each for each in await world.day(DAY)}
    assert set(due) == set(names) - {"held"}
    await world.tell(world.sent(due["sent"]), world.sent(due["bounced"]), world.failed(due["failed"]))
    await world.tell(world.bounced(due["bounced"]), world.stopped(due["stopped"], "settled"))
    await world.tell(world.proposed(due["proposed"]), world.uncertain(due["uncertain"]))
    world.go_to(DAY + timedelta(days=1))
    counted, told = await balance_of(doors)
    assert counted == {
        ("said", "accepted"): 1, ("failed", "no_recipient"): 1, ("failed", "returned"): 1, ("stopped", "settled"): 1,
        ("awaiting_approval", "awaiting_approval"): 1, ("uncertain", "no_final_answer"): 1,
        ("unanswered", "no_answer_yet"): 1, ("held", "held"): 1,
    }  # fmt: skip
    assert (told["items"][0]["unanswered"], told["balanced"], told["double_reminders"]) == (1, False, 0)
    await world.tell(world.sent(due["silent"]))
    counted, told = await balance_of(doors)
    assert (counted["said", "accepted"], told["balanced"], told["items"][0]["due"]) == (2, True, 8)


async def test_a_line_opens_to_its_steps_page_by_page(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(*(world.debtor_changed(f"D{n}") for n in range(5)))
    await world.tell(*(world.issued(f"F{n}", DUE, debtor=f"D{n}") for n in range(5)))
    for due in await world.day(DAY):
        await world.tell(world.sent(due))
    world.go_to(DAY + timedelta(days=1))
    asked = {"entity_id": str(world.entity), "standing": "said", "limit": 3}
    first = await got(doors, f"{PATH}/steps", **asked)
    second = await got(doors, f"{PATH}/steps", **asked, cursor=first["next"])
    found = [*first["items"], *second["items"]]
    assert (len(first["items"]), second["next"], {row["number"] for row in found}) == (
        3, None, {f"F{n}" for n in range(5)}
    )  # fmt: skip
    assert {(row["step"], row["standing"], row["reason"]) for row in found} == {("friendly", "said", "accepted")}
    assert (await got(doors, f"{PATH}/steps", **{**asked, "standing": "held"}))["items"] == []


async def test_what_was_held_yesterday_stays_so_when_it_is_said_today(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE))
    hold = {"scope": "payer", "scope_id": str(world.debtor("A")), "reason": "Call", "review_on": "2026-09-04",
            "lift_at_review": True}  # fmt: skip
    await posted(doors, "/v1/holds", hold)
    assert await world.day(DAY) == []
    world.go_to(DAY + timedelta(days=1))
    await Reviews(world.database, world.clock).once()
    (due,) = await world.sweep()
    await world.tell(world.sent(due))
    assert (await balance_of(doors))[0] == {("held", "held"): 1}
    world.go_to(DAY + timedelta(days=2))
    assert (await balance_of(doors, DAY + timedelta(days=1)))[0] == {("said", "accepted"): 1}
    silences = await world.rows(kept_silent)
    assert [(row["reason"], row["due_on"], row["until"] is None) for row in silences] == [("held", DAY, False)]


async def test_a_step_that_was_stopped_and_released_again_counts_on_both_days(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE))
    (due,) = await world.day(DAY)
    await world.tell(world.stopped(due, "window_over"))
    (again,) = await world.day(DAY + timedelta(days=1))
    await world.tell(world.sent(again))
    world.go_to(DAY + timedelta(days=2))
    assert (await balance_of(doors))[0] == {("stopped", "window_over"): 1}
    assert (await balance_of(doors, DAY + timedelta(days=1)))[0] == {("said", "accepted"): 1}


async def test_a_company_in_shadow_says_nothing_and_the_balance_says_so(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.entity_configured(mode="shadow"), world.issued("F1", DUE))
    assert await world.day(DAY) == []
    world.go_to(DAY + timedelta(days=1))
    assert (await balance_of(doors))[0] == {("held", "shadow"): 1}


async def test_a_reminder_that_was_said_twice_is_counted(world: World, doors: httpx.AsyncClient) -> None:
    """Planted: two releases of one step are both told to have left, and a reminder left in two notices."""
    auditor = Auditor(world.database, world.clock)
    await world.tell(world.issued("F1", DUE))
    (due,) = await world.day(DAY)
    await world.tell(world.stopped(due, "window_over"))
    (again,) = await world.day(DAY + timedelta(days=1))
    await world.tell(world.sent(again))
    await auditor.once()
    before = DOUBLE_REMINDERS._value.get()
    world.go_to(DAY + timedelta(days=2))
    assert (await got(doors, PATH))["double_reminders"] == 0
    await world.tell(world.sent(due))
    told = await got(doors, PATH)
    assert (told["double_reminders"], told["balanced"]) == (1, False)
    await auditor.once()
    assert DOUBLE_REMINDERS._value.get() == before + 1
    other = world.sent(again).model_copy(update={"notice_id": world.invoice("another")})
    await world.tell(other)
    assert (await got(doors, PATH))["double_reminders"] == 2
    await world.tell(world.bounced(due), world.bounced(again))
    assert (await got(doors, PATH))["double_reminders"] == 0, "what came back was not said"
    assert len(await world.said(ReminderDue)) == 2


async def forged(world: World, number: str, sent_at: datetime) -> None:
    """A second notice of the reminder about an invoice, as it is on record."""
    [first] = [row for row in await world.rows(notice) if row["notice_id"] == world.invoice(number)]
    async with world.database.transaction() as db:
        facts = {"notice_id": world.invoice(f"{number} again"), "sent_at": sent_at}
        await db.execute(insert(notice).values({**first, **facts}))


async def test_the_auditor_counts_what_is_new_each_minute_and_everything_once_a_day(world: World) -> None:
    auditor = Auditor(world.database, world.clock)
    await world.tell(*(world.debtor_changed(name) for name in "AB"))
    await world.tell(*(world.issued(f"F{name}", DUE, debtor=name) for name in "AB"))
    for due in await world.day(DAY):
        told = world.sent(due).model_copy(update={"notice_id": world.invoice(due.lines[0].number)})
        await world.tell(told)
    world.go_to(DAY + timedelta(days=1))
    await whole_day_over(world)
    await auditor.once()
    before = DOUBLE_REMINDERS._value.get()
    await forged(world, "FA", world.clock.now() - timedelta(hours=1))
    await auditor.once()
    assert DOUBLE_REMINDERS._value.get() == before, "what left long before was counted"
    await forged(world, "FB", world.clock.now())
    await auditor.once()
    assert DOUBLE_REMINDERS._value.get() == before + 1
    world.clock.at += timedelta(hours=1)
    await auditor.once()
    assert DOUBLE_REMINDERS._value.get() == before + 1, "what was found is counted again"
    await whole_day_over(world)
    await auditor.once()
    assert DOUBLE_REMINDERS._value.get() == before + 2
    async with world.database.transaction() as db:
        await db.execute(update(notice).where(notice.c.tenant_id == world.tenant).values(bounced=True))
    await auditor.once()
    assert DOUBLE_REMINDERS._value.get() == before, "what came back was not said"


async def whole_day_over(world: World) -> None:
    """Everything was counted a day ago."""
    async with world.database.transaction() as db:
        await db.execute(update(audit_mark).values(all_counted_at=world.clock.now() - timedelta(days=1)))


async def test_while_one_process_audits_another_shows_what_was_found(world: World) -> None:
    auditor = Auditor(world.database, world.clock)
    await auditor.once()
    before = DOUBLE_REMINDERS._value.get()
    async with world.database.transaction() as db:
        assert await audit.alone(db)
        marked = await audit.mark(db)
        world.clock.at += timedelta(minutes=5)
        DOUBLE_REMINDERS.set(-1)
        await auditor.once()
        assert DOUBLE_REMINDERS._value.get() == before
        assert await audit.mark(db) == marked
    await auditor.once()
    async with world.database.transaction() as db:
        assert await audit.mark(db) != marked


async def test_a_day_that_is_not_over_has_no_balance(
    world: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    assert settings
    today = world.clock.now().date()
    for day in (today.isoformat(), "1999-12-31"):
        answer = await doors.get(PATH, params={"on": day})
        assert (answer.status_code, answer.json()["field"]) == (422, "on") and answer.json()["remedy"]
    unknown = {"entity_id": str(world.invoice("nobody"))}
    assert (await doors.get(PATH, params=unknown)).status_code == 404
    assert (await doors.get(f"{PATH}/steps", params=unknown)).status_code == 404
