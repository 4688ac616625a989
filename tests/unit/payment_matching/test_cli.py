"""`relance statements`: every file stands alone, and the exit code says whether one was refused."""

import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from libs.common.cli import NOUNS
from libs.common.cli.failures import REFUSED, UNREACHABLE, guarded
from libs.common.cli.watching import Watch

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)

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


def test_a_watched_directory_is_emptied_and_says_why(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "still.xml.part").write_bytes(b"good")
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "good.xml").write_bytes(b"an older one")
    assert guarded(NOUNS, ["statements", "watch", "--api-key", "rk_test_x", "--once", str(tmp_path)]) == 0
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"still.xml.part", "done/good.xml", "done/good-2.xml", "refused/bad.xml", "refused/bad.xml.txt"}
    assert (tmp_path / "refused" / "bad.xml.txt").read_text().startswith("bad.xml: It is broken.")
    assert "Ask." in (tmp_path / "refused" / "bad.xml.txt").read_text()


def test_a_file_stays_when_nobody_answers(files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(method: str, url: str, **how: object) -> httpx.Response:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(httpx, "request", silent)
    assert guarded(NOUNS, ["statements", "watch", "--api-key", "rk_test_x", "--once", str(tmp_path)]) == UNREACHABLE
    assert all(Path(file).exists() for file in files)


def test_a_file_that_is_being_written_waits_until_it_rests(tmp_path: Path) -> None:
    watched = Watch(tmp_path, lambda file: {"file": file.name, "result": "created"})
    (tmp_path / "a.sta").write_bytes(b"1")
    assert list(watched.look(NOW)) == []
    (tmp_path / "a.sta").write_bytes(b"12")
    assert list(watched.look(NOW)) == []
    assert [row["file"] for row in watched.look(NOW)] == ["a.sta"]
    assert list(watched.look(NOW)) == []


def test_the_mapping_of_an_account_is_saved_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answered(method: str, url: str, **how: object) -> httpx.Response:
        asked.append((method, url.partition("/v1")[2], how.get("json")))
        return httpx.Response(200, json={"saved": True})

    monkeypatch.setattr(httpx, "request", answered)
    monkeypatch.setenv("RELANCE_STATE", str(tmp_path))
    file = tmp_path / "mapping.json"
    file.write_text('{"columns": {"booked_on": "Date", "amount": "Montant"}}')
    told = ["statements", "mapping", "--api-key", "rk_test_x", TAKEN["id"], str(file)]
    assert guarded(NOUNS, told) == 0
    path = f"/bank-accounts/{TAKEN['id']}/table-mapping"
    assert asked == [("PUT", path, {"columns": {"booked_on": "Date", "amount": "Montant"}})]
    file.write_text("Date;Montant")
    assert guarded(NOUNS, told) == REFUSED
