"""A sealed secret opens with the key that sealed it and with nothing else."""

import pytest

from libs.common.seal import SealBroken, seal, unseal

OLD = {"old": b"o" * 32}
NEW = {"new": b"n" * 32}


def test_what_was_sealed_opens_to_the_same_text() -> None:
    assert unseal(OLD, seal(OLD, "whsec_é")) == "whsec_é"


def test_a_sealed_text_shows_nothing_of_the_secret_and_never_repeats() -> None:
    first, second = seal(OLD, "secret"), seal(OLD, "secret")
    assert "secret" not in first
    assert first != second


def test_while_two_keys_live_both_open_and_the_first_one_seals() -> None:
    before = seal(OLD, "secret")
    both = NEW | OLD
    assert unseal(both, before) == "secret"
    assert unseal(both, seal(both, "secret")) == "secret"
    assert seal(both, "secret").startswith("new.")


def test_a_key_that_was_dropped_opens_nothing_any_more() -> None:
    with pytest.raises(SealBroken, match="No key 'old'"):
        unseal(NEW, seal(OLD, "secret"))


@pytest.mark.parametrize("alter", [lambda s: s[:-4] + "AAAA", lambda s: s[:8], lambda s: "old.", lambda s: "old.%%%"])
def test_an_altered_text_is_refused_without_telling_its_content(alter) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SealBroken, match="altered"):
        unseal(OLD, alter(seal(OLD, "secret")))


def test_a_sealed_text_cannot_be_passed_off_as_another_keys() -> None:
    twins = {"a": b"k" * 32, "b": b"k" * 32}
    with pytest.raises(SealBroken):
        unseal(twins, "b." + seal(twins, "secret").partition(".")[2])
