"""`relance charges`: an invoice by its number, its proof as a table for a spreadsheet, rates with their source."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from libs.common.cli import NOUNS
from libs.common.cli.failures import USAGE, guarded
from libs.common.ids import uuid7

KEY = ["--api-key", "rk_test_x"]
EUR = {"amount": "683.42", "currency": "EUR"}
ITEM, RATE = str(uuid7()), str(uuid7())
ROW = {
    "first": "2024-10-01", "last": "2024-12-31", "days": 92, "balance": {"amount": "10000.00", "currency": "EUR"},
    "percent": "14.25", "interest": "359.178082", "formula": "10000.00 × 14.25 % × 92 / 365", "sources": ["ecb"],
}  # fmt: skip
PROOF = {"number": "F1", "rows": [ROW], "remarks": {"fr": ["Fondement : L. 441-10."], "en": ["Basis: L. 441-10."]}}
BEARS = {
    "regime": "fr_private", "not_claimable": None, "counted_to": "2025-03-31", "provisional": False, "interest": EUR,
    "interest_to_claim": EUR, "lump_sum": EUR | {"amount": "40.00"}, "lump_sum_to_claim": EUR | {"amount": "0.00"},
}  # fmt: skip


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Any]]:
    """What the scheduler was asked. It knows one invoice."""
    monkeypatch.setenv("RELANCE_STATE", str(tmp_path))
    requests: list[tuple[str, str, Any]] = []
    known = {
        "/v1/items": {"items": [{"item_id": ITEM}]},
        f"/v1/items/{ITEM}/charges": BEARS,
        f"/v1/items/{ITEM}/charges/proof": PROOF,
        "/v1/charges/rates": {"items": [], "rate_id": RATE},
    }

    def answered(method: str, url: str, **how: Any) -> httpx.Response:
        path = httpx.URL(url).path
        requests.append((method, path, how.get("json") or how.get("params")))
        return httpx.Response(200, json=known[path])

    monkeypatch.setattr(httpx, "request", answered)
    return requests


def test_an_invoice_is_found_by_its_number(
    asked: list[tuple[str, str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(NOUNS, ["charges", "show", "F1", "--until", "2025-03-31", *KEY]) == 0
    assert "683.42" in capsys.readouterr().out
    assert asked[1] == ("GET", f"/v1/items/{ITEM}/charges", {"until": "2025-03-31"})


def test_a_proof_goes_into_a_spreadsheet(asked: list[tuple[str, str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(NOUNS, ["charges", "proof", "F1", "--csv", *KEY]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head == "number,first,last,days,balance,percent,interest,formula"
    assert row.startswith("F1,2024-10-01,2024-12-31,92,10000.00,14.25,359.178082,")
    assert guarded(NOUNS, ["charges", "proof", "F1", "--fr", *KEY]) == 0
    assert "Fondement" in capsys.readouterr().out


def test_a_rate_is_entered_with_its_source_and_not_without(asked: list[tuple[str, str, Any]]) -> None:
    told = ["charges", "enter-rate", "ecb_mro", "2026-07-01", "2.40"]
    assert guarded(NOUNS, [*told, *KEY]) == USAGE
    assert guarded(NOUNS, [*told, "--source", "ECB", *KEY]) == 0
    assert asked == [
        ("POST", "/v1/charges/rates",
         {"index": "ecb_mro", "valid_from": "2026-07-01", "percent": "2.40", "source": "ECB"})
    ]  # fmt: skip
