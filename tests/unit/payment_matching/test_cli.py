"""`relance statements import`: every file stands alone, and the exit code says whether one was refused."""

import json
from pathlib import Path

import httpx
import pytest

from libs.common.cli import NOUNS
from libs.common.cli.failures import REFUSED, UNREACHABLE, guarded

TAKEN = {
    "result": "created",
    "id": "01a201b7-d83f-720c-a34b-a375c077fbc9",
    "format": "camt.053",
    "statements": [{"entries": 3, "payments": 2, "known": 0, "returns": 1}],
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two files, and a matching service that takes the good one and refuses the other."""
    monkeypatch.setenv("RELANCE_STATE", str(tmp_path))
    paths = [tmp_path / "good.xml", tmp_path / "bad.xml"]
    for path in paths:
        path.write_bytes(path.stem.encode())

    def answered(method: str, url: str, **how: object) -> httpx.Response:
        if how["content"] == b"good":
            return httpx.Response(201, json=TAKEN)
        return httpx.Response(422, json={"code": "unreadable_statement", "detail": "It is broken.", "remedy": "Ask."})

    monkeypatch.setattr(httpx, "request", answered)
    return [str(path) for path in paths]


def test_files_stand_alone_and_a_refused_one_makes_the_exit_code(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(NOUNS, ["statements", "import", "--api-key", "rk_test_x", "--json", *files]) == REFUSED
    said = capsys.readouterr()
    good, bad = json.loads(said.out)
    assert (good["result"], good["payments"], good["returns"]) == ("created", 2, 1)
    assert (bad["result"], bad["remedy"]) == ("refused", "Ask.")
    assert "It is broken." in said.err


def test_a_good_file_alone_is_success_and_a_line(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(NOUNS, ["statements", "import", "--api-key", "rk_test_x", files[0]]) == 0
    assert "camt.053" in capsys.readouterr().out


def test_a_service_that_is_silent_is_not_a_refused_file(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(method: str, url: str, **how: object) -> httpx.Response:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(httpx, "request", silent)
    assert guarded(NOUNS, ["statements", "import", "--api-key", "rk_test_x", *files]) == UNREACHABLE
