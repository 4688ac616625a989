"""`relance uncertain`: every page is shown, and each decision says why."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from libs.common.cli import NOUNS
from libs.common.cli.failures import REFUSED, USAGE, guarded
from libs.common.ids import uuid7

KEY = ["--api-key", "rk_test_x", "--json"]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Any]]:
    """What the notifier was asked. It knows two pages."""
    monkeypatch.setenv("RELANCE_STATE", str(tmp_path))
    requests: list[tuple[str, str, Any]] = []

    def answered(method: str, url: str, **how: Any) -> httpx.Response:
        requests.append((method, url, how.get("json") or how.get("params")))
        if method == "POST":
            return httpx.Response(200, json={"state": "sent", **how["json"]})
        first = "cursor" not in how["params"]
        return httpx.Response(200, json={"deliveries": [{"delivery_id": first}], "next": "c" if first else None})

    monkeypatch.setattr(httpx, "request", answered)
    return requests


def test_every_page_is_listed(asked: list[tuple[str, str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(NOUNS, ["uncertain", "list", *KEY]) == 0
    assert [row["delivery_id"] for row in json.loads(capsys.readouterr().out)] == [True, False]
    assert [facts["state"] for _, _, facts in asked] == ["uncertain", "uncertain"]


def test_several_are_resolved_with_one_reason(asked: list[tuple[str, str, Any]]) -> None:
    ids = [str(uuid7()), str(uuid7())]
    assert guarded(NOUNS, ["uncertain", "resolve", "not_sent", *ids, "--why", "not in the log", *KEY]) == 0
    assert [(url.split("/")[-2], facts) for _, url, facts in asked] == [
        (each, {"outcome": "not_sent", "why": "not in the log"}) for each in ids
    ]


def test_nobody_decides_without_a_reason(asked: list[tuple[str, str, Any]]) -> None:
    assert guarded(NOUNS, ["uncertain", "resolve", "sent", str(uuid7()), *KEY]) == USAGE
    assert asked == []


def test_what_is_not_uncertain_any_more_is_refused(
    asked: list[tuple[str, str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(httpx, "request", lambda *_, **__: httpx.Response(409, json={"detail": "It is sent."}))
    assert guarded(NOUNS, ["uncertain", "resolve", "sent", str(uuid7()), "--why", "log", *KEY]) == REFUSED
