"""Every failure has its exit code, one line, and what to do about it."""

import pytest

from libs.common.cli import NOUNS
from libs.common.cli.failures import CREDENTIALS, DEFECT, REFUSED, STACK, UNREACHABLE, USAGE, guarded, told
from libs.common.devstack.errors import NoJava
from libs.common.errors import Forbidden, RelanceError, SetChanged, Unauthenticated, Unavailable
from libs.common.settings import SettingMissing


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SetChanged(), REFUSED),
        (SettingMissing("RELANCE_KAFKA is not set."), USAGE),
        (Unavailable(), UNREACHABLE),
        (Unauthenticated(), CREDENTIALS),
        (Forbidden(), CREDENTIALS),
        (NoJava(), STACK),
        (ValueError("that was a defect"), DEFECT),
    ],
)
def test_the_exit_code_says_what_kind_of_failure_it_was(error: Exception, code: int) -> None:
    assert told(error) == code


def test_a_refusal_names_its_field_and_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    told(RelanceError("No such day.", field="due_date", remedy="Send YYYY-MM-DD."))
    assert capsys.readouterr().err == "relance: due_date: No such day.\n  → Send YYYY-MM-DD.\n"


def test_a_defect_shows_no_stack_unless_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told(ValueError("first line\nsecond line"))
    assert capsys.readouterr().err.splitlines()[0] == "relance: ValueError: first line"
    monkeypatch.setenv("RELANCE_DEBUG", "1")
    told(ValueError("first line"))
    assert "ValueError" in capsys.readouterr().err


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(NOUNS, ["no-such-noun"]) == USAGE
    assert "no-such-noun" in capsys.readouterr().err


def test_every_command_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(NOUNS, ["--help"]) == 0
    said = capsys.readouterr().out
    for command in ("up", "down", "status", "migrate", "clock", "mail", "console", "invoice_ingest"):
        assert command in said
