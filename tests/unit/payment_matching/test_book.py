"""The book as a state machine: allocate, credit, take back, return, amend, in any order, and not a cent is lost."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from libs.common.events.payments import (
    InvoiceReopened,
    InvoiceSettled,
    PaymentMatched,
    PaymentReversed,
    WriteOffKind,
)
from libs.common.money import Money
from services.payment_matching.allocation import Line, Standing, netted, no_longer_granted
from services.payment_matching.allocation import between as shared_between
from services.payment_matching.book import Book
from services.payment_matching.errors import AlreadyReversed, OverAllocated, OverTolerance
from services.payment_matching.pages import CreditPage, ItemPage, PaymentPage

TENANT, ENTITY, PAYER = uuid4(), uuid4(), uuid4()
DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def an_item(amount: int, number: int = 1, currency: str = "EUR") -> ItemPage:
    return ItemPage(
        TENANT, UUID(int=number), UUID(int=1000 + number), ENTITY, PAYER, PAYER, currency, amount, amount, 0, DAY
    )


def a_payment(amount: int, number: int = 1, currency: str = "EUR") -> PaymentPage:
    return PaymentPage(TENANT, UUID(int=2000 + number), ENTITY, currency, amount, amount, 0, 0, DAY)


def a_credit(amount: int, number: int = 1) -> CreditPage:
    return CreditPage(TENANT, UUID(int=3000 + number), ENTITY, PAYER, "EUR", amount, amount, 0, 1, DAY)


def a_book(*pages: ItemPage | PaymentPage | CreditPage) -> Book:
    book = Book(NOW)
    for page in pages:
        if isinstance(page, ItemPage):
            book.items[page.item_id] = page
        elif isinstance(page, PaymentPage):
            book.payments[page.payment_id] = page
        else:
            book.credits[page.credit_note_id] = page
    return book


def told(book: Book, kind: type[Any]) -> list[Any]:
    return [event.body for event in book.events if isinstance(event.body, kind)]


def test_a_payment_that_covers_an_item_settles_it() -> None:
    item, payment = an_item(1000), a_payment(1200)
    book = a_book(item, payment)
    book.give(payment.payment_id, [Line(item.item_id, 1000)], "auto", "machine")
    matched, settled = told(book, PaymentMatched)[0], told(book, InvoiceSettled)[0]
    assert (matched.unapplied.minor, matched.residuals[0].residual.minor, matched.residuals[0].item_version) == (
        200,
        0,
        1,
    )
    assert (settled.settled_on, settled.by, matched.payer_id) == (DAY, "payment", PAYER)


def test_more_than_is_owed_or_left_is_refused() -> None:
    item, payment = an_item(1000), a_payment(500)
    book = a_book(item, payment)
    for amount in (1001, 501):
        with pytest.raises(OverAllocated):
            book.give(payment.payment_id, [Line(item.item_id, amount)], "person", "p")
    assert (item.residual, payment.unapplied, book.events) == (1000, 500, [])


def test_a_returned_payment_reopens_what_it_had_settled() -> None:
    item, payment = an_item(1000), a_payment(1000)
    book = a_book(item, payment)
    book.give(payment.payment_id, [Line(item.item_id, 1000)], "auto", "machine")
    book.reverse(payment.payment_id, 1000, "MD06", refused=True, on=DAY, by="bank")
    reopened, reversed_ = told(book, InvoiceReopened)[0], told(book, PaymentReversed)[0]
    assert (reopened.reason, reopened.residual.minor, item.settled_on) == ("refused_by_debtor", 1000, None)
    assert (reversed_.code, reversed_.refused_by_debtor, payment.returned, payment.unapplied) == ("MD06", True, 1000, 0)
    with pytest.raises(AlreadyReversed):
        book.reverse(payment.payment_id, 1, "AC04", refused=False, on=DAY, by="bank")


def test_an_item_amended_below_what_was_paid_gives_the_rest_back() -> None:
    item, payment = an_item(1000), a_payment(1000)
    book = a_book(item, payment)
    book.give(payment.payment_id, [Line(item.item_id, 1000)], "auto", "machine")
    book.amend(item.item_id, 700, "erp", DAY)
    assert (item.amount, item.residual, payment.unapplied) == (700, 0, 300)
    book.amend(item.item_id, 900, "erp", DAY)
    assert (item.residual, told(book, InvoiceReopened)[0].reason) == (200, "amended")


def test_an_item_nobody_spoke_of_is_amended_without_a_word() -> None:
    item = an_item(1000)
    book = a_book(item)
    book.amend(item.item_id, 700, "erp", DAY)
    assert (item.residual, item.version, book.events) == (700, 0, [])


def between(amount: int = 100_000, paid: int = 92_115) -> tuple[Book, ItemPage, PaymentPage]:
    """An invoice of USD 1,000.00 and the EUR 921.15 that the bank made of it."""
    item, payment = an_item(amount, currency="USD"), a_payment(paid)
    return a_book(item, payment), item, payment


def test_an_item_paid_in_full_in_its_own_currency_is_settled_whatever_the_rate() -> None:
    book, item, payment = between()
    book.give(payment.payment_id, [Line(item.item_id, 100_000, 92_115)], "auto", "machine")
    matched, settled = told(book, PaymentMatched)[0], told(book, InvoiceSettled)
    assert (item.residual, payment.unapplied, len(settled)) == (0, 0, 1)
    assert (matched.allocations[0].amount, matched.allocations[0].paid) == (Money(100_000, "USD"), Money(92_115, "EUR"))
    assert (matched.unapplied, matched.residuals[0].residual) == (Money(0, "EUR"), Money(0, "USD"))


def test_what_is_taken_back_between_two_currencies_comes_back_on_both_sides_exactly() -> None:
    book, item, payment = between()
    [one] = book.give(payment.payment_id, [Line(item.item_id, 100_000, 92_115)], "person", "p")
    book.take_back({one: 100_000}, "unallocated", "p", DAY)
    assert (item.residual, payment.unapplied, book.standing) == (100_000, 92_115, {})


def test_a_part_returned_by_the_bank_asks_the_debtor_for_no_cent_more_than_that() -> None:
    book, item, payment = between()
    book.give(payment.payment_id, [Line(item.item_id, 100_000, 92_115)], "auto", "machine")
    book.reverse(payment.payment_id, 50_000, "AC04", refused=False, on=DAY, by="bank")
    [left] = book.standing.values()
    assert (item.residual, left.amount, left.paid) == (54_279, 45_721, 42_115)
    book.reverse(payment.payment_id, 42_115, "AC04", refused=False, on=DAY, by="bank")
    assert (item.residual, payment.returned, book.standing) == (100_000, 92_115, {})


def test_a_return_too_small_for_the_items_currency_leaves_it_settled() -> None:
    book, item, payment = between(3, 900)
    book.give(payment.payment_id, [Line(item.item_id, 3, 900)], "auto", "machine")
    book.reverse(payment.payment_id, 100, "AC04", refused=False, on=DAY, by="bank")
    [left] = book.standing.values()
    assert (item.residual, item.settled_on, left.amount, left.paid) == (0, DAY, 3, 800)
    assert told(book, InvoiceReopened) == []


def test_an_item_amended_below_what_was_paid_in_another_currency_gives_its_share_back() -> None:
    book, item, payment = between()
    book.give(payment.payment_id, [Line(item.item_id, 100_000, 92_115)], "auto", "machine")
    book.amend(item.item_id, 75_000, "erp", DAY)
    [left] = book.standing.values()
    assert (item.residual, left.amount, left.paid, payment.unapplied) == (0, 75_000, 69_087, 23_028)


def test_without_what_it_is_worth_nothing_goes_to_an_item_in_another_currency() -> None:
    book, item, payment = between()
    with pytest.raises(OverAllocated):
        book.give(payment.payment_id, [Line(item.item_id, 92_115)], "auto", "machine")
    with pytest.raises(OverAllocated):
        book.give(payment.payment_id, [Line(item.item_id, 100_000, 92_116)], "person", "p")
    with pytest.raises(OverAllocated):
        book.give(payment.payment_id, [Line(item.item_id, 100_000, 0)], "person", "p")
    assert (item.residual, payment.unapplied, book.events) == (100_000, 92_115, [])


def test_a_sum_between_two_currencies_is_shared_to_the_last_minor_unit() -> None:
    lines = [Line(UUID(int=n), amount) for n, amount in ((1, 33_333), (2, 33_333), (3, 33_334))]
    assert [line.paid for line in shared_between(lines, 92_115)] == [30_704, 30_705, 30_706]
    assert shared_between(lines, 2) == [], "two cents are not enough for three items"


def test_credits_pay_first_and_the_payment_the_rest() -> None:
    lines = [Line(UUID(int=1), 700), Line(UUID(int=2), 500)]
    paid, credited = netted(lines, [Line(UUID(int=9), 800)])
    assert paid == [Line(UUID(int=2), 400)]
    assert [(note.int, line.item_id.int, line.amount) for note, line in credited] == [(9, 1, 700), (9, 2, 100)]


AMOUNTS = st.integers(1, 500)


class Moving(RuleBasedStateMachine):
    """Any history of one payer's ledger: items 1 to 3 and the credit note are in euros, 4 in dollars and 5 in yens,
    payments 1 and 2 in euros and 3 in dollars."""

    def __init__(self) -> None:
        super().__init__()
        self.book = a_book(
            *(an_item(300 * n, n) for n in (1, 2, 3)),
            *(a_payment(400 * n, n) for n in (1, 2)),
            an_item(700, 4, "USD"),
            an_item(90_000, 5, "JPY"),
            a_payment(900, 3, "USD"),
            a_credit(250),
        )
        self.versions: dict[UUID, int] = {}

    @rule(payment=st.integers(1, 3), item=st.integers(1, 4), amount=AMOUNTS, person=st.booleans())
    def give(self, payment: int, item: int, amount: int, person: bool) -> None:
        to, of = UUID(int=item), UUID(int=2000 + payment)
        try:
            self.book.give(of, [Line(to, amount)], "person" if person else "auto", "x")
        except OverAllocated:
            return
        assert self.book.items[to].currency == self.book.payments[of].currency

    @rule(payment=st.integers(1, 3), item=st.integers(1, 5), amount=st.integers(1, 90_000), paid=st.integers(1, 900))
    def give_between(self, payment: int, item: int, amount: int, paid: int) -> None:
        to, of = UUID(int=item), UUID(int=2000 + payment)
        owed = self.book.items[to].residual
        try:
            self.book.give(of, [Line(to, 1 + amount % max(1, owed), paid)], "person", "x")
        except OverAllocated:
            return
        assert self.book.items[to].currency != self.book.payments[of].currency

    @rule(item=st.integers(1, 3), amount=AMOUNTS)
    def credit(self, item: int, amount: int) -> None:
        try:
            self.book.credit(UUID(int=3001), [Line(UUID(int=item), amount)], "auto", "x")
        except OverAllocated:
            return

    @rule(item=st.integers(1, 5), kind=st.sampled_from(["erp", "discount", "rounding"]), payment=st.integers(0, 3))
    def write_off(self, item: int, kind: WriteOffKind, payment: int) -> None:
        beside = UUID(int=2000 + payment) if payment else None
        try:
            self.book.write_off(UUID(int=item), kind, "person", "x", beside=beside)
        except OverTolerance:
            return
        assert self.book.items[UUID(int=item)].residual == 0

    @rule(amount=st.integers(0, 600), named=st.lists(st.tuples(st.integers(1, 3), st.none() | AMOUNTS), max_size=2))
    def revise(self, amount: int, named: list[tuple[int, int | None]]) -> None:
        note = UUID(int=3001)
        stands = [
            (self.book.items[one.item_id].invoice_id, Standing(one.allocation_id, one.amount, one.order))
            for one in self.book.standing.values()
            if one.source_id == note
        ]
        invoices = [(self.book.items[UUID(int=item)].invoice_id, most) for item, most in named]
        back = no_longer_granted(amount, invoices, stands)
        self.book.revise(note, Money(amount, "EUR"), back, "erp", DAY)

    @precondition(lambda self: self.book.standing)
    @rule(data=st.data(), amount=AMOUNTS)
    def take_back(self, data: st.DataObject, amount: int) -> None:
        one = list(self.book.standing)[data.draw(st.integers(0, len(self.book.standing) - 1))]
        self.book.take_back({one: amount}, "unallocated", "p", DAY)

    @rule(payment=st.integers(1, 3), amount=AMOUNTS)
    def reverse(self, payment: int, amount: int) -> None:
        try:
            self.book.reverse(UUID(int=2000 + payment), amount, "AC04", refused=False, on=DAY, by="bank")
        except AlreadyReversed:
            return

    @rule(item=st.integers(1, 5), amount=st.integers(0, 1000))
    def amend(self, item: int, amount: int) -> None:
        self.book.amend(UUID(int=item), amount, "erp", DAY)

    @invariant()
    def nothing_is_lost(self) -> None:
        standing = list(self.book.standing.values())
        for page in self.book.payments.values():
            given = sum(one.paid for one in standing if one.source_id == page.payment_id and one.source == "payment")
            assert given + page.unapplied + page.returned == page.amount
            assert page.unapplied >= 0
        for note in self.book.credits.values():
            given = sum(one.amount for one in standing if one.source_id == note.credit_note_id)
            assert given + note.unapplied == note.amount
            assert note.unapplied >= 0
        for item in self.book.items.values():
            stands = sum(one.amount for one in standing if one.item_id == item.item_id)
            assert stands + item.residual == item.amount
            assert item.residual >= 0

    @invariant()
    def a_line_has_two_amounts_where_it_has_two_currencies(self) -> None:
        for one in self.book.standing.values():
            assert one.amount > 0
            assert one.paid > 0
            source = self.book.payments.get(one.source_id) if one.source == "payment" else None
            if source is None or source.currency == self.book.items[one.item_id].currency:
                assert one.paid == one.amount

    @invariant()
    def the_last_event_of_an_item_says_what_it_owes(self) -> None:
        last: dict[UUID, tuple[int, int]] = {}
        for event in self.book.events:
            for told_ in getattr(event.body, "residuals", []):
                last[told_.item_id] = max(
                    last.get(told_.item_id, (0, 0)),
                    (told_.item_version, told_.residual.minor),
                    key=lambda pair: pair[0],
                )
            if isinstance(event.body, InvoiceReopened):
                pair = (event.body.version, event.body.residual.minor)
                last[event.body.item_id] = max(last.get(event.body.item_id, (0, 0)), pair, key=lambda pair: pair[0])
            if isinstance(event.body, InvoiceSettled):
                pair = (event.body.version, 0)
                last[event.body.item_id] = max(last.get(event.body.item_id, (0, 0)), pair, key=lambda pair: pair[0])
        for item_id, (version, residual) in last.items():
            page = self.book.items[item_id]
            assert residual == page.residual or page.amount == 0
            # A write-off that an amendment makes needless goes without a word: nothing else is owed by it.
            assert version == page.version or page.residual == 0

    @invariant()
    def what_is_written_off_stands_beside_what_it_was_written_off_for(self) -> None:
        """A write-off is told when it settles and when it is owed again: so many in, so many out, so many left."""
        for item in self.book.items.values():
            off = sum(one.amount for one in self.book.standing.values() if one.kind and one.item_id == item.item_id)
            assert off <= item.amount - item.residual

    @invariant()
    def versions_only_rise(self) -> None:
        for page in self.book.items.values():
            assert page.version >= self.versions.get(page.item_id, 0)
            self.versions[page.item_id] = page.version


TestMoving = Moving.TestCase
