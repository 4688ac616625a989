"""Caught mails are found again, whole."""

import json
from email.message import EmailMessage
from pathlib import Path

import pytest

from libs.common.cli import NOUNS
from libs.common.cli.failures import REFUSED, guarded
from libs.common.devstack.mailbox import Mailbox


def _mail(subject: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "compta@vendeur.fr", "achats@client.fr", subject
    message["Message-ID"] = "<1@relance>"
    message.set_content("Votre facture est échue.")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="F-1.pdf")
    return message.as_bytes()


@pytest.fixture
def mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    monkeypatch.setenv("RELANCE_STATE", str(tmp_path))
    box = Mailbox(tmp_path / "mail")
    box.open()
    return box


def test_a_mail_is_listed_and_shown_with_what_was_attached(
    mailbox: Mailbox, capsys: pytest.CaptureFixture[str]
) -> None:
    mailbox.keep("compta@vendeur.fr", ["achats@client.fr"], _mail("Relevé de factures"))
    mailbox.keep("compta@vendeur.fr", ["autre@client.fr"], _mail("Deuxième"))
    assert guarded(NOUNS, ["mail", "list", "--to", "achats", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["subject"] == "Relevé de factures"
    assert guarded(NOUNS, ["mail", "show", str(listed["number"])]) == 0
    shown = capsys.readouterr().out
    assert "Votre facture est échue." in shown
    assert "[attached: F-1.pdf]" in shown


def test_a_catcher_that_starts_again_goes_on_counting(mailbox: Mailbox) -> None:
    first = mailbox.keep("a@b.fr", ["c@d.fr"], _mail("un"))
    again = Mailbox(mailbox.folder)
    again.open()
    assert again.keep("a@b.fr", ["c@d.fr"], _mail("deux")).number == first.number + 1
    assert [mail.subject for mail in again.all()] == ["un", "deux"]


def test_a_mail_with_headers_alone_or_garbage_is_kept_too(mailbox: Mailbox) -> None:
    for raw in (b"", b"Subject: seul", b"\xff\xfe\x00 no mail at all"):
        kept = mailbox.keep("", [], raw)
        assert mailbox.raw(kept.number) == raw


def test_a_mail_that_is_not_there_says_how_to_list_them(mailbox: Mailbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(NOUNS, ["mail", "show", "99"]) == REFUSED
    assert "relance mail list" in capsys.readouterr().err
