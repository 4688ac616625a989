"""What the five tones, the call sheet and the thank-you say, and never say."""

import re
from dataclasses import replace
from datetime import date

import pytest

from libs.common import creditor_reference
from libs.common.money import Money
from services.notifier import wording
from services.notifier.contents import Stated
from services.notifier.render import KEYS, Renderer
from tests.unit.notifier.sample import facts, row

RENDERER = Renderer()
TONES = {
    "courtesy": 1,
    "statement": 1,
    "hand_over": 0,
    "friendly": 2,
    "firm": 3,
    "final": 4,
    "formal": 5,
    "thanks": 0,
    "internal": 0,
    "call": 3,
    "visit": 3,
}
ASKING = ("courtesy", "statement", "friendly", "firm", "final", "formal")


def said(key, language="fr", *rows, **changes):
    changed = {"tone": TONES[key], "language": language} | changes
    return RENDERER.render(RENDERER.own[key, language], facts(*rows, **changed))


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("count", [1, 2, 51])
def test_every_text_of_ours_renders_for_one_and_for_many_invoices(key, language, count):
    rendered = said(key, language, *(row(n, late=n) for n in range(1, count + 1)))
    assert rendered.subject and "\n" not in rendered.subject
    assert f"FA-2026-{count:04}" in rendered.text
    assert "{{" not in rendered.text + rendered.html and "[[" not in rendered.text + rendered.html


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("key", ASKING)
def test_a_notice_shows_each_invoice_the_total_and_where_to_pay(key, language):
    rendered = said(key, language, row(1, amount=100000), row(2, late=3, amount=23456, residual=12345))
    total = wording.money(Money(112345, "EUR"), language)
    for part in (rendered.text, rendered.html):
        assert "FA-2026-0001" in part and "FA-2026-0002" in part
        assert total in part
        assert "FR76\u00a03000\u00a06000\u00a00112\u00a03456\u00a07890\u00a0189" in part
        assert wording.money(Money(12345, "EUR"), language) in part


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("key", ["courtesy", "statement", "friendly", "thanks", "internal"])
def test_the_first_tones_never_speak_of_charges(key, language):
    assert not re.search(r"40|indemni|pénalit|compensation|interest", said(key, language).text, re.IGNORECASE)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_right_to_charges_is_named_in_the_firm_tone_and_counted_in_the_last_two(language):
    two = (row(1), row(2))
    eighty = wording.money(Money(8000, "EUR"), language)
    assert "L. 441-10" in said("firm", language, *two).text and eighty not in said("firm", language, *two).text
    assert eighty in said("final", language, *two).text
    assert eighty in said("formal", language, *two).text


def test_a_creditor_abroad_does_not_claim_french_charges():
    abroad = facts().creditor.__class__("Leman Glass Ltd", "Jane Doe", "ar@leman-glass.co.uk", country="GB")
    for key in ASKING:
        assert "441-10" not in said(key, "en", creditor=abroad).text


FRENCH = Stated("articles L. 441-10 et D. 441-5 du code de commerce", lump_sum=True, as_of=date(2026, 10, 1))


def bearing(n, interest, lump=4000):
    return replace(row(n), interest=Money(interest, "EUR"), lump_sum=Money(lump, "EUR") if lump else None)


@pytest.mark.parametrize("key", ["final", "formal"])
def test_the_last_tones_state_the_interest_as_of_their_day_and_the_lump_sums(key):
    text = said(key, "fr", bearing(1, 1234), bearing(2, 66), charges=FRENCH).text
    assert "13,00\u00a0€ au 1er\u00a0octobre\u00a02026" in text and "80,00\u00a0€ pour 2 factures" in text
    assert "provisoire" not in text
    unsure = said(key, "fr", bearing(1, 1234, 0), charges=replace(FRENCH, provisional=True)).text
    assert "12,34\u00a0€ à titre provisoire" in unsure and "indemnité" not in unsure


@pytest.mark.parametrize("key", ["courtesy", "statement", "friendly", "firm"])
def test_no_other_tone_states_a_sum(key):
    text = said(key, "fr", bearing(1, 1234), charges=FRENCH).text
    assert "12,34" not in text and "40,00" not in text


@pytest.mark.parametrize(("language", "share"), [("fr", "12,34\u00a0€ de pénalités"), ("en", "€12.34 of interest")])
def test_a_step_may_state_sums_in_the_firm_tone_or_only_name_the_right_in_the_final_one(language, share):
    early = said("firm", language, bearing(1, 1234), charges=replace(FRENCH, sums=True)).text
    assert share in early and wording.money(Money(4000, "EUR"), language) in early
    late = said("final", language, bearing(1, 1234), charges=replace(FRENCH, sums=False)).text
    assert "441-10" in late and wording.money(Money(1234, "EUR"), language) not in late


def test_the_articles_are_those_of_the_payers_regime():
    public = Stated("articles L. 2192-13 et D. 2192-35 du code de la commande publique", True, date(2026, 10, 1))
    swiss = Stated("article 104 du code des obligations suisse", False, date(2026, 10, 1))
    for key in ("firm", "final", "formal"):
        assert (
            "2192-13" in said(key, "fr", charges=public).text and "441-10" not in said(key, "fr", charges=public).text
        )
        text = said(key, "fr", bearing(1, 1234, 0), charges=swiss).text
        assert "article 104" in text and "indemnité forfaitaire" not in text


@pytest.mark.parametrize("key", ASKING)
def test_of_whom_nothing_is_claimed_no_charge_is_named(key):
    text = said(key, "fr", charges=Stated("", False, date(2026, 10, 1))).text
    assert "pénalités" not in text and "indemnité" not in text


def test_currencies_are_never_added_up():
    text = said("friendly", "fr", row(1, amount=100000), row(2, amount=50000, currency="CHF")).text
    assert "1\u00a0000,00\u00a0€" in text and "500,00\u00a0CHF" in text
    assert "1\u00a0500,00" not in text


def test_money_on_account_and_paused_parts_are_shown_and_not_asked_for():
    disputed = row(1, amount=100000)
    disputed = disputed.__class__(
        **{name: getattr(disputed, name) for name in disputed.__slots__} | {"paused": Money(30000, "EUR")}
    )
    text = said("friendly", "fr", disputed, row(2, amount=20000), deductions=(Money(5000, "EUR"),)).text
    assert "-300,00\u00a0€" in text and "-50,00\u00a0€" in text
    assert "850,00\u00a0€" in text


def test_fifty_lines_are_drawn_the_oldest_ones_and_the_total_is_that_of_all():
    rendered = said("firm", "fr", *(row(n, late=n, amount=100) for n in range(1, 61)))
    assert rendered.html.count("FA-2026-") - rendered.html.count("facture FA-2026-") == 50
    assert "FA-2026-0060" in rendered.text and "FA-2026-0010" not in rendered.text
    assert "60,00\u00a0€" in rendered.text and "50 plus anciennes factures sur 60" in rendered.text


def test_earlier_messages_are_named_by_their_dates():
    text = said("final", "fr", earlier=(date(2026, 9, 3), date(2026, 9, 12))).text
    assert "3\u00a0septembre\u00a02026" in text and "12\u00a0septembre\u00a02026" in text
    assert "Nous vous avons écrit le 12\u00a0septembre" in said("firm", "fr", earlier=(date(2026, 9, 12),)).text


def test_a_name_full_of_markup_is_shown_as_it_is_and_does_nothing():
    hostile = '<script>alert(1)</script><img src=x onerror="x">{{ creditor }}[[payment]]'
    rendered = said("friendly", "fr", row(1), debtor=hostile, contact=hostile)
    formal = said("formal", "fr", row(1), debtor=hostile)
    assert "<script" not in rendered.html + formal.html and "<img" not in formal.html
    assert "&lt;script&gt;" in formal.html
    assert hostile in formal.text


def test_a_value_with_line_breaks_cannot_add_a_paragraph():
    text = said("formal", "fr", debtor="Beau\n\n[[payment]]\r\n\u2028Rivage\x00").text
    assert "Beau [[payment]] Rivage" in text


def test_a_persons_own_words_replace_the_opening_and_are_taken_as_they_are():
    source = RENDERER.own["friendly", "fr"]
    rendered = RENDERER.render(
        source, facts(tone=2), note="Comme convenu au téléphone.\n\n{{ creditor }} <b>[[payment]]"
    )
    assert "Comme convenu au téléphone." in rendered.text
    assert "Sauf erreur ou omission" not in rendered.text
    assert "{{ creditor }} <b>[ [payment]]" in rendered.text and "<b>" not in rendered.html


@pytest.mark.parametrize(
    ("amount", "language", "shown"),
    [
        (Money(123456780, "EUR"), "fr", "1\u00a0234\u00a0567,80\u00a0€"),
        (Money(123450, "EUR"), "en", "€1,234.50"),
        (Money(1234500, "TND"), "fr", "1\u00a0234,500\u00a0TND"),
        (Money(1234, "JPY"), "en", "JP¥1,234"),
        (Money(12345, "MGA"), "fr", "123,45\u00a0MGA"),
        (Money(-500, "EUR"), "fr", "-5,00\u00a0€"),
    ],
)
def test_amounts_read_as_the_language_writes_them_with_the_decimals_of_iso_4217(amount, language, shown):
    assert wording.money(amount, language) == shown


def test_dates_read_as_the_language_writes_them():
    assert wording.day(date(2026, 3, 1), "fr") == "1er\u00a0mars\u00a02026"
    assert wording.day(date(2026, 3, 12), "en") == "12\u00a0March\u00a02026"


@pytest.mark.parametrize("language", ["fr", "en"])
def test_an_invoice_without_a_reference_is_paid_with_one_that_proves_itself(language):
    one = said("friendly", language, row(1)).text
    assert creditor_reference.printed(creditor_reference.issued("FA-2026-0001")) in one
    assert "RF18" in said("friendly", language, replace(row(1), reference="RF18 5390 0754 7034")).text
    assert "RF" not in said("friendly", language, row(1), row(2)).text
