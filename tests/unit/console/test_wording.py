"""The timeline speaks the reader's language: no code of ours stands in it."""

import pytest

from services.console.pages.web import Texts
from services.console.pages.wording import worded


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
