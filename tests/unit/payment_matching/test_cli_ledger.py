"""`relance ledger`: a list goes as its file says, pages are read to the end, and what waits makes the exit code."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from libs.common.cli import NOUNS
from libs.common.cli.failures import REFUSED, guarded

SNAPSHOT = {
    "snapshot_id": "01a201b7-d83f-720c-a34b-a375c077fbc9",
    "state": "waiting",
    "why": ["sum_differs"],
    "agreed": 3,
    "settled": 0,
    "differences": [{"count": 2, "settled": False}],
}


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the matching service was asked; it answers each path as a fresh one would."""
    monkeypatch.setenv("RELANCE_STATE", str(tmp_path))
    calls: list[dict[str, Any]] = []

    def answered(method: str, url: str, **how: Any) -> httpx.Response:
        calls.append({"method": method, "path": httpx.URL(url).path, **how})
        if url.endswith("snapshots"):
            return httpx.Response(200, json={"result": "waiting", "snapshot": SNAPSHOT})
        if url.endswith("settlements"):
            first = how["params"].get("cursor") is None
            return httpx.Response(200, json={"settlements": [{"line_id": "a"}], "next": "more" if first else None})
        results = [{"line": 1, "line_id": "a", "result": "acknowledged", "state": "booked"}]
        return httpx.Response(200, json={"results": results, "counts": {}})

    monkeypatch.setattr(httpx, "request", answered)
    return calls


def test_a_table_is_sent_with_its_head_and_one_that_waits_is_refused(
    asked: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "open.csv"
    file.write_text("number;residual;currency\n")
    how = ["--as-of", "2026-11-20", "--count", "0", "--sum", "0.00 EUR", "--api-key", "rk_test_x"]
    assert guarded(NOUNS, ["ledger", "send", str(file), *how]) == REFUSED
    assert asked[0]["headers"]["content-type"] == "text/csv"
    assert asked[0]["params"] == {"as_of": "2026-11-20", "count": "0", "sum": "0.00 EUR"}
    said = capsys.readouterr()
    assert "3 agree" in said.out
    assert "sum_differs" in said.err


def test_every_page_is_exported(asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(NOUNS, ["ledger", "export", "--json", "--api-key", "rk_test_x"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(asked) == 2


def test_a_line_between_two_currencies_is_shown_with_both_amounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    amounts = {"amount": {"amount": "1000.00", "currency": "USD"}, "paid": {"amount": "921.15", "currency": "EUR"}}
    facts = dict.fromkeys(("debtor", "payment", "value_date", "line_id"))
    lines = [{"act": "book", "kind": "payment", "number": "US-1", **facts, **amounts}]
    lines += [{**lines[0], "number": "FA-1", "paid": None}]
    monkeypatch.setenv("RELANCE_STATE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    answer = httpx.Response(200, json={"settlements": lines, "next": None})
    monkeypatch.setattr(httpx, "request", lambda method, url, **how: answer)
    assert guarded(NOUNS, ["ledger", "export", "--api-key", "rk_test_x"]) == 0
    _, first, second = capsys.readouterr().out.splitlines()
    assert "1000.00 USD" in first and "921.15 EUR" in first
    assert "EUR" not in second


def test_lines_are_acknowledged_from_a_file_of_lines(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    file = tmp_path / "done.ndjson"
    file.write_text('{"line_id": "a", "result": "booked"}\n')
    assert guarded(NOUNS, ["ledger", "acknowledge", str(file), "--api-key", "rk_test_x"]) == 0
    assert asked[0]["json"] == {"lines": [{"line_id": "a", "result": "booked"}]}


def test_a_calibration_is_made_activated_and_rolled_back_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[str, str, Any]] = []
    one = {"state": "shadow", "error": 0.012, "outcomes": 60, "least_odds": 9.0, "why": "w", "made_by": "key:1"}
    one |= {"made_at": "2026-11-20T09:00:00Z", "calibration_id": SNAPSHOT["snapshot_id"]}

    def answered(method: str, url: str, **how: Any) -> httpx.Response:
        calls.append((method, httpx.URL(url).path, how.get("json")))
        told = {"outcomes": 60, "own_error": None, "least_odds": 9.0, "calibrations": [one]}
        return httpx.Response(200, json=told)

    monkeypatch.setenv("RELANCE_STATE", str(tmp_path))
    monkeypatch.setattr(httpx, "request", answered)
    base, key = "/v1/matching/calibrations", ["--api-key", "rk_test_x"]
    tenant = ["--tenant", str(SNAPSHOT["snapshot_id"])]
    for words in (["calibrations", *key], ["calibrate", "w", "--least-odds", "9", *key]):
        assert guarded(NOUNS, ["match", *words]) == 0
    for words in (["activate", one["calibration_id"], *tenant], ["rollback", *tenant]):
        assert guarded(NOUNS, ["match", *words]) == 0
    assert [(method, path) for method, path, _ in calls] == [
        ("GET", base),
        ("POST", base),
        ("POST", f"{base}/{one['calibration_id']}/activate"),
        ("POST", f"{base}/rollback"),
    ]
    assert calls[1][2] == {"why": "w", "least_odds": 9.0}
    said = capsys.readouterr()
    assert "1.2 %" in said.out
    assert "Below log-odds of 9.0 a person decides." in said.err
