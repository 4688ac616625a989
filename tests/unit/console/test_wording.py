"""The timeline speaks the reader's language: no code of ours stands in it."""

from pathlib import Path

import pytest
import yaml

from services.console.pages.web import Texts
from services.console.pages.wording import worded
from services.scheduler.policy import LADDER

STANDARD = Path("services/scheduler/policies/standard.yaml")


@pytest.mark.parametrize(
    ("kind", "code", "french", "english"),
    [
        ("DisputeOpened", "quantity", "Quantité", "Quantity"),
        ("HoldLifted", "broken", "Promesse non tenue", "Promise broken"),
        ("InvoiceReopened", "unallocated", "Lettrage repris", "Match taken back"),
        ("ReminderStopped", "settled", "Réglé entre-temps", "Settled meanwhile"),
    ],
)
def test_a_reason_on_the_timeline_is_in_words(kind: str, code: str, french: str, english: str) -> None:
    line = {"type": kind, "facts": {"reason": code}, "amount": None, "currency": None}
    assert worded(Texts("fr"), line)["why"] == french
    assert worded(Texts("en"), line)["why"] == english


@pytest.mark.parametrize(
    ("kind", "facts", "french", "english"),
    [
        ("ReminderDue", {"kind": "reminder", "step_key": "firm", "tone": 3}, "Relance ferme", "Firm reminder"),
        ("ReminderSent", {"kind": "reminder", "tone": 2, "channel": "email"}, "Rappel courtois · e-mail",
         "Friendly reminder · e-mail"),
        ("TaskDone", {"kind": "call", "outcome": "no_answer"}, "Appel · Pas de réponse", "Call · No answer"),
        ("PromiseMade", {"promised_for": "2026-11-24"}, "pour le 24/11/2026", "for 24/11/2026"),
        ("HoldPlaced", {"kind": "reply"}, "Réponse à lire", "Reply to read"),
        ("PaymentMatched", {"how": "person", "allocations": 1}, "par une personne", "by a person"),
        ("TaskOpened", {"kind": "unheard_of"}, "", ""),
    ],
)  # fmt: skip
def test_a_line_says_which_step_task_or_silence_it_is_about(
    kind: str, facts: dict[str, object], french: str, english: str
) -> None:
    line = {"type": kind, "facts": facts, "amount": None, "currency": None}
    assert worded(Texts("fr"), line)["why"] == french
    assert worded(Texts("en"), line)["why"] == english


@pytest.mark.parametrize("language", ["fr", "en"])
def test_what_was_said_is_called_as_its_step_is(language: str) -> None:
    """The tones of the product's own ladder: a level is never told harder than what was sent."""
    t = Texts(language)
    ladder = yaml.safe_load(STANDARD.read_text("utf-8"))["steps"]
    mails = {step["tone"]: step["key"] for step in reversed(ladder) if step["kind"] in LADDER or step["tone"] == 1}
    assert sorted(mails) == [1, 2, 3, 4, 5]
    for tone, key in mails.items():
        assert t(f"tone.{tone}").startswith(t(f"step.{key}")), (tone, key)
