"""Two currencies: what banks tell of an order in another one, and when that is enough for the machine to act."""

from uuid import UUID

import pytest

from libs.common.money import Money
from services.payment_matching.evidence import (
    Awaited,
    Booked,
    Evidence,
    Hit,
    Item,
    Known,
    Receipt,
    item_keys,
    quotes,
    read,
    unread,
)
from services.payment_matching.hypotheses import ordered, propose, unconverted
from services.payment_matching.scoring import Decision, Reading, decide
from services.payment_matching.statements import camt, formats, plain
from services.payment_matching.statements.told import Movement
from services.payment_matching.words import say
from tests.unit.payment_matching.camt_files import camt053, converted, detail, entry, statement
from tests.unit.payment_matching.flat_files import MT940, cfonb, more, operation, whole
from tests.unit.payment_matching.test_gate import BY_IBAN, ENTITY, TODAY, item

ACCOUNT = "FR7630006000011234567890189"


# What banks tell


TRANSFER = """
<AmtDtls>
  <InstdAmt><Amt Ccy="USD">1000.00</Amt></InstdAmt>
  <TxAmt>
    <Amt Ccy="EUR">921.15</Amt>
    <CcyXchg>
      <SrcCcy>USD</SrcCcy><TrgtCcy>EUR</TrgtCcy><UnitCcy>EUR</UnitCcy><XchgRate>1.0856</XchgRate>
    </CcyXchg>
  </TxAmt>
</AmtDtls>
"""
"""As banks write it most often: the order in its currency, the transaction and the rate in the account's."""
OWN_ORDER = """
<AmtDtls>
  <InstdAmt><Amt Ccy="EUR">921.15</Amt></InstdAmt>
  <TxAmt><Amt Ccy="USD">1000.00</Amt><CcyXchg><SrcCcy>EUR</SrcCcy><XchgRate>1.0856</XchgRate></CcyXchg></TxAmt>
</AmtDtls>
"""
"""Ordered in the account's own currency, and in dollars between the banks."""


def told(details: str, entry_extra: str = "") -> Movement:
    booked = entry(92_115, details, extra=entry_extra)
    file = camt.read(camt053(statement(ACCOUNT, [booked], opening=0, closing=92_115)))
    [movement] = file.statements[0].entries[0].movements
    return movement


@pytest.mark.parametrize(
    ("extra", "entry_extra", "instructed", "rate"),
    [
        (converted(100_000, "USD", "1.0856"), "", Money(100_000, "USD"), "1.0856"),
        (converted(100_000, "USD"), "", Money(100_000, "USD"), None),
        ("", converted(100_000, "USD", "1.0856"), Money(100_000, "USD"), "1.0856"),
        (converted(100_000, "USD", sent=98_500), "", Money(98_500, "USD"), None),
        (converted(92_115, "EUR"), "", None, None),
        (OWN_ORDER, "", None, None),
        (TRANSFER, "", Money(100_000, "USD"), "1.0856"),
        (TRANSFER.replace("InstdAmt", "CntrValAmt"), "", Money(100_000, "USD"), "1.0856"),
        (converted(100_000, "XXX"), "", None, None),
        (converted(0, "USD", "1,0856"), "", None, None),
        ("", "", None, None),
    ],
)
def test_a_camt_tells_what_was_ordered_and_at_which_rate(
    extra: str, entry_extra: str, instructed: Money | None, rate: str | None
) -> None:
    movement = told(detail(92_115, extra=extra), entry_extra)
    assert (movement.amount, movement.instructed, movement.exchange_rate) == (92_115, instructed, rate)


def test_what_an_entry_of_several_movements_tells_is_no_movements_own() -> None:
    both = entry(300, detail(100), detail(200, extra=converted(220, "USD")), extra=converted(330, "USD"))
    file = camt.read(camt053(statement(ACCOUNT, [both], opening=0, closing=300)))
    movements = file.statements[0].entries[0].movements
    assert [one.instructed for one in movements] == [None, Money(220, "USD")]


LINE = ":61:2611201120CR1250,50NTRFNONREF//BANKREF0001\n"


def told_by_mt940(lines: str) -> Movement:
    start, end = MT940.index(":61:"), MT940.index(":61:2611201120D50")
    [movement] = formats.read((MT940[:start] + lines + MT940[end:]).encode(), ()).statements[0].entries[0].movements
    return movement


@pytest.mark.parametrize(
    "lines",
    [
        LINE + "/OCMT/USD1357,04/EXCH/1,0856/\n:86:FA-2026-0001\n",
        LINE + "/TRCD/00100/OCMT/USD1357,04/EXCH/1,0856\n:86:/REMI/FA-2026-0001\n",
        LINE + ":86:/OCMT/USD1357,04/EXCH/1,0856/REMI/FA-2026-0001\n",
        LINE + ":86:/TRTP/SEPA/BIC/ABNANL2A/OCMT/USD13\n57,04/EXCH/1,0856/NAME/DUPONT/REMI/FA-2026-0001\n",
    ],
)
def test_an_mt940_tells_what_was_ordered_and_at_which_rate(lines: str) -> None:
    movement = told_by_mt940(lines)
    assert (movement.instructed, movement.exchange_rate) == (Money(135_704, "USD"), "1.0856")
    assert movement.remittance.endswith("FA-2026-0001")
    assert "1357" not in movement.remittance, "the bank's figures are no text of the payer's"


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        (LINE + ":86:/NAME/X/REMI/US-2026-00071 /OCMT/USD1000,00/\n", True),
        (LINE + ":86:/REMI/US-2026-00071/OCMT/USD1000,00/EXCH/1,0856/\n", True),
        (LINE + ":86:/EREF/E1/OCMT/USD1000,00/REMI/US-2026-00071\n", False),
        (LINE + ":86:/NAME/X/OCMT/USD1000,00/REMI/US-2026-00071\n", False),
        (LINE + ":86:VIREMENT US-2026-00071 /OCMT/USD1000,00/\n", True),
        (LINE + ":86:/OCMT/USD1000,00/ US-2026-00071\n", True),
        (LINE + ":86:166?00GUTSCHRIFT?20SVWZ+US-2026-00071 /OCMT/USD?211000,00/?32ACME\n", True),
        (LINE + "US-2026-00071 /OCMT/USD1000,00/\n:86:MERCI\n", True),
        (":61:2611201120CR1250,50NTRF1234567890123456/OCMT/USD1000,00/\n:86:US-2026-00071\n", True),
    ],
)
def test_what_a_payer_writes_is_no_figure_of_the_banks_and_stays_in_sight(lines: str, shown: bool) -> None:
    movement = told_by_mt940(lines)
    assert (movement.instructed, movement.exchange_rate) == (None, None)
    assert "US-2026-00071" in movement.remittance
    assert ("/OCMT/USD" in movement.remittance) == shown


@pytest.mark.parametrize(
    ("lines", "instructed"),
    [
        ("/OCMT/USD1357,\n:86:50 FACTURE\n", Money(135_700, "USD")),
        ("/OCMT/USD1357,04\n:86:12 FACTURE\n", Money(135_704, "USD")),
        ("/OCMT/IDR1234567890123,45/\n:86:FACTURE\n", Money(123_456_789_012_345, "IDR")),
        ("/OCMT/IDR1234567890123456,45/\n:86:FACTURE\n", None),
        ("/OCMT/USD1.357,04/\n:86:FACTURE\n", None),
        (":86:/OCMT/USD1357,\n50 FACTURE\n", None),
    ],
)
def test_a_figure_of_an_mt940_ends_with_its_own_text_and_is_never_cut(lines: str, instructed: Money | None) -> None:
    assert told_by_mt940(LINE + lines).instructed == instructed


@pytest.mark.parametrize(
    ("original", "instructed"),
    [
        ("USD2" + "00000000135704", Money(135_704, "USD")),
        ("JPY0" + "00000000150000", Money(150_000, "JPY")),
        ("USD", None),
    ],
)
def test_a_cfonb_operation_tells_its_original_amount(original: str, instructed: Money | None) -> None:
    records = whole(0, [operation(125_050, "VIR"), more("MMO", original)], 125_050)
    [movement] = formats.read(cfonb(*records), ()).statements[0].entries[0].movements
    assert movement.instructed == instructed


# When the machine may act


DUE = [item(71, 100_000, currency="USD"), item(72, 40_000, days=5, currency="USD")]


def decided(
    text: str,
    instructed: int | None,
    *payers: Known,
    here: tuple[Item, ...] = (),
    awaited: tuple[Awaited, ...] = (),
    paid: int = 92_115,
) -> Decision:
    """What is decided about so many cents of euros, ordered as so many dollars, in a world of `DUE` and `here`."""
    found, booked = read(text), Booked(paid, "EUR", "1.0856")
    both = []
    for amount, currency, items in ((paid, "EUR", list(here)), (instructed or 0, "USD", DUE)):
        by_id = {one.item_id: one for one in items}
        rows = [(key, kind, one.item_id) for one in items for key, kind in item_keys(one.number, None, None)]
        quoted = quotes(found, [Hit(*row, 1) for row in rows if row[0] in found.keys], by_id)
        loose = unread(found, [quote.span for quote in quoted.values()], amount)
        evidence = Evidence(by_id, quoted, (), payers, 1, loose, None, awaited)
        receipt = Receipt(UUID(int=9), ENTITY, amount, currency, TODAY, found, booked if currency == "USD" else None)
        both.append((receipt, evidence))
    (own, known), (there, abroad) = both
    may = ordered(there, abroad, paid) if instructed else unconverted(abroad, paid)
    return decide(Reading(own, known, propose(own, known)), Reading(there, abroad, may))


@pytest.mark.parametrize(
    ("text", "instructed", "payers", "paid"),
    [
        ("FA-2026-000071", 100_000, (), {71: (100_000, 92_115)}),
        ("FA-2026-000071 FA-2026-000072", 140_000, (BY_IBAN,), {71: (100_000, 92_115), 72: (40_000, 36_846)}),
        ("", 100_000, (BY_IBAN,), {71: (100_000, 92_115)}),
    ],
)
def test_what_the_bank_told_to_the_cent_passes_the_same_gate(
    text: str, instructed: int, payers: tuple[Known, ...], paid: dict[int, tuple[int, int]]
) -> None:
    decision = decided(text, instructed, *payers, paid=sum(part for _, part in paid.values()))
    assert decision.auto is not None, [(one.hypothesis.shape, one.unsure) for one in decision.suggestions]
    assert decision.auto.currency == "USD"
    assert {line.item_id.int: (line.amount, line.paid) for line in decision.auto.hypothesis.lines} == paid


@pytest.mark.parametrize(
    ("why", "text", "instructed", "guard"),
    [
        ("the bank told nothing", "FA-2026-000071", None, "amount_not_told"),
        ("a part of it", "FA-2026-000071", 90_000, "difference_in_currency"),
        ("more than it", "FA-2026-000071", 100_001, "difference_in_currency"),
        ("the amount alone", "merci", 100_000, "one_kind_of_evidence"),
    ],
)
def test_anything_less_than_what_the_bank_told_is_a_persons(why: str, text: str, instructed: int, guard: str) -> None:
    payers = () if guard == "one_kind_of_evidence" else (BY_IBAN,)
    decision = decided(text, instructed, *payers)
    assert decision.auto is None, why
    assert guard in decision.suggestions[0].unsure
    assert all(line.paid for line in decision.suggestions[0].hypothesis.lines)


@pytest.mark.parametrize("paid", [100, 88_000, 96_000])
def test_what_was_booked_is_worth_what_was_ordered_by_the_banks_own_rate(paid: int) -> None:
    decision = decided("FA-2026-000071", 100_000, BY_IBAN, paid=paid)
    assert decision.auto is None and "difference_in_currency" in decision.suggestions[0].unsure


def test_an_instalment_of_a_plan_is_not_all_that_its_items_owe() -> None:
    plan = Awaited("USD", TODAY, 100_000, frozenset(one.item_id for one in DUE))
    decision = decided("", 60_000, BY_IBAN, awaited=(Awaited("USD", TODAY, 60_000, plan.item_ids),))
    assert decision.auto is None
    assert (decision.suggestions[0].hypothesis.shape, decision.suggestions[0].unsure) == (
        "plan",
        ("difference_in_currency",),
    )


def test_an_item_in_the_accounts_own_currency_is_a_rival() -> None:
    decision = decided("", 100_000, BY_IBAN, here=(item(90, 92_115),))
    assert decision.auto is None
    assert {one.currency for one in decision.suggestions} == {"EUR", "USD"}
    named = decided("FA-2026-000071", 100_000, BY_IBAN, here=(item(90, 92_115),))
    assert named.auto is not None, "what is named leads what is merely as much"


def test_the_shares_of_all_readings_make_one_whole() -> None:
    decision = decided("", 100_000, BY_IBAN, here=(item(90, 92_115),))
    assert sum(one.share for one in decision.suggestions) < 1


def test_the_banks_figures_are_said_in_both_languages() -> None:
    [why] = [one for one in decided("FA-2026-000071", 100_000).suggestions[0].reasons if one.code == "instructed_at"]
    assert plain.spaced(say(why.code, why.facts, "fr")) == (
        "1 000,00 $US ordonnés, comptabilisés 921,15 € au cours de 1,0856 selon la banque"
    )
    assert say(why.code, why.facts, "en") == "US$1,000.00 ordered, booked as €921.15 at 1.0856 by the bank"
    [none] = [one for one in decided("FA-2026-000071", None).suggestions[0].reasons if one.code == "amount_not_told"]
    assert "USD" in say(none.code, none.facts, "fr")
