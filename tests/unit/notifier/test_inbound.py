"""What comes back: a bounce, an automatic answer, or a person."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier import inbound
from services.notifier.errors import MailUnreadable
from services.notifier.tokens import Tokens

TOKENS = Tokens(b"secret")
DELIVERY = UUID("018f0000-0000-7000-8000-000000000001")
PATH = TOKENS.return_path(DELIVERY, "verrerie-leman.fr")


def bounce(action="failed", status="5.1.1", to=PATH, returned=True):
    original = (f"Message-ID: <{DELIVERY}@verrerie-leman.fr>\r\n" if returned else "") + "Subject: Rappel\r\n\r\n"
    return (
        f"From: MAILER-DAEMON@mx.beau-rivage.fr\r\nTo: {to}\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.beau-rivage.fr\r\n\r\n"
        f"Final-Recipient: rfc822; fournisseurs@beau-rivage.fr\r\nAction: {action}\r\nStatus: {status}\r\n\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\n{original}\r\n--b--\r\n"
    ).encode()


def complaint(about="abuse", to="fbl@verrerie-leman.fr", mail_from=PATH, returned=True, original="message/rfc822"):
    shown = (f"Message-ID: <{DELIVERY}@verrerie-leman.fr>\r\n" if returned else "") + "Subject: Rappel\r\n\r\n"
    sender = f"Original-Mail-From: <{mail_from}>\r\n" if mail_from else ""
    return (
        f"From: <fbl@beau-rivage.fr>\r\nTo: {to}\r\nSubject: FW: Rappel\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nThis is an abuse report.\r\n"
        f"--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: {about}\r\nUser-Agent: FBL/1.0\r\n"
        f"Version: 1\r\n{sender}Original-Rcpt-To: <Fournisseurs@beau-rivage.fr>\r\n\r\n"
        f"--b\r\nContent-Type: {original}\r\n\r\n{shown}\r\n--b--\r\n"
    ).encode()


def letter(subject="Re: Rappel", extra="", body="Nous payons vendredi."):
    return (
        f"From: Jean <jean@beau-rivage.fr>\r\nTo: compta@verrerie-leman.fr\r\nSubject: {subject}\r\n"
        f"Message-ID: <x@y>\r\nReferences: <a@b> <{DELIVERY}@verrerie-leman.fr>\r\n{extra}\r\n{body}\r\n"
    ).encode()


def test_a_bounce_is_found_by_its_token_and_says_who_and_why():
    mail = inbound.read(bounce(returned=False), TOKENS)
    assert (mail.kind, mail.status, mail.permanent) == ("bounce", "5.1.1", True)
    assert mail.delivery_ids == (DELIVERY,) and mail.recipient == "fournisseurs@beau-rivage.fr"


def test_a_bounce_without_the_token_is_found_by_the_returned_message():
    assert inbound.read(bounce(to="compta@verrerie-leman.fr"), TOKENS).delivery_ids == (DELIVERY,)


def test_a_temporary_failure_is_not_permanent_and_a_delay_is_no_bounce():
    assert not inbound.read(bounce(status="4.2.2"), TOKENS).permanent
    assert inbound.read(bounce(action="delayed", status="4.4.1"), TOKENS).kind == "delayed"


def test_a_bounce_that_is_no_report_is_still_a_bounce():
    raw = f"From: Mail Delivery <mailer-daemon@x.fr>\r\nTo: {PATH}\r\nSubject: failure\r\n\r\n550 5.1.1 unknown\r\n"
    assert inbound.read(raw.encode(), TOKENS).kind == "bounce"


def test_a_person_is_a_reply_and_belongs_to_the_delivery_it_answers():
    mail = inbound.read(letter(), TOKENS)
    assert mail.kind == "reply" and mail.delivery_ids == (DELIVERY,)
    assert mail.text == "Nous payons vendredi." and mail.sender == "jean@beau-rivage.fr"


@pytest.mark.parametrize(
    ("subject", "extra"),
    [
        ("Re: Rappel", "Auto-Submitted: auto-replied\r\n"),
        ("Re: Rappel", "Auto-Submitted: auto-generated; owner-email=x\r\n"),
        ("Re: Rappel", "X-Autoreply: yes\r\n"),
        ("Re: Rappel", "Precedence: bulk\r\n"),
        ("Re: Rappel", "Return-Path: <>\r\n"),
        ("Réponse automatique : Rappel", ""),
        ("Absence du bureau", ""),
        ("=?utf-8?q?R=C3=A9ponse_automatique?=", ""),
        ("Automatic reply: Reminder", ""),
        ("Out of office", ""),
    ],
)
def test_an_automatic_answer_is_not_an_answer(subject, extra):
    assert inbound.read(letter(subject, extra), TOKENS).kind == "auto_reply"


@pytest.mark.parametrize("subject", ["Re: Rappel", "Absolument pas d'accord", "Votre absence de réponse"])
def test_words_that_only_look_like_an_automatic_answer_are_a_persons(subject):
    assert inbound.read(letter(subject, "Auto-Submitted: no\r\n"), TOKENS).kind == "reply"


@pytest.mark.parametrize("about", ["abuse", "Fraud", "virus", "other"])
def test_a_feedback_report_is_a_complaint_about_the_delivery_whose_return_path_it_tells(about):
    mail = inbound.read(complaint(about, returned=False), TOKENS)
    assert (mail.kind, mail.status, mail.permanent) == ("complaint", about.lower(), False)
    assert mail.delivery_ids == (DELIVERY,) and mail.recipient == "fournisseurs@beau-rivage.fr"


@pytest.mark.parametrize("original", ["message/rfc822", "text/rfc822-headers"])
def test_a_complaint_that_hides_the_return_path_is_found_by_the_returned_message(original):
    assert inbound.read(complaint(mail_from="", original=original), TOKENS).delivery_ids == (DELIVERY,)
    forged = Tokens(b"thief").return_path(DELIVERY, "verrerie-leman.fr")
    assert inbound.read(complaint(mail_from=forged, returned=False), TOKENS).delivery_ids == ()


@pytest.mark.parametrize("about", ["not-spam", "auth-failure", "dmarc", ""])
def test_a_report_about_something_else_is_no_complaint(about):
    assert inbound.read(complaint(about), TOKENS).kind == "auto_reply"


def test_a_person_who_forwards_a_report_complains_of_nothing():
    report = complaint().decode().partition("\r\n\r\n")
    head = "From: Jean <jean@beau-rivage.fr>\r\nSubject: Fwd: FW: Rappel\r\nMIME-Version: 1.0\r\n"
    forwarded = f'{head}Content-Type: multipart/mixed; boundary="b"\r\n\r\n{report[2]}'
    assert inbound.read(forwarded.encode(), TOKENS).kind == "reply"


def test_a_forged_token_leads_nowhere():
    raw = bounce(to=Tokens(b"thief").return_path(DELIVERY, "verrerie-leman.fr"), returned=False)
    assert inbound.read(raw, TOKENS).delivery_ids == ()


@given(st.one_of(st.binary(max_size=400), st.binary(max_size=200).map(lambda tail: letter() + tail)))
def test_any_bytes_are_read_or_refused_by_name(raw):
    try:
        mail = inbound.read(raw, TOKENS)
    except MailUnreadable:
        return
    assert "\x00" not in mail.text + mail.subject + mail.sender + mail.message_id


@given(st.text(max_size=60), st.sampled_from(["Content-Type", "From", "To", "References", "Content-Transfer-Encoding"]))
def test_any_header_is_read_or_refused_by_name(value, name):
    raw = f"{name}: ".encode() + value.encode("utf-8", "replace") + b"\r\n" + letter()
    try:
        inbound.read(raw, TOKENS)
    except MailUnreadable:
        return
