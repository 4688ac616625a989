"""The gate: what the machine may do alone, and what it shows to a person instead. One row, one world."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payment_matching.evidence import (
    Awaited,
    Evidence,
    Hit,
    Item,
    Known,
    Provider,
    Receipt,
    item_keys,
    quotes,
    read,
    unread,
)
from services.payment_matching.hypotheses import propose
from services.payment_matching.scoring import Decision, Reading, decide
from services.payment_matching.words import say

ENTITY, DUPONT, MARTIN = UUID(int=1), UUID(int=100), UUID(int=200)
TODAY = date(2026, 11, 20)
BY_IBAN = Known(DUPONT, "iban", True, 14)
BY_NAME = Known(DUPONT, "name", True)


def item(serial: int, residual: int, payer: UUID = DUPONT, days: int = 0, **facts: object) -> Item:
    known = {
        "item_id": UUID(int=serial),
        "invoice_id": UUID(int=10_000 + serial),
        "entity_id": ENTITY,
        "debtor_id": payer,
        "payer_id": payer,
        "number": f"FA-2026-{serial:06d}",
        "currency": "EUR",
        "residual": residual,
        "issued_on": TODAY - timedelta(days=60 - days),
        "due_on": TODAY - timedelta(days=30 - days),
    }
    return Item(**(known | facts))  # type: ignore[arg-type]


def told(
    text: str,
    amount: int,
    items: list[Item],
    *payers: Known,
    same_amount: int = 1,
    structured: tuple[str, ...] = (),
    paid: tuple[Item, ...] = (),
    provider: Provider | None = None,
    awaited: tuple[Awaited, ...] = (),
) -> Decision:
    """What is decided when this text arrives with this amount in a world of these items."""
    found = read(text, structured)
    rows = [(key, kind, one.item_id) for one in (*items, *paid) for key, kind in item_keys(one.number, None, None)]
    hits = [
        Hit(key, kind, who, sum(other == key for other, _, _ in rows)) for key, kind, who in rows if key in found.keys
    ]
    by_id = {one.item_id: one for one in items}
    quoted = quotes(found, hits, by_id)
    wide = [hit for hit in hits if hit.kind != "group"]
    closed = tuple(one.number for one in paid if any(hit.item_id == one.item_id for hit in wide))
    spans = [quote.span for quote in quoted.values()]
    receipt = Receipt(UUID(int=9), ENTITY, amount, "EUR", TODAY, found)
    evidence = Evidence(by_id, quoted, closed, payers, same_amount, unread(found, spans, amount), provider, awaited)
    return decide(Reading(receipt, evidence, propose(receipt, evidence)))


def paid_by(decision: Decision) -> dict[int, int]:
    assert decision.auto is not None, [(w.hypothesis.shape, w.unsure, round(w.score)) for w in decision.suggestions]
    return {line.item_id.int: line.amount for line in decision.auto.hypothesis.lines}


THREE = [item(123, 10_000), item(124, 25_000, days=5), item(125, 40_000, days=9)]


@pytest.mark.parametrize(
    ("text", "amount", "payers", "expected"),
    [
        ("Facture FA-2026-000123", 10_000, (), {123: 10_000}),
        ("facture fa 2026 000123 merci", 10_000, (), {123: 10_000}),
        ("REGLT FA2026000123REF 8", 10_000, (), {123: 10_000}),
        ("2026-000124", 25_000, (), {124: 25_000}),
        ("VIR FA-2026-000123 ET FA-2026-000124", 35_000, (), {123: 10_000, 124: 25_000}),
        ("fact 125", 40_000, (BY_IBAN,), {125: 40_000}),
        ("", 25_000, (BY_IBAN,), {124: 25_000}),
        ("", 25_000, (BY_NAME,), {124: 25_000}),
        ("solde de tout compte", 75_000, (BY_IBAN,), {123: 10_000, 124: 25_000, 125: 40_000}),
        ("acompte FA-2026-000125", 15_000, (BY_IBAN,), {125: 15_000}),
        ("FA-2026-000125", 41_000, (BY_IBAN,), {125: 40_000}),
    ],
)
def test_two_independent_kinds_of_evidence_are_acted_on(
    text: str, amount: int, payers: tuple[Known, ...], expected: dict[int, int]
) -> None:
    assert paid_by(told(text, amount, THREE, *payers)) == expected


@pytest.mark.parametrize(
    ("why", "text", "amount", "payers"),
    [
        ("the amount alone", "", 10_000, ()),
        ("a number alone, another amount", "FA-2026-000123", 9_000, ()),
        ("a part of the number without a payer", "fact 125", 40_000, ()),
        ("a number that nothing explains", "facture 887766", 25_000, (BY_IBAN,)),
        ("more is named than is paid", "FA-2026-000123 FA-2026-000124 FA-2026-000125", 35_500, (BY_IBAN,)),
        ("named, and one more unnamed makes it exact", "FA-2026-000123", 35_000, (BY_IBAN,)),
        ("a known payer and another one's invoice", "FA-2026-000123", 10_000, (Known(MARTIN, "iban", True),)),
        ("a name that fits, and an amount that many owe", "", 25_000, (BY_NAME,)),
        ("an account seen once", "", 25_000, (Known(DUPONT, "iban", False, 1),)),
        ("a part payment from a name that two have", "FA-2026-000125", 15_000, (BY_NAME, Known(MARTIN, "name", True))),
        ("a part payment from a name, a part of the number", "fact 125", 15_000, (BY_NAME,)),
        ("a part payment, a part of the number", "fact 125", 15_000, (BY_IBAN,)),
        ("an account of a group, and another one's name", "", 25_000, (BY_IBAN, Known(MARTIN, "name", True))),
        ("a part payment equal to another invoice", "FA-2026-000125", 10_000, (BY_IBAN,)),
        ("too much, with a number nothing explains", "FA-2026-000125 et 774411", 90_000, (BY_IBAN,)),
    ],
)
def test_anything_less_is_shown_to_a_person(why: str, text: str, amount: int, payers: tuple[Known, ...]) -> None:
    decision = told(text, amount, THREE, *payers, same_amount=3)
    assert decision.auto is None, why


def test_a_sum_with_several_solutions_is_never_automatic() -> None:
    items = [item(1, 100), item(2, 200, days=1), item(3, 300, days=2), item(4, 400, days=3), item(5, 500, days=4)]
    decision = told("", 700, items, BY_IBAN)
    assert decision.auto is None
    assert len(decision.suggestions) > 1


def test_two_items_of_one_amount_are_both_shown() -> None:
    decision = told("", 10_000, [item(1, 10_000), item(2, 10_000, days=3)], BY_IBAN)
    assert decision.auto is None
    assert {min(shown.hypothesis.items).int for shown in decision.suggestions} == {1, 2}


def test_the_oldest_of_equal_instalments_is_meant() -> None:
    invoice = UUID(int=77)
    parts = [item(n, 5_000, days=30 * n, invoice_id=invoice, number="FA-2026-000900", sequence=n) for n in (1, 2, 3)]
    assert paid_by(told("FA-2026-000900", 5_000, parts)) == {1: 5_000}
    assert paid_by(told("FA-2026-000900", 15_000, parts)) == {1: 5_000, 2: 5_000, 3: 5_000}


def test_a_named_invoice_less_a_credit_note_is_netted() -> None:
    note = item(9, 2_000, number="AV-2026-000009", credit=True)
    decision = told("FA-2026-000123 - AV-2026-000009", 8_000, [*THREE, note], BY_IBAN)
    assert paid_by(decision) == {123: 10_000}
    assert decision.auto is not None
    assert [(line.item_id.int, line.amount) for line in decision.auto.hypothesis.credits] == [(9, 2_000)]


def test_a_quoted_item_that_is_settled_goes_to_a_person() -> None:
    decision = told("FA-2026-000050", 25_000, THREE, BY_IBAN, paid=(item(50, 25_000),))
    assert decision.auto is None
    assert any(reason.code == "closed_quoted" for reason in decision.suggestions[0].reasons)


def test_head_office_pays_for_three_shops_in_one_transfer() -> None:
    shops = [item(n, 1_000 * n, debtor_id=UUID(int=500 + n), days=n) for n in (1, 2, 3)]
    assert paid_by(told("règlement novembre", 6_000, shops, BY_IBAN)) == {1: 1_000, 2: 2_000, 3: 3_000}


def test_head_office_names_what_it_and_its_shop_owe() -> None:
    """The shop's own account is not known for the head office; the invoices are named in full, to the cent."""
    shop = [item(7, 4_000, payer=MARTIN)]
    assert paid_by(told("FA-2026-000123 FA-2026-000007", 14_000, [*THREE, *shop], BY_IBAN)) == {123: 10_000, 7: 4_000}
    assert told("000123 000007", 14_000, [*THREE, *shop], BY_IBAN).auto is None


def test_neighbours_are_taken_from_a_known_account_if_nothing_else_gives_the_sum() -> None:
    items = [item(n, amount, days=n) for n, amount in enumerate((10_011, 20_302, 30_704, 41_105), 1)]
    assert paid_by(told("", 51_006, items, BY_IBAN)) == {2: 20_302, 3: 30_704}
    assert told("", 51_006, items, BY_NAME).auto is None
    rounded = [item(n, amount, days=n) for n, amount in enumerate((10_000, 20_000, 31_000, 41_500), 1)]
    assert told("", 51_000, rounded, BY_IBAN).auto is None


def test_all_that_is_due_is_taken_from_a_name_if_nothing_else_gives_the_sum() -> None:
    assert paid_by(told("solde", 75_000, THREE, BY_NAME)) == {123: 10_000, 124: 25_000, 125: 40_000}


def test_money_is_no_overpayment_if_it_is_more_than_twice_what_is_owed_or_more_is_named() -> None:
    assert told("FA-2026-000123", 21_000, THREE, BY_IBAN).auto is None
    assert told("FA-2026-000123 et fact 125", 15_000, THREE, BY_IBAN).auto is None


def test_a_list_that_the_bank_cut_off_is_taken_if_only_one_item_makes_it_exact() -> None:
    text = "REGLEMENT DES FACTURES SUIVANTES FA-2026-000123 + FA-2026-000124 + FA-"
    assert len(text) == 70
    assert paid_by(told(text, 75_000, THREE, BY_IBAN)) == {123: 10_000, 124: 25_000, 125: 40_000}
    assert told(text, 75_000, THREE, BY_NAME).auto is None
    assert told(text, 75_000, [*THREE, item(126, 40_000)], BY_IBAN).auto is None
    assert told(text[10:], 75_000, THREE, BY_IBAN).auto is None


def test_the_payer_is_known_even_when_what_it_pays_is_not() -> None:
    assert told("", 77, THREE, BY_IBAN).payer_id == DUPONT
    assert told("", 77, THREE, BY_IBAN, Known(MARTIN, "iban", True)).payer_id is None


def test_every_reason_can_be_said_in_two_languages() -> None:
    worlds = [
        told("FA-2026-000123", 9_000, THREE, BY_IBAN),
        told("FA-2026-000125 x 774411", 90_000, THREE, BY_NAME),
        told("2026-000124 fact 125", 65_000, THREE, Known(MARTIN, "iban", True)),
        told("", 75_000, THREE, BY_IBAN),
        told("FA-2026-000050", 25_000, THREE, Known(DUPONT, "named", True), paid=(item(50, 25_000),)),
    ]
    said = {
        say(reason.code, reason.facts, language)
        for world in worlds
        for shown in world.suggestions
        for reason in shown.reasons
        for language in ("fr", "en")
    }
    assert all("{" not in phrase and phrase for phrase in said)


worlds = st.lists(st.tuples(st.integers(1, 5_000), st.integers(0, 60), st.booleans()), min_size=1, max_size=25)


@given(worlds, st.integers(1, 20_000), st.integers(0, 30), st.booleans())
def test_every_hypothesis_gives_exactly_what_there_is_and_never_more_than_is_owed(
    rows: list[tuple[int, int, bool]], amount: int, quoted: int, known: bool
) -> None:
    items = [item(n + 1, residual, days=days, credit=credit) for n, (residual, days, credit) in enumerate(rows)]
    owed = {one.item_id: one.residual for one in items}
    decision = told(f"FA-2026-{quoted:06d}", amount, items, *([BY_IBAN] if known else []))
    assert decision == told(f"FA-2026-{quoted:06d}", amount, items, *([BY_IBAN] if known else []))
    for shown in decision.suggestions:
        one = shown.hypothesis
        assert all(0 < line.amount <= owed[line.item_id] for line in (*one.lines, *one.credits))
        assert len(one.items) == len(one.lines)
        given_ = sum(line.amount for line in one.lines) - sum(line.amount for line in one.credits)
        assert given_ + one.rest == amount


def test_a_number_in_full_of_somebody_else_is_not_enough_if_the_payer_by_name_owes_the_same() -> None:
    items = [item(1, 10_000), item(2, 10_000, payer=MARTIN)]
    assert told("FA-2026-000001", 10_000, items, Known(MARTIN, "name", True)).auto is None
    assert told("FA-2026-000001", 10_000, items[:1], Known(MARTIN, "name", True)).auto is not None


def test_the_end_of_one_number_and_the_start_of_the_next_name_nothing() -> None:
    items = [
        item(1, 10_000, number="26.05.23881"),
        item(2, 5_000, number="26.07.28354"),
        item(3, 700, number="23881-X26"),
    ]
    decision = told("26.05.23881, 26.07.28354", 15_000, items, BY_NAME)
    assert decision.auto is not None
    assert decision.auto.hypothesis.items == {items[0].item_id, items[1].item_id}


@pytest.mark.parametrize(
    ("why", "text", "amount", "shape"),
    [
        ("a discount within its terms", "FA-2026-000001", 9_800, "discounted"),
        ("a few cents less", "FA-2026-000002", 9_997, "rounded"),
        ("two invoices, one with its discount", "FA-2026-000001 FA-2026-000002", 19_800, "discounted"),
    ],
)
def test_what_an_amount_may_leave_out_settles_the_invoice(why: str, text: str, amount: int, shape: str) -> None:
    items = [item(1, 10_000, discount=200, discount_until=TODAY), item(2, 10_000)]
    decision = told(text, amount, items, BY_NAME)
    assert decision.auto is not None, why
    hypothesis = decision.auto.hypothesis
    assert hypothesis.shape == shape
    assert sum(line.amount for line in (*hypothesis.lines, *hypothesis.written_off)) == 10_000 * len(hypothesis.items)


@pytest.mark.parametrize(
    ("why", "text", "amount", "until"),
    [
        ("too late", "FA-2026-000001", 9_800, TODAY - timedelta(days=4)),
        ("not this discount", "FA-2026-000001", 9_799, TODAY),
        ("not named", "", 9_800, TODAY),
    ],
)
def test_a_discount_that_is_not_granted_writes_nothing_off(why: str, text: str, amount: int, until: date) -> None:
    decision = told(text, amount, [item(1, 10_000, discount=200, discount_until=until)], BY_NAME)
    assert decision.auto is None or not decision.auto.hypothesis.written_off, why


@pytest.mark.parametrize(
    ("number", "text", "payer", "alone"),
    [
        ("FA-2026-41250", "acompte 41250", BY_IBAN, True),
        ("FA-2026-41250", "acompte 41250", BY_NAME, False),
        ("FA-2026-4125", "acompte 4125", BY_IBAN, False),
    ],
)
def test_a_serial_of_five_digits_names_what_is_paid_in_part_to_who_pays_from_its_account(
    number: str, text: str, payer: Known, alone: bool
) -> None:
    strangers = item(126, 50_000, MARTIN, number=number.replace("FA", "FB"))
    decision = told(text, 15_000, [item(124, 25_000), item(125, 40_000, number=number), strangers], payer)
    assert (decision.auto is not None) == alone


MANY = [item(serial, 10_007 + 13 * serial * serial, days=serial) for serial in range(1, 27)]


def test_the_oldest_of_many_items_are_taken_from_a_known_account_unless_one_has_an_equal_among_the_later() -> None:
    oldest = MANY[:4]
    amount = sum(one.residual for one in oldest)
    assert paid_by(told("", amount, MANY, BY_IBAN)) == {one.item_id.int: one.residual for one in oldest}
    assert told("", amount, MANY, BY_NAME).auto is None
    equal = item(99, MANY[2].residual, days=29)
    assert told("", amount, [*MANY, equal], BY_IBAN).auto is None


def test_of_those_that_an_account_pays_for_the_one_whose_name_it_is_is_meant() -> None:
    items, both = [item(1, 12_345), item(2, 54_321, MARTIN)], (BY_IBAN, Known(MARTIN, "iban", True))
    assert told("", 12_345, items, *both).auto is None
    assert paid_by(told("", 12_345, items, *both, BY_NAME)) == {1: 12_345}
    assert told("", 12_345, items, *both, Known(MARTIN, "name", True)).auto is None
