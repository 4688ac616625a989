"""`relance match two-people` and `relance match proposals`: what is asked of the API, and how its answers end."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from libs.common.cli import NOUNS
from libs.common.cli.failures import CREDENTIALS, REFUSED, USAGE, guarded

KEY = ["--api-key", "rk_test_x"]
TENANT = ["--tenant", "01a201b7-d83f-720c-a34b-a375c077fbc9"]
ONE = UUID("01a201b7-d83f-720c-a34b-a375c077fbc8")
EUR = {"amount": "5000.00", "currency": "EUR"}
LIMIT = {"entity_id": str(ONE), "above": EUR, "set_by": "cli", "set_at": "2026-11-20T09:00:00Z"}
PROPOSAL = {
    "proposal_id": str(ONE),
    "kind": "allocation",
    "amount": EUR,
    "state": "waiting",
    "proposed_by": "user:anne",
    "proposed_at": "2026-11-20T09:00:00Z",
    "decided_by": None,
    "why": None,
}
PATH = "/v1/matching/proposals"


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Any]]:
    """What the matching service was asked: (method, path, body, or parameters of a GET)."""
    calls: list[tuple[str, str, Any]] = []

    def answered(method: str, url: str, **how: Any) -> httpx.Response:
        path = httpx.URL(url).path
        calls.append((method, path, how.get("json") if method != "GET" else how["params"]))
        if path.endswith("two-people"):
            return httpx.Response(200, json={"limits": [LIMIT]})
        if path == PATH:
            last = how["params"].get("cursor") is not None
            return httpx.Response(200, json={"proposals": [PROPOSAL], "next": None if last else "more"})
        if path.endswith("approve"):
            return httpx.Response(409, json={"code": "already_decided", "detail": "Proposal is refused."})
        return httpx.Response(200, json=PROPOSAL | {"state": "refused"})

    monkeypatch.setenv("RELANCE_STATE", str(tmp_path))
    monkeypatch.setattr(httpx, "request", answered)
    return calls


def run(*words: str) -> int:
    return guarded(NOUNS, ["match", *words])


def test_the_amount_is_set_and_shown(asked: list[tuple[str, str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("two-people", "set", "5000.00", "eur", "--entity", str(ONE), *TENANT) == 0
    assert asked == [("PUT", "/v1/matching/two-people", {"above": EUR, "entity_id": str(ONE)})]
    assert "5000.00" in capsys.readouterr().out
    assert run("two-people", "show", "--json", *KEY) == 0
    assert json.loads(capsys.readouterr().out) == [LIMIT]


def test_every_page_of_what_waits_is_listed(
    asked: list[tuple[str, str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("proposals", "list", "--json", *KEY) == 0
    assert json.loads(capsys.readouterr().out) == [PROPOSAL, PROPOSAL]
    assert asked[0] == ("GET", PATH, {"limit": 200, "state": "waiting"})
    assert run("proposals", "list", "--state", "all", *KEY) == 0
    assert "state" not in asked[2][2], "all asks for no state"
    assert "user:anne" in capsys.readouterr().out


def test_what_waits_is_refused_with_a_reason_and_what_is_decided_is_an_exit_code(
    asked: list[tuple[str, str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("proposals", "refuse", str(ONE), "not ours", *KEY) == 0
    assert asked == [("POST", f"{PATH}/{ONE}/refuse", {"why": "not ours"})]
    assert capsys.readouterr().out == f"Proposal {ONE} is refused.\n"
    assert run("proposals", "approve", str(ONE), *TENANT) == REFUSED
    assert asked[1] == ("POST", f"{PATH}/{ONE}/approve", None)
    assert "Proposal is refused." in capsys.readouterr().err


def test_without_a_key_or_a_reason_nothing_is_asked(asked: list[tuple[str, str, Any]]) -> None:
    assert run("proposals", "list") == CREDENTIALS
    assert run("proposals", "refuse", str(ONE), *KEY) == USAGE
    assert asked == []
