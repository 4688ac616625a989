"""The key figures from outside, on a small world whose sums can be done by hand."""

from datetime import date

import httpx
import pytest

from services.scheduler.reviewing import Reviews
from tests.integration.scheduler.test_doors import EUR, got, posted
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)
MONTH = {"first": "2026-09-01", "last": "2026-09-30"}


@pytest.fixture
async def month(world: World) -> World:
    """Three invoices of 500 euros: F1 paid ten days late, F2 open, F3 due in October; F1 and F2 were reminded."""
    world.go_to(date(2026, 8, 3))
    await world.tell(world.issued("F1", DUE), world.issued("F2", DUE), world.issued("F3", date(2026, 10, 15)))
    for due in await world.day(date(2026, 9, 3)):
        await world.tell(world.sent(due))
    world.go_to(date(2026, 9, 11))
    await world.tell(world.matched("P1", 500, "F1", 0), world.settled("F1"))
    world.go_to(date(2026, 9, 30))
    return world


async def test_dso_is_that_of_the_day_and_of_what_was_known_then(month: World, doors: httpx.AsyncClient) -> None:
    now = (await got(doors, "/v1/kpis/dso"))["figures"][0]
    assert (now["outstanding"]["amount"], now["overdue"]["amount"], now["overdue_share"]) == (
        "1000.00", "500.00", "0.5000"
    )  # fmt: skip
    assert (now["simple"], now["best_possible"]) == ("60.0", "30.0")
    before = (await got(doors, "/v1/kpis/dso", on="2026-09-10"))["figures"][0]
    assert (before["outstanding"]["amount"], before["overdue"]["amount"]) == ("1000.00", "1000.00")
    assert (await got(doors, "/v1/kpis/dso", on="2026-08-01"))["figures"] == []


async def test_collection_says_how_much_how_late_and_at_what_cost(month: World, doors: httpx.AsyncClient) -> None:
    plain = (await got(doors, "/v1/kpis/collection", **MONTH))["figures"][0]
    assert (plain["owed_at_start"]["amount"], plain["sold"]["amount"], plain["owed_at_end"]["amount"]) == (
        "1000.00", "500.00", "1000.00"
    )  # fmt: skip
    assert (plain["effectiveness"], plain["items_settled"], plain["days_late"], plain["cost_of_overdue"]) == (
        "0.5000", 1, "10.0", None
    )  # fmt: skip
    cost = (await got(doors, "/v1/kpis/collection", percent="7.3", **MONTH))["figures"][0]["cost_of_overdue"]
    assert cost == {"amount": "3.90", "currency": "EUR"}, "500 × 7.3 % × (10 + 29) / 365"
    terms = {"cost_of_money": "14.6", "reason": "The overdraft of 2026"}
    assert (await doors.put(f"/v1/charges/terms/entities/{month.entity}", json=terms)).status_code == 200
    ours = await got(doors, "/v1/kpis/collection", entity_id=str(month.entity), **MONTH)
    assert ours["figures"][0]["cost_of_overdue"]["amount"] == "7.80"


async def test_promises_reminders_and_steps(month: World, doors: httpx.AsyncClient) -> None:
    told = {"case_id": str(month.case("A")), "amount": EUR, "promised_for": "2026-10-01"}
    await posted(doors, "/v1/promises", told)
    month.go_to(date(2026, 10, 6))
    await Reviews(month.database, month.clock).once()
    kept = (await got(doors, "/v1/kpis/promises", first="2026-10-01", last="2026-10-31"))["figures"][0]
    assert (kept["kept"], kept["broken"], kept["kept_rate"], kept["paid_rate"]) == (0, 1, "0.0000", "0.0000")
    said = await got(doors, "/v1/kpis/reminders", **MONTH)
    assert (said["reminders"], said["wrong"], said["wrong_rate"]) == (1, 0, "0.0000")
    steps = (await got(doors, "/v1/kpis/steps", **MONTH))["figures"]
    assert [(each["step"], each["items"], each["settled"], each["settled_rate"]) for each in steps] == [
        ("friendly", 2, 1, "0.5000")
    ]
    assert steps[0]["settled_amount"]["amount"] == "500.00"


async def test_a_reminder_of_what_had_been_paid_is_a_wrong_one(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE))
    due = (await world.day(date(2026, 9, 3)))[0]
    await world.tell(world.sent(due))
    paid, over = world.matched("P1", 500, "F1", 0), world.settled("F1")
    early = {"value_date": date(2026, 9, 2)}
    await world.tell(paid.model_copy(update=early), over.model_copy(update={"settled_on": date(2026, 9, 2)}))
    said = await got(doors, "/v1/kpis/reminders", **MONTH)
    assert (said["reminders"], said["wrong"], said["wrong_rate"]) == (1, 1, "1.0000")


@pytest.mark.parametrize(
    ("first", "last"), [("2026-09-30", "2026-09-01"), ("2020-01-01", "2026-01-01"), ("1000-01-01", "1000-01-02")]
)
async def test_a_period_is_of_our_time_and_at_most_a_year(doors: httpx.AsyncClient, first: str, last: str) -> None:
    answer = await doors.get("/v1/kpis/steps", params={"first": first, "last": last})
    assert (answer.status_code, answer.json()["field"]) == (422, "last") and answer.json()["remedy"]
