"""The development clock moves forward by what a person writes."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from libs.common.cli import NOUNS
from libs.common.cli.clock import duration
from libs.common.cli.failures import REFUSED, guarded
from libs.common.errors import Refused


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90m", timedelta(minutes=90)),
        ("12h", timedelta(hours=12)),
        ("3d", timedelta(days=3)),
        ("2w", timedelta(weeks=2)),
        ("1d12h", timedelta(days=1, hours=12)),
    ],
)
def test_a_length_of_time_is_read(text: str, length: timedelta) -> None:
    assert duration(text) == length


@pytest.mark.parametrize("text", ["", "3", "d", "3y", "-3d", "3 d", "٣d", "999999d"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        duration(text)


def test_the_clock_moves_for_everybody_who_reads_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RELANCE_STATE", str(tmp_path))
    assert guarded(NOUNS, ["clock", "advance", "3d"]) == 0
    capsys.readouterr()
    assert guarded(NOUNS, ["clock", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["offset_seconds"] == 3 * 86400


def test_the_clock_never_moves_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RELANCE_STATE", str(tmp_path))
    assert guarded(NOUNS, ["clock", "advance", "--to", "2020-01-01"]) == REFUSED
    assert "only moves forward" in capsys.readouterr().err
