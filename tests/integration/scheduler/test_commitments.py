"""Promises, plans and disputes as processes: value dates, exact scopes, clauses, owners, credit notes."""

from datetime import date
from typing import Any

import httpx
import pytest

from libs.common.events.invoices import CreditedInvoice, CreditNoteIssued
from libs.common.events.payments import CreditApplied, PaymentMatched, Residual
from libs.common.events.reminders import (
    DisputeResolved,
    HoldLifted,
    PlanDefaulted,
    PromiseBroken,
    PromiseCancelled,
    PromiseKept,
)
from libs.common.ids import named
from libs.common.money import Money
from services.scheduler.reviewing import Reviews
from services.scheduler.tables import hold, item
from tests.integration.scheduler.test_doors import got, posted
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)


def euros(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


async def review(world: World, day: date) -> None:
    """The morning of a day: what is to be judged is judged."""
    world.go_to(day)
    await Reviews(world.database, world.clock).once()


def credited(world: World, number: str, left: int, name: str = "C1") -> list[Any]:
    """A credit note for an invoice, and what its item owes after it."""
    note, item = named("note", world.tenant, name), world.item(number)
    about = {"tenant_id": world.tenant, "entity_id": world.entity, "credit_note_id": note}
    residual = Residual(
        item_id=item, invoice_id=world.invoice(number), residual=Money(left * 100, "EUR"),
        item_version=world.version(named("item version", item)),
    )  # fmt: skip
    issued = CreditNoteIssued(
        **about, version=1, debtor_id=world.debtor("A"), payer_id=world.debtor("A"), number=name,
        issue_date=world.clock.now().date(), amount=Money(100, "EUR"),
        invoices=[CreditedInvoice(invoice_id=world.invoice(number))],
    )  # fmt: skip
    applied = CreditApplied(
        **about, version=1, payer_id=world.debtor("A"), unapplied=Money(0, "EUR"), residuals=[residual]
    )
    return [issued, applied]


async def promise(world: World, doors: httpx.AsyncClient, **told: Any) -> dict[str, Any]:
    body = {"case_id": str(world.case("A")), "amount": euros("500.00"), "promised_for": "2026-09-10"}
    return dict(await posted(doors, "/v1/promises", body | told))


async def test_a_promise_of_a_part_pauses_that_part_and_no_more(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE), world.issued("F2", DUE))
    made = await promise(world, doors, amount=euros("700.00"), pause="part")
    assert (made["pause"], made["paid"]["amount"]) == ("part", "0.00")
    lines = {line.number: str(line.paused) for due in await world.day(date(2026, 9, 3)) for line in due.lines}
    first, second = sorted(["F1", "F2"], key=lambda number: str(world.item(number)))
    assert lines == {second: "200.00 EUR"}, f"{first} is paused whole"


async def test_a_part_released_unpaid_is_chased_again_and_a_part_that_was_paid_is_not(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.debtor_changed("B"), world.issued("F1", DUE), world.issued("F2", DUE, debtor="B"))
    for due in await world.day(date(2026, 9, 3)):
        await world.tell(world.sent(due))
    for name, number in (("A", "F1"), ("B", "F2")):
        told = {"case_id": str(world.case(name)), "item_ids": [str(world.item(number))], "pause": "part"}
        await promise(world, doors, amount=euros("200.00"), **told)
    world.go_to(date(2026, 9, 9))
    await world.tell(world.matched("P1", 200, "F2", 300, payer="B"))
    await review(world, date(2026, 9, 15))
    cycles = {row["number"]: list(row["cycles"]) for row in await world.rows(item)}
    assert (len(cycles["F1"]), cycles["F2"]) == (1, [])
    said = {line.number: due.step_key for due in await world.sweep() for line in due.lines}
    assert said == {"F1": "friendly", "F2": "firm"}, "the level reached once more, and the next one"


async def test_a_promise_on_items_is_judged_by_the_value_dates_of_their_money(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE))
    made = await promise(world, doors, item_ids=[str(world.item("F1"))])
    world.go_to(date(2026, 9, 15))
    late = world.matched("P1", 500, "F1", 0)
    in_time = late.model_copy(update={"value_date": date(2026, 9, 14)})
    assert isinstance(in_time, PaymentMatched)
    await world.tell(in_time)
    await review(world, date(2026, 9, 16))
    kept = await got(doors, f"/v1/promises/{made['promise_id']}")
    assert (kept["state"], kept["paid"]["amount"], len(await world.said(PromiseKept))) == ("kept", "500.00", 1)


async def test_a_promise_of_an_amount_is_kept_by_money_in_another_currency(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE))
    made = await promise(world, doors, amount=euros("200.00"))
    world.go_to(date(2026, 9, 9))
    told = world.matched("P1", 200, "F1", 300)
    given = told.allocations[0].model_copy(update={"paid": Money(21_712, "USD")})
    amounts = {"amount": Money(21_712, "USD"), "unapplied": Money(0, "USD"), "allocations": [given]}
    await world.tell(told.model_copy(update=amounts))
    await review(world, date(2026, 9, 16))
    kept = await got(doors, f"/v1/promises/{made['promise_id']}")
    assert (kept["state"], kept["paid"]) == ("kept", euros("200.00"))


@pytest.mark.parametrize(("abroad", "state", "paid"), [(500, "kept", "1000.00"), (400, "partly_kept", "900.00")])
async def test_money_on_account_and_money_in_another_currency_keep_a_promise_together(
    world: World, doors: httpx.AsyncClient, abroad: int, state: str, paid: str
) -> None:
    await world.tell(world.issued("F1", DUE), world.issued("F2", DUE))
    made = await promise(world, doors, amount=euros("1000.00"))
    world.go_to(date(2026, 9, 9))
    told = world.matched("P1", abroad, "F1", 500 - abroad)
    given = told.allocations[0].model_copy(update={"paid": Money(54_280, "USD")})
    amounts = {"amount": Money(54_280, "USD"), "unapplied": Money(0, "USD"), "allocations": [given]}
    await world.tell(told.model_copy(update=amounts), world.matched("P2", 500, "F2", 400, unapplied=400))
    await review(world, date(2026, 9, 16))
    kept = await got(doors, f"/v1/promises/{made['promise_id']}")
    assert (kept["state"], kept["paid"]) == (state, euros(paid)), "each counts once"


async def test_a_promise_that_half_the_money_kept_says_how_much(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE))
    made = await promise(world, doors, item_ids=[str(world.item("F1"))])
    world.go_to(date(2026, 9, 9))
    await world.tell(world.matched("P1", 200, "F1", 300))
    await review(world, date(2026, 9, 14))
    assert (await got(doors, f"/v1/promises/{made['promise_id']}"))["paid"]["amount"] == "200.00"
    await review(world, date(2026, 9, 15))
    over = await got(doors, f"/v1/promises/{made['promise_id']}")
    assert (over["state"], over["paid"]["amount"], len(await world.said(PromiseBroken))) == (
        "partly_kept", "200.00", 1
    )  # fmt: skip
    assert [str(line.residual) for due in await world.sweep() for line in due.lines] == ["300.00 EUR"]


async def test_nobody_breaks_a_promise_while_the_bank_does_not_tell_of_its_last_day(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.entity_configured(feed_required=True), world.issued("F1", DUE), world.feed(DUE))
    made = await promise(world, doors)
    await review(world, date(2026, 9, 16))
    assert (await got(doors, f"/v1/promises/{made['promise_id']}"))["state"] == "open"
    await world.tell(world.feed(date(2026, 9, 15)))
    await review(world, date(2026, 9, 17))
    assert (await got(doors, f"/v1/promises/{made['promise_id']}"))["state"] == "broken"


async def test_a_promise_whose_invoice_is_credited_is_off_and_not_broken(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE))
    made = await promise(world, doors)
    await world.tell(*credited(world, "F1", 0))
    await review(world, date(2026, 9, 3))
    assert (await got(doors, f"/v1/promises/{made['promise_id']}"))["state"] == "cancelled"
    assert (len(await world.said(PromiseCancelled)), await world.said(PromiseBroken)) == (1, [])


async def plan(world: World, doors: httpx.AsyncClient, **told: Any) -> dict[str, Any]:
    parts = [{"on": day, "amount": euros("250.00")} for day in ("2026-09-10", "2026-10-12")]
    return dict(await posted(doors, "/v1/plans", {"item_ids": [str(world.item("F1"))], "instalments": parts} | told))


async def test_a_plan_shows_each_instalment_and_its_clause_forgives_one_late(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE))
    made = await plan(world, doors, clause={"tolerated": 1, "words": "The second miss makes all of it due."})
    assert [part["state"] for part in made["instalments"]] == ["to_come", "to_come"]
    await review(world, date(2026, 9, 15))
    late = await got(doors, f"/v1/plans/{made['plan_id']}")
    assert (late["state"], [part["state"] for part in late["instalments"]]) == ("running", ["missed", "to_come"])
    world.go_to(date(2026, 9, 21))
    await world.tell(world.matched("P1", 250, "F1", 250))
    await review(world, date(2026, 9, 21))
    again = await got(doors, f"/v1/plans/{made['plan_id']}")
    assert [(part["state"], part["paid"]["amount"]) for part in again["instalments"]] == [
        ("paid_late", "250.00"), ("to_come", "0.00")
    ]  # fmt: skip
    await review(world, date(2026, 10, 15))
    over = await got(doors, f"/v1/plans/{made['plan_id']}")
    assert (over["state"], over["missed_on"]) == ("defaulted", "2026-10-12")
    assert len(await world.said(PlanDefaulted)) == 1


async def test_what_a_plan_does_not_cover_is_chased(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE, 800))
    await plan(world, doors)
    due = (await world.day(date(2026, 9, 3)))[0]
    assert (str(due.lines[0].residual), str(due.lines[0].paused)) == ("800.00 EUR", "500.00 EUR")


async def test_an_item_is_in_one_plan_at_a_time_and_a_plan_can_be_called_off(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE))
    made = await plan(world, doors)
    parts = [{"on": "2026-09-20", "amount": euros("100.00")}]
    again = await doors.post("/v1/plans", json={"item_ids": [str(world.item("F1"))], "instalments": parts})
    assert (again.status_code, again.json()["field"]) == (409, "item_ids") and again.json()["remedy"]
    off = await posted(doors, f"/v1/plans/{made['plan_id']}/cancel", status=200)
    assert off["state"] == "cancelled"
    assert [told.reason for told in await world.said(HoldLifted)] == ["withdrawn"]
    assert len(await world.day(date(2026, 9, 3))) == 1
    assert [each["plan_id"] for each in (await got(doors, "/v1/plans", state="cancelled"))["items"]] == [
        made["plan_id"]
    ]


async def dispute(world: World, doors: httpx.AsyncClient, **told: Any) -> dict[str, Any]:
    body = {"item_id": str(world.item("F1")), "amount": euros("200.00"), "reason": "quality"}
    return dict(await posted(doors, "/v1/disputes", body | told))


async def test_a_dispute_has_an_owner_and_a_day_for_its_answer_and_says_when_it_is_late(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE))
    made = await dispute(world, doors)
    assert (made["state"], made["owner"], made["respond_by"]) == ("opened", "ada", "2026-09-15")
    told = {"owner": "quality@maison.test", "respond_by": "2026-09-10"}
    taken = await posted(doors, f"/v1/disputes/{made['dispute_id']}/investigate", told, 200)
    assert (taken["state"], taken["owner"], taken["overdue"]) == ("investigating", "quality@maison.test", False)
    assert (await got(doors, "/v1/disputes", overdue=True))["items"] == []
    world.go_to(date(2026, 9, 11))
    late = (await got(doors, "/v1/disputes", overdue=True, owner="quality@maison.test"))["items"]
    assert [(each["dispute_id"], each["overdue"]) for each in late] == [(made["dispute_id"], True)]


async def test_a_code_of_the_lifecycle_is_kept_and_has_our_reason(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE))
    body = {"item_id": str(world.item("F1")), "code": "QTE_ERR", "lifecycle_status": 207}
    made = await posted(doors, "/v1/disputes", body)
    assert (made["reason"], made["code"], made["lifecycle_status"]) == ("quantity", "QTE_ERR", 207)
    for wrong in ({"reason": "price"}, {"code": "NOPE"}, {"code": None}):
        answer = await doors.post("/v1/disputes", json=body | wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text


async def test_an_upheld_dispute_waits_for_its_credit_note_however_long_and_then_is_over(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE))
    made = await dispute(world, doors)
    told = {"outcome": "upheld", "answer": "Two of ten were broken."}
    upheld = await posted(doors, f"/v1/disputes/{made['dispute_id']}/resolve", told, 200)
    assert (upheld["credit_due_on"], upheld["closed_at"], upheld["resolved_by"]) == ("2026-09-15", None, "person")
    await review(world, date(2026, 9, 30))
    due = (await world.sweep())[0]
    assert str(due.lines[0].paused) == "200.00 EUR"
    assert (await got(doors, f"/v1/disputes/{made['dispute_id']}"))["overdue"]
    bears = await got(doors, f"/v1/items/{world.item('F1')}/charges/proof")
    assert bears["rows"][0]["balance"]["amount"] == "300.00", "what we will credit bears no interest"
    await world.tell(*credited(world, "F1", 300))
    await review(world, date(2026, 9, 30))
    over = await got(doors, f"/v1/disputes/{made['dispute_id']}")
    assert (over["state"], over["resolved_by"], over["closed_at"] is not None) == ("upheld", "credit_note", True)
    assert [told.reason for told in await world.said(HoldLifted)] == ["settled"]
    assert len(await world.said(DisputeResolved)) == 1


async def test_a_credit_note_upholds_an_open_dispute_and_in_part_lowers_its_pause(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE))
    made = await dispute(world, doors)
    await world.tell(*credited(world, "F1", 420))
    await review(world, date(2026, 9, 3))
    assert (await got(doors, f"/v1/disputes/{made['dispute_id']}"))["state"] == "opened"
    due = (await world.sweep())[0]
    assert (str(due.lines[0].residual), str(due.lines[0].paused)) == ("420.00 EUR", "120.00 EUR")
    held = sorted((row["amount_minor"], row["state"]) for row in await world.rows(hold))
    assert held == [(120_00, "active"), (200_00, "lifted")], "what was paused before stays on record"
    await world.tell(*credited(world, "F1", 300, "C2"))
    await review(world, date(2026, 9, 4))
    over = await got(doors, f"/v1/disputes/{made['dispute_id']}")
    assert (over["state"], over["resolved_by"]) == ("upheld", "credit_note")
    assert [told.outcome for told in await world.said(DisputeResolved)] == ["upheld"]


async def test_money_for_all_of_the_item_ends_its_dispute(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE))
    made = await dispute(world, doors)
    world.go_to(date(2026, 9, 2))
    await world.tell(world.matched("P1", 500, "F1", 0), world.settled("F1"))
    await review(world, date(2026, 9, 3))
    over = await got(doors, f"/v1/disputes/{made['dispute_id']}")
    assert (over["state"], over["resolved_by"]) == ("withdrawn", "payment")
    again = await doors.post(f"/v1/disputes/{made['dispute_id']}/resolve", json={"outcome": "upheld"})
    assert (again.status_code, again.json()["code"]) == (409, "already_ended")


@pytest.mark.parametrize(
    ("path", "told", "field"),
    [
        ("/v1/promises", {"promised_for": "2026-08-31"}, "promised_for"),
        ("/v1/promises", {"promised_for": "2027-12-31"}, "promised_for"),
        ("/v1/promises", {"amount": {"amount": "0", "currency": "EUR"}}, "amount"),
        ("/v1/promises", {"amount": {"amount": "501.00", "currency": "EUR"}}, "amount"),
        ("/v1/promises", {"amount": {"amount": "5.00", "currency": "USD"}}, "amount"),
        ("/v1/plans", {"instalments": [("2026-08-01", "10.00")]}, "instalments"),
        ("/v1/plans", {"instalments": [("2031-08-01", "10.00")]}, "instalments"),
        ("/v1/plans", {"instalments": [("2026-09-10", "10.00"), ("2026-09-10", "10.00")]}, "instalments"),
        ("/v1/plans", {"instalments": [("2026-09-10", "501.00")]}, "instalments"),
        ("/v1/plans", {"instalments": [("2026-09-10", "0")]}, "instalments"),
        ("/v1/disputes", {"amount": {"amount": "501.00", "currency": "EUR"}}, "amount"),
        ("/v1/disputes", {"amount": {"amount": "0", "currency": "EUR"}}, "amount"),
        ("/v1/disputes", {"review_on": "2026-08-31"}, "review_on"),
    ],
)
async def test_what_is_refused_names_its_field_the_rule_and_the_remedy(
    world: World, doors: httpx.AsyncClient, path: str, told: dict[str, Any], field: str
) -> None:
    await world.tell(world.issued("F1", DUE))
    item = str(world.item("F1"))
    good: dict[str, dict[str, Any]] = {
        "/v1/promises": {"case_id": str(world.case("A")), "amount": euros("500.00"), "promised_for": "2026-09-10"},
        "/v1/plans": {"item_ids": [item]},
        "/v1/disputes": {"item_id": item, "reason": "price"},
    }
    if "instalments" in told:
        told = {"instalments": [{"on": on, "amount": euros(amount)} for on, amount in told["instalments"]]}
    answer = await doors.post(path, json=good[path] | told)
    problem = answer.json()
    assert (answer.status_code, problem["field"]) == (422, field), answer.text
    assert problem["detail"] and problem["remedy"]
