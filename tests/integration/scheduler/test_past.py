"""An explanation of a past instant is the one that was given then; where it cannot be, it says so."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import delete

from libs.common.events.invoices import CreditedInvoice, CreditNoteIssued
from libs.common.events.payments import CreditApplied
from libs.common.ids import named
from libs.common.money import Money
from services.scheduler.tables import occurrence
from tests.integration.scheduler.test_doors import EUR, got, posted
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)
TOLD = ("residual", "paused", "cycle", "level", "next_step", "next_on", "now", "reasons", "due_date", "policy_number")
Deed = Callable[[], Awaitable[Any]]


async def explained(doors: httpx.AsyncClient, world: World, number: str, at: datetime | None = None) -> dict[str, Any]:
    params = {} if at is None else {"at": at.isoformat()}
    return dict(await got(doors, f"/v1/items/{world.item(number)}/explain", **params))


def told(explanation: dict[str, Any]) -> dict[str, Any]:
    """What an explanation says, without the ids of what had not been released then."""
    marks = [
        (mark["step"], mark["cycle"], mark["state"], mark["on"], mark["release"]) for mark in explanation["history"]
    ]
    return {name: explanation[name] for name in TOLD} | {"history": marks}


def credit(world: World, number: str, version: int = 1) -> CreditNoteIssued:
    return CreditNoteIssued(
        tenant_id=world.tenant, version=version, entity_id=world.entity, credit_note_id=named("credit", world.tenant),
        debtor_id=world.debtor("A"), payer_id=world.debtor("A"), number="AV1", issue_date=DUE,
        amount=Money(10_000, "EUR"), invoices=[CreditedInvoice(invoice_id=world.invoice(number))],
    )  # fmt: skip


def applied(world: World) -> CreditApplied:
    return CreditApplied(
        tenant_id=world.tenant, version=1, entity_id=world.entity, credit_note_id=named("credit", world.tenant),
        payer_id=world.debtor("A"), unapplied=Money(10_000, "EUR"), residuals=[],
    )  # fmt: skip


def story(world: World, doors: httpx.AsyncClient) -> list[tuple[date, Deed]]:
    """Two months of a payer: every kind of fact that a decision rests on comes and goes."""

    async def reminded() -> None:
        for due in await world.sweep():
            await world.tell(world.sent(due))

    def tell(*facts: Callable[[], Any]) -> Deed:
        return lambda: world.tell(*(fact() for fact in facts))

    async def disputed() -> None:
        body = {"item_id": str(world.item("F2")), "amount": {"amount": "100.00", "currency": "EUR"}, "reason": "price"}
        world.kept = await posted(doors, "/v1/disputes", body)  # type: ignore[attr-defined]

    async def resolved() -> None:
        path = f"/v1/disputes/{world.kept['dispute_id']}/resolve"  # type: ignore[attr-defined]
        await posted(doors, path, {"outcome": "rejected"}, 200)

    async def promised() -> None:
        body = {"case_id": str(world.case("A")), "amount": EUR, "promised_for": "2026-10-15"}
        world.kept = await posted(doors, "/v1/promises", body)  # type: ignore[attr-defined]

    async def cancelled() -> None:
        await posted(doors, f"/v1/promises/{world.kept['promise_id']}/cancel", status=200)  # type: ignore[attr-defined]

    async def released() -> None:
        await posted(doors, f"/v1/items/{world.item('F4')}/take-over", {"decision": "release"}, 200)

    feed = world.feed
    return [
        (date(2026, 9, 4), tell(lambda: feed(date(2026, 9, 1)))),
        (date(2026, 9, 7), tell(lambda: feed(date(2026, 9, 4)), lambda: world.received("P1", 500))),
        (date(2026, 9, 9), tell(world.replied, lambda: feed(date(2026, 9, 30)))),
        (date(2026, 9, 10), tell(world.task_done)),
        (date(2026, 9, 11), tell(lambda: world.matched("P1", 500, "F1", 0), lambda: world.settled("F1"))),
        (date(2026, 9, 14), disputed),
        (date(2026, 9, 16), tell(lambda: world.amended("F3", date(2026, 10, 1)))),
        (date(2026, 9, 17), resolved),
        (date(2026, 9, 18), tell(lambda: credit(world, "F2"))),
        (date(2026, 9, 21), tell(lambda: applied(world))),
        (date(2026, 9, 23), reminded),
        (date(2026, 9, 24), tell(lambda: world.entity_configured(feed_required=True, approvals="confirm"))),
        (date(2026, 9, 28), tell(lambda: world.tenant_configured(stopped=True), lambda: world.reopened("F1"))),
        (date(2026, 9, 30), tell(lambda: world.tenant_configured(stopped=False), lambda: feed(date(2026, 10, 30)))),
        (date(2026, 10, 2), promised),
        (date(2026, 10, 5), cancelled),
        (date(2026, 10, 6), released),
        (date(2026, 10, 7), tell(lambda: world.cancelled("F2"))),
    ]


async def test_what_is_explained_of_a_past_instant_is_what_was_explained_then(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.entity_configured(feed_required=True), world.feed(None))
    numbers = ("F1", "F2", "F3", "F4")
    await world.tell(*(world.issued(number, DUE) for number in numbers[:2]))
    await world.tell(world.issued("F3", date(2026, 9, 10)), world.issued("F4", DUE, take_over=True))
    deeds = dict(story(world, doors))
    then: list[tuple[datetime, str, dict[str, Any]]] = []
    day = DUE
    while day <= date(2026, 10, 9):
        for hour in (8, 12) if day in deeds else (12,):
            world.go_to(day, hour)
            if hour == 8:
                await deeds[day]()
            for due in await world.sweep():
                if hour == 12:
                    await world.tell(world.proposed(due))
            then += [(world.clock.now(), number, told(await explained(doors, world, number))) for number in numbers]
            world.clock.at += timedelta(minutes=30)
            await answer_what_is_out(world, day)
        day += timedelta(days=3 if day.weekday() == 4 else 1)
    for instant, number, said in then:
        found = await explained(doors, world, number, instant)
        assert told(found) == said, (instant, number)
        assert found["caveats"] == [], (instant, number)
    assert {reason["code"] for _, _, said in then for reason in said["reasons"]} >= {
        "feed_missing", "feed_stale", "cash_on_account", "reply_unread", "settled", "credit_pending", "tenant_stopped",
        "promised", "take_over", "gap", "cancelled", "in_flight", "not_yet",
    }  # fmt: skip


async def answer_what_is_out(world: World, day: date) -> None:
    """Every third day the notices that are out have left by half past."""
    if day.day % 3:
        return
    ended = {row["reminder_id"] for row in await world.rows(occurrence) if row["state"] not in ("released", "proposed")}
    out = [due for due in await world.said_due() if due.reminder_id not in ended]
    await world.tell(*(world.sent(due) for due in out))


async def test_a_day_before_anybody_told_of_the_invoice_is_explained_as_such(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE))
    world.go_to(date(2026, 9, 3))
    early = await explained(doors, world, "F1", datetime.fromisoformat("2026-08-01T08:00:00+00:00"))
    assert [caveat["code"] for caveat in early["caveats"]] == ["unknown_then"]


async def test_an_explanation_that_differs_from_what_was_done_says_so(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE))
    await world.day(date(2026, 9, 3))
    async with world.database.transaction() as db:
        await db.execute(delete(occurrence).where(occurrence.c.tenant_id == world.tenant))
    world.go_to(date(2026, 9, 8))
    then = await explained(doors, world, "F1", datetime.fromisoformat("2026-09-03T08:00:00+00:00"))
    assert (then["now"], [caveat["code"] for caveat in then["caveats"]]) == (True, ["not_released_then"])


async def test_what_nobody_keeps_is_named(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE), world.entity_configured(run_in="required"))
    world.go_to(date(2026, 9, 8))
    await world.tell(
        world.debtor_changed("A"), world.debtor_changed("B", party="A"), world.issued("F2", DUE, debtor="B")
    )
    then = await explained(doors, world, "F1", datetime.fromisoformat("2026-09-02T08:00:00+00:00"))
    codes = [caveat["code"] for caveat in then["caveats"]]
    assert codes == ["debtor_changed_since", "other_cases_then", "run_in_then"]
