"""Evidence in words: amounts read as people of the language write them."""

from services.payment_matching.words import say


def test_an_amount_in_french_has_its_comma_and_its_sign_behind() -> None:
    facts = {"minor": 1005, "currency": "EUR"}
    assert say("amount_partial", facts, "fr") == "paiement partiel, il resterait 10,05\u00a0€"
    assert say("amount_over", {"minor": 123_456_78, "currency": "EUR"}, "fr") == "trop-perçu de 123\u00a0456,78\u00a0€"


def test_an_amount_in_english_has_its_sign_before() -> None:
    assert say("amount_rounded", {"minor": 1005, "currency": "EUR"}, "en") == "rounded by €10.05"
    assert say("amount_partial", {"minor": 1500, "currency": "JPY"}, "en") == "part payment, JP¥1,500 would remain"
