"""DOMAIN §3 as a table: facts → level, next step and its day, message or the reason for silence. One test a row."""

# ruff: noqa: E501 - a table reads by its columns

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest

from libs.common.ids import named
from services.scheduler.case import Item, Money, Party
from services.scheduler.explain import explain
from tests.unit.scheduler.world import case, decided, item, mark, pause

DUE = date(2026, 9, 1)  # a Tuesday
FRIENDLY, FIRM, FINAL, FORMAL = date(2026, 9, 3), date(2026, 9, 11), date(2026, 9, 22), date(2026, 10, 1)


def delivered(*steps: str) -> tuple[Any, ...]:
    days = {"friendly": FRIENDLY, "firm": FIRM, "final": FINAL, "formal": FORMAL}
    return tuple(mark(step, days[step]) for step in steps)


@dataclass
class Row:
    """`says` is the step of the notice that leaves, or None; `why` the first reason when nothing does."""

    facts: str
    today: date
    item: Item
    level: int
    step: str | None
    on: date | None
    says: str | None = None
    why: str | None = None
    world: dict[str, Any] = field(default_factory=dict)
    others: tuple[Item, ...] = ()


def late(**facts: Any) -> Item:
    return item("A", DUE, **facts)


MONEY = Money("EUR", 50_000, date(2026, 9, 2))
ROWS = [
    Row("not due yet", date(2026, 8, 20), late(), 0, "friendly", FRIENDLY, why="not_yet"),
    Row("due soon and worth a notice", date(2026, 8, 27), late(amount=200_000, residual=200_000), 0, "courtesy", date(2026, 8, 27), says="courtesy"),
    Row("due soon, too small for a notice", date(2026, 8, 27), late(), 0, "friendly", FRIENDLY, why="not_yet"),
    Row("two days late", FRIENDLY, late(), 0, "friendly", FRIENDLY, says="friendly"),
    Row("D+2 is a Saturday", date(2026, 9, 5), item("A", date(2026, 9, 3)), 0, "friendly", date(2026, 9, 7), why="not_yet"),
    Row("D+2 is the Monday after", date(2026, 9, 7), item("A", date(2026, 9, 3)), 0, "friendly", date(2026, 9, 7), says="friendly"),
    Row("ten days late", FIRM, late(marks=delivered("friendly")), 2, "firm", FIRM, says="firm", world={"party": Party(named("p"), FRIENDLY)}),
    Row("an outage of thirty days burns no step", date(2026, 10, 2), late(), 0, "friendly", FRIENDLY, says="friendly"),
    Row("after the outage, the gap", date(2026, 10, 5), late(marks=(mark("friendly", date(2026, 10, 2)),)), 2, "firm", FIRM, why="gap", world={"party": Party(named("p"), date(2026, 10, 2))}),
    Row("after the gap, the next step only", date(2026, 10, 9), late(marks=(mark("friendly", date(2026, 10, 2)),)), 2, "firm", FIRM, says="firm", world={"party": Party(named("p"), date(2026, 10, 2))}),
    Row("a bounced notice is no level", FIRM, late(marks=(mark("friendly", FRIENDLY, state="bounced", retry_on=FIRM),)), 0, "friendly", FIRM, says="friendly"),
    Row("a failed notice is tried again later", date(2026, 9, 4), late(marks=(mark("friendly", FRIENDLY, state="failed", retry_on=date(2026, 9, 10)),)), 0, "friendly", date(2026, 9, 10), why="not_yet"),
    Row("nobody knows whether it left", FIRM, late(marks=(mark("friendly", FRIENDLY, state="uncertain"),)), 0, "friendly", FRIENDLY, why="uncertain"),
    Row("imported history waits", FIRM, late(take_over="waiting"), 0, "friendly", None, why="take_over"),
    Row("imported history released", FIRM, late(take_over="released"), 0, "friendly", FRIENDLY, says="friendly"),
    Row("imported history starts with a statement", FIRM, late(take_over="statement", take_over_on=FIRM), 0, "statement", FIRM, says="statement"),
    Row("another entity reminded the party yesterday", FRIENDLY, late(), 0, "friendly", FRIENDLY, why="gap", world={"party": Party(named("p"), date(2026, 9, 2))}),
    Row("another entity's notice to the party is under way", FRIENDLY, late(), 0, "friendly", FRIENDLY, why="gap", world={"party": Party(named("p"), reserved_on=date(2026, 9, 2))}),
    Row("the party heard enough this month", FRIENDLY, late(), 0, "friendly", FRIENDLY, why="budget", world={"party": Party(named("p"), date(2026, 8, 20), (date(2026, 8, 20),) * 8)}),
    Row("another entity's formal notice comes first", FRIENDLY, late(), 0, "friendly", FRIENDLY, why="formal_first", world={"party": Party(named("p"), formal_on=date(2026, 9, 7))}),
    Row("two e-mails unanswered: a call", date(2026, 9, 16), late(marks=delivered("friendly", "firm")), 3, "call", date(2026, 9, 16), says="call"),
    Row("the payer answered: no call", date(2026, 9, 16), late(marks=delivered("friendly", "firm")), 3, "sales_owner", date(2026, 9, 21), why="not_yet", world={"answered_on": date(2026, 9, 14)}),
    Row("the sales owner is warned", date(2026, 9, 21), late(marks=(*delivered("friendly", "firm"), mark("call", date(2026, 9, 16)))), 3, "sales_owner", date(2026, 9, 21), says="sales_owner"),
    Row("a call made starts the gap", FINAL, late(marks=(*delivered("friendly", "firm"), mark("call", date(2026, 9, 18)), mark("sales_owner", date(2026, 9, 21)))), 3, "final", FINAL, why="gap"),
    Row("three weeks late", date(2026, 9, 25), late(marks=(*delivered("friendly", "firm"), mark("call", date(2026, 9, 16)), mark("sales_owner", date(2026, 9, 21)))), 3, "final", FINAL, says="final"),
    Row("no formal notice without two delivered", FORMAL, late(marks=(mark("friendly", FRIENDLY, state="skipped"), *delivered("final"), mark("firm", FIRM, state="skipped"), mark("visit", FINAL, state="skipped"))), 4, "formal", FORMAL, why="too_few_delivered"),
    Row("formal notice", FORMAL, late(marks=(*delivered("friendly", "firm", "final"), mark("visit", FINAL, state="skipped"))), 4, "formal", FORMAL, says="formal"),
    Row("no formal notice over a disputed part", FORMAL, late(marks=(*delivered("friendly", "firm", "final"), mark("visit", FINAL, state="skipped")), pauses=(pause("dispute", 10_000),)), 4, "formal", FORMAL, why="disputed_part"),
    Row("after the formal notice nothing friendly", date(2026, 10, 20), item("B", date(2026, 10, 10)), 0, "friendly", None, why="escalated", others=(late(marks=delivered("friendly", "firm", "final", "formal")),)),
    Row("settled", FIRM, late(residual=0, marks=delivered("friendly")), 2, None, None, why="settled"),
    Row("credited whole", FRIENDLY, late(residual=0), 0, None, None, why="settled"),
    Row("cancelled", FRIENDLY, late(cancelled=True), 0, None, None, why="cancelled"),
    Row("paid in part", FIRM, late(residual=10_000, marks=delivered("friendly")), 2, "firm", FIRM, says="firm"),
    Row("un-allocated: reopens at the level reached", date(2026, 10, 1), late(cycle=2, cycle_on=date(2026, 10, 1), cycle_reason="unallocated", marks=delivered("friendly", "firm")), 3, "firm", date(2026, 10, 1), says="firm"),
    Row("reopened, that tone once more, then the next", date(2026, 10, 12), late(cycle=2, cycle_on=date(2026, 10, 1), marks=(*delivered("friendly", "firm"), mark("firm", date(2026, 10, 1), cycle=2), mark("call", date(2026, 10, 5), cycle=2, state="skipped"), mark("sales_owner", date(2026, 10, 9), cycle=2))), 3, "final", date(2026, 10, 12), says="final"),
    Row("a returned direct debit starts at its return", date(2026, 10, 1), late(not_chased=("collected_otherwise",), cycle=2, cycle_on=date(2026, 10, 1), cycle_reason="returned"), 0, "friendly", date(2026, 10, 1), says="friendly"),
    Row("direct debit not failed yet", FRIENDLY, late(not_chased=("collected_otherwise",)), 0, "friendly", None, why="not_chased"),
    Row("a consumer", FRIENDLY, late(not_chased=("consumer",)), 0, "friendly", None, why="not_chased"),
    Row("due date moved later", FRIENDLY, item("A", date(2026, 10, 1)), 0, "friendly", date(2026, 10, 5), why="not_yet"),
    Row("due date moved later after a reminder", FIRM, item("A", date(2026, 10, 1), marks=delivered("friendly")), 2, "firm", date(2026, 10, 12), why="not_yet"),
    Row("on hold", FRIENDLY, late(pauses=(pause(),)), 0, "friendly", None, why="held"),
    Row("promised", FRIENDLY, late(pauses=(pause("promise"),)), 0, "friendly", None, why="promised"),
    Row("in a plan", FRIENDLY, late(pauses=(pause("plan"),)), 0, "friendly", None, why="in_plan"),
    Row("disputed whole", FRIENDLY, late(pauses=(pause("dispute", 50_000),)), 0, "friendly", None, why="disputed"),
    Row("disputed in part: the rest is chased", FRIENDLY, late(pauses=(pause("dispute", 20_000),)), 0, "friendly", FRIENDLY, says="friendly"),
    Row("a part released unpaid is chased again", date(2026, 10, 1), late(cycle=2, cycle_on=date(2026, 10, 1), cycle_reason="released", marks=delivered("friendly")), 2, "friendly", date(2026, 10, 1), says="friendly"),
    Row("the payer replied", FRIENDLY, late(pauses=(pause("reply"),)), 0, "friendly", None, why="reply_unread"),
    Row("excluded", FRIENDLY, late(pauses=(pause("exclusion"),)), 0, "friendly", None, why="excluded"),
    Row("money on account may pay it", FRIENDLY, late(), 0, "friendly", None, why="cash_on_account", world={"cash": (MONEY,)}),
    Row("money on account within the tolerance", FRIENDLY, late(residual=50_400), 0, "friendly", None, why="cash_on_account", world={"cash": (MONEY,)}),
    Row("money on account too small", FRIENDLY, late(residual=90_000), 0, "friendly", FRIENDLY, says="friendly", world={"cash": (MONEY,)}),
    Row("money in another currency", FRIENDLY, late(), 0, "friendly", FRIENDLY, says="friendly", world={"cash": (Money("USD", 90_000, date(2026, 9, 2)),)}),
    Row("money on account for three days covers all", date(2026, 9, 8), late(), 0, "friendly", FRIENDLY, why="net_not_positive", world={"cash": (MONEY,)}),
    Row("money on account covers what is late, not what is still to come", date(2026, 9, 8), late(), 0, "friendly", FRIENDLY, why="net_not_positive", world={"cash": (MONEY,)}, others=(item("B", date(2026, 10, 30), residual=900_000),)),
    Row("old money covers a part", date(2026, 9, 8), late(residual=90_000), 0, "friendly", FRIENDLY, says="friendly", world={"cash": (MONEY,)}),
    Row("a credit note waits to be applied", FRIENDLY, late(credit_pending=True), 0, "friendly", None, why="credit_pending"),
    Row("credits cover all", FRIENDLY, late(), 0, "friendly", FRIENDLY, why="net_not_positive", world={"credits": (MONEY,)}),
    Row("no bank data at all", FRIENDLY, late(), 0, "friendly", FRIENDLY, why="feed_missing", world={"feed_required": True}),
    Row("bank data stale", FRIENDLY, late(), 0, "friendly", FRIENDLY, why="feed_stale", world={"feed_required": True, "covered_to": date(2026, 9, 1)}),
    Row("bank data fresh", FRIENDLY, late(), 0, "friendly", FRIENDLY, says="friendly", world={"feed_required": True, "covered_to": date(2026, 9, 2)}),
    Row("a notice of the case is under way", FRIENDLY, late(), 0, "friendly", FRIENDLY, why="notice_in_flight", others=(item("B", DUE, marks=(mark("friendly", FRIENDLY, state="proposed", reminder_id=named("r"), printed=50_000),)),)),
    Row("all sending stopped", FRIENDLY, late(), 0, "friendly", FRIENDLY, why="tenant_stopped", world={"stopped": True}),
    Row("nobody knows the payer", FRIENDLY, late(), 0, "friendly", FRIENDLY, why="payer_unknown", world={"payer_known": False}),
    Row("in shadow it is shown, not said", FRIENDLY, late(), 0, "friendly", FRIENDLY, why="shadow", world={"mode": "shadow"}),
    Row("every step done: the proposal to hand it over", date(2026, 10, 16), late(marks=delivered("friendly", "firm", "final", "formal")), 5, "hand_over", date(2026, 10, 16), says="hand_over"),
    Row("after it a statement every month", date(2026, 10, 30), late(marks=(*delivered("friendly", "firm", "final", "formal"), mark("hand_over", date(2026, 10, 16)))), 5, "monthly", date(2026, 11, 16), why="not_yet"),
    Row("the third statement", date(2027, 1, 18), late(marks=(*delivered("friendly", "firm", "final", "formal"), mark("hand_over", date(2026, 10, 16)), mark("monthly", date(2026, 11, 16)), mark("monthly-2", date(2026, 12, 16)))), 5, "monthly-3", date(2027, 1, 18), says="monthly-3"),
    Row("a person decided: no statement", date(2026, 11, 16), late(pauses=(pause("exclusion"),), marks=(*delivered("friendly", "firm", "final", "formal"), mark("hand_over", date(2026, 10, 16)))), 5, None, None, why="excluded"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.facts.replace(" ", "_"))
def test_the_table_of_the_domain(row: Row) -> None:
    decision = decided(row.today, row.item, *row.others, **row.world)
    told = explain(row.item, case(row.item, *row.others, **row.world), decision)
    says = [n.step.key for n in decision.notices if row.item.number in [r.item.number for r in n.rows if r.completes]]
    released = None if decision.shown_only or not says else says[0]
    assert (told.level, told.next_step, told.next_on) == (row.level, row.step, row.on)
    assert released == row.says
    assert row.why is None or told.reasons[0].code == row.why
    assert told.now == (row.says is not None)
