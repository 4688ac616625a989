"""What must not leave: strange accounts, untyped recipients, headers that somebody else wrote."""

import email
import io
import re
from datetime import date
from decimal import Decimal
from email import policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from libs.common.ids import uuid7
from services.notifier import guard
from services.notifier.channels.email import File, build, fitting, linking, message_id
from services.notifier.channels.statement import statement
from services.notifier.errors import GuardStopped, RecipientRefused
from services.notifier.render import Rendered, Renderer
from services.notifier.tokens import Links, Tokens
from tests.unit.notifier.sample import IBAN, envelope, facts, row

RENDERER = Renderer()
THIEF = "DE89370400440532013000"


def built(files=(), **changes):
    rendered = RENDERER.render(RENDERER.own["firm", "fr"], facts(row(1), row(2)))
    return build(envelope(**changes), rendered, files, [IBAN])


@pytest.mark.parametrize(
    "text",
    [
        THIEF,
        "DE89 3704 0044 0532 0130 00",
        "de89.3704.0044.0532.0130.00",
        "DE89-3704-0044-0532-0130-00",
        "DE89\u00a03704\u202f0044\u20090532\n0130\t00",
        "D\u200bE89370400440532013000",
        "ＤＥ８９３７０４００４４０５３２０１３０００",
        "DE00 3704 0044 0532 0130 00",
        "BE68539007547034",
        "GB29 NWBK 6016 1331 9268 19",
    ],
)
def test_an_account_that_is_not_ours_is_seen_however_it_is_written(text):
    assert guard.foreign_ibans([f"Merci de payer sur {text}, au plus tôt."], [IBAN])


def test_an_account_split_by_tags_is_seen():
    rendered = Rendered("Objet", "Bonjour", "<p>DE89 <b>3704 0044</b> 0532&nbsp;0130 00</p>")
    with pytest.raises(GuardStopped):
        build(envelope(), rendered, [], [IBAN])


@pytest.mark.parametrize("text", ["FR26 sont dues", "FA26000012345678901234", "SE12 lignes", "+33 6 12 34 56 78", IBAN])
def test_what_is_no_strange_account_does_not_stop_a_notice(text):
    assert guard.foreign_ibans([text], [IBAN]) == []


@given(st.lists(st.sampled_from([THIEF, IBAN, "BE68539007547034", "Bonjour", "12", " ", "\n", "FR76"]), max_size=6))
def test_accounts_in_what_leaves_are_always_approved_ones(parts):
    text = " ".join(parts)
    try:
        raw = build(envelope(), Rendered("Objet", text, f"<p>{text}</p>"), [], [IBAN])
    except GuardStopped:
        return
    shown = email.message_from_bytes(raw, policy=policy.default).get_body(("plain",)).get_content()
    assert set(guard.ibans(shown)) <= {IBAN}


def test_a_strange_account_in_an_attached_statement_stops_it():
    with pytest.raises(GuardStopped):
        built([statement("releve", ["Facture"], [[f"FA-1 {THIEF}"]])])


def test_a_message_has_one_recipient_our_headers_and_the_thread_of_its_case():
    first = message_id(envelope().delivery_id, "a@verrerie-leman.fr")
    message = email.message_from_bytes(built(thread=[first, "<b@x>"]), policy=policy.default)
    assert message["To"] == "fournisseurs@beau-rivage.fr"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["In-Reply-To"] == "<b@x>" and message["References"].split() == [first, "<b@x>"]
    assert message["From"].addresses[0].display_name == "Verrerie du Léman"
    assert {name.lower() for name in message} <= guard.HEADERS


def test_the_same_delivery_is_the_same_bytes_every_time():
    assert built() == built()
    assert all(len(line) <= 998 and line.isascii() for line in built().split(b"\r\n"))
    assert b"\n" not in built().replace(b"\r\n", b"")


ANY_TEXT = st.text(max_size=80)


@settings(max_examples=300)
@given(ANY_TEXT, ANY_TEXT)
def test_no_text_in_a_name_or_subject_becomes_a_header_or_a_recipient(name, subject):
    try:
        raw = build(envelope(sender_name=name), Rendered(subject, "x", "<p>x</p>"), [], [IBAN])
    except GuardStopped:
        return
    message = email.message_from_bytes(raw, policy=policy.default)
    assert {each.lower() for each in message.keys()} <= guard.HEADERS  # noqa: SIM118
    assert message["To"].addresses[0].addr_spec == "fournisseurs@beau-rivage.fr" and len(message["To"].addresses) == 1
    assert len(message["From"].addresses) == 1
    assert message["From"].addresses[0].addr_spec == "compta@verrerie-leman.fr"


@settings(max_examples=300)
@given(st.one_of(ANY_TEXT, ANY_TEXT.map(lambda text: f"a@b.fr{text}"), ANY_TEXT.map(lambda text: f"{text}@b.fr")))
def test_no_text_as_an_address_reaches_more_than_one_mailbox(text):
    try:
        raw = built(recipient=guard.address(text))
    except (RecipientRefused, GuardStopped):
        return
    message = email.message_from_bytes(raw, policy=policy.default)
    assert len(message["To"].addresses) == 1
    assert {each.lower() for each in message.keys()} <= guard.HEADERS  # noqa: SIM118


@pytest.mark.parametrize(
    "text",
    ["", "a", "a@b", "a@b.fr, c@d.fr", "a@b.fr\r\nBcc: c@d.fr", '"a@b.fr, c"@d.fr', "a@b.fr\x00", "é@b.fr", "a b@c.fr"],
)
def test_what_is_not_one_typed_address_is_refused(text):
    with pytest.raises(RecipientRefused):
        guard.address(text)


def test_a_domain_in_other_letters_is_kept_in_its_ascii_form():
    assert guard.address("Compta@société.fr") == "compta@xn--socit-esab.fr"


@given(st.uuids())
def test_a_bounce_token_leads_to_its_delivery_and_no_other_text_does(delivery_id):
    tokens = Tokens(b"secret")
    token = tokens.make(delivery_id)
    assert tokens.read(token) == delivery_id
    assert len(tokens.return_path(delivery_id, "x.fr").partition("@")[0]) <= 64
    assert Tokens(b"another").read(token) is None
    assert tokens.read(token[:-1]) is None
    assert tokens.read(("a" if token[0] != "a" else "b") + token[1:]) is None


def test_copies_that_fit_are_attached_five_files_and_five_megabytes_at_most():
    small, big = File("a.pdf", "application/pdf", b"x" * 10), File("b.pdf", "application/pdf", b"x" * 4_999_995)
    assert len(fitting([small] * 7)) == 5
    assert fitting([small, big, small]) == [small, small]


@given(st.text(max_size=30))
def test_no_cell_of_a_statement_starts_a_formula(text):
    sheet = load_workbook(io.BytesIO(statement("releve", ["x"], [[text]]).content)).active
    assert sheet["A2"].data_type != "f" and (sheet["A2"].value is None or sheet["A2"].data_type == "s")


def test_a_statement_has_real_dates_and_sums():
    rows = [["FA-1", date(2026, 9, 1), Decimal("1234.50"), "EUR"], ["FA-2", date(2026, 9, 2), Decimal("100"), "JPY"]]
    sheet = load_workbook(io.BytesIO(statement("releve", ["a", "b", "c", "d"], rows).content)).active
    number, day, sum_, currency = (cell.value for cell in sheet[2])
    assert (number, day.date(), sum_, currency) == ("FA-1", date(2026, 9, 1), 1234.5, "EUR")
    assert (sheet["C2"].number_format, sheet["C3"].number_format) == ("#,##0.00", "#,##0")


def test_the_link_to_more_copies_is_in_both_forms_and_no_account_number():
    links = Links(b"secret", "https://relance.example/")
    tenant, delivery_id = uuid7(), uuid7()
    link = links.make(tenant, delivery_id, "fr")
    told = linking(Rendered("Objet", "Bonjour", "<div><p>Bonjour</p></div></body></html>"), "Copies :", link)
    assert link in told.text and told.html.count(link) == 2 and told.html.endswith("</div></body></html>")
    assert list(guard.ibans(told.text)) == []


@given(st.text(max_size=80))
def test_only_our_own_links_are_read(text):
    links = Links(b"secret", "https://relance.example")
    tenant, delivery_id = uuid7(), uuid7()
    token = re.search(r"/copies/(\w+)[?]language=en$", links.make(tenant, delivery_id, "en"))[1]
    assert links.read(token) == (tenant, delivery_id)
    assert links.read(text) is None and Links(b"another", "").read(token) is None
