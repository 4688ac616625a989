"""Recovery files: what is in the zip, its seal, where a file may go, and whether a court is worth it."""

import base64
import csv
import hashlib
import io
import json
import zipfile
from decimal import Decimal
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from libs.common.settings import Settings
from services.scheduler.recovery.course import may_become
from services.scheduler.recovery.dossier import Document, Dossier, Item, files, missing, sealed
from services.scheduler.recovery.worth import Claim, worth
from services.scheduler.sealing import Seal

NOTICE: dict[str, Any] = {
    "notice_id": "n1", "kind": "formal_notice", "step_key": "formal", "channel": "letter", "first_approver": "ada",
    "approved_by": "bob", "approved_at": "2026-10-01", "sent_at": "2026-10-02T08:00:00Z", "subject": "Mise en demeure",
    "words": "Payez.", "markup": "<p>Payez.</p>", "numbers": ["F1"],
    "deliveries": [{"delivery_id": "d1", "recipient": "=cmd()@x.test", "state": "sent", "sent_at": "2026-10-02",
                    "code": 250, "reply": "OK", "bounce_status": None, "sha256": "ab" * 32}],
}  # fmt: skip
SHEET = [{"first": "2026-09-02", "last": "2026-09-07", "formula": "500.00 × 12.40 % × 6 / 365", "interest": "1.019178"}]


def dossier(**facts: Any) -> Dossier:
    items = [
        Item("F1", "2026-08-01", "2026-09-01", "500.00", "500.00", "1.02", "40.00", SHEET,
             [Document("invoice", "application/pdf", b"%PDF-1"), Document("delivery_note", "text/xml", b"<n/>")]),
        Item("../F2 <b>", "2026-08-01", "2026-09-01", "70.00", "70.00", "0.00", "40.00"),
    ]  # fmt: skip
    told: dict[str, Any] = {"items": items, "notices": [NOTICE]} | facts
    return Dossier("fr", {"file_id": "r1"}, "Moi SA", "Eux <script>", "EUR", "651.02", **told)


@pytest.fixture
def seal() -> Seal:
    return Seal(Settings.from_env({"RELANCE_ENVIRONMENT": "development"}))


def opened(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_piece_of_the_zip_stands_in_the_manifest_with_its_hash(seal: Seal) -> None:
    held = opened(sealed(dossier(), seal.sign, seal.public)[0])
    listed = {each["name"]: each["sha256"] for each in json.loads(held["manifest.json"])["files"]}
    beside = {"manifest.json", "manifest.sig", "seal-key.txt"}
    assert listed == {name: hashlib.sha256(data).hexdigest() for name, data in held.items() if name not in beside}
    assert held["invoices/001-F1/01-invoice.pdf"] == b"%PDF-1"
    assert held["notices/001-2026-10-02-formal.html"] == b"<p>Payez.</p>"
    assert b"1.019178" in held["interest/001-F1.csv"]


def test_the_seal_opens_with_the_key_beside_it_and_breaks_with_one_byte_changed(seal: Seal) -> None:
    held = opened(sealed(dossier(), seal.sign, seal.public)[0])
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(held["seal-key.txt"]))
    signature = base64.b64decode(held["manifest.sig"])
    key.verify(signature, held["manifest.json"])
    with pytest.raises(InvalidSignature):
        key.verify(signature, held["manifest.json"].replace(b"F1", b"F3", 1))


def test_the_same_contents_make_the_same_bytes(seal: Seal) -> None:
    first, second = (sealed(dossier(), seal.sign, seal.public) for _ in range(2))
    assert first == second
    assert sealed(dossier(notices=[]), seal.sign, seal.public)[0] != first[0]


def test_no_name_or_cell_from_outside_is_taken_at_its_word() -> None:
    held = files(dossier())
    assert all(".." not in name and " " not in name for name in held)
    rows = list(csv.DictReader(io.StringIO(held["deliveries.csv"].decode("utf-8-sig")), delimiter=";"))
    assert rows[0]["recipient"] == "'=cmd()@x.test"
    index = held["index.html"].decode()
    assert "<script>" not in index and "&lt;script&gt;" in index


def test_the_index_leads_to_every_piece_and_says_what_is_missing() -> None:
    held = files(dossier())
    index = held["index.html"].decode()
    assert all(f'href="{name}"' in index for name in held if name != "index.html")
    assert missing(dossier()) == [
        ("F1", "order"),
        ("../F2 <b>", "invoice"),
        ("../F2 <b>", "order"),
        ("../F2 <b>", "delivery"),
        ("../F2 <b>", "formal_notice"),
    ]
    assert "aucune mise en demeure envoyée" in index


def test_a_court_is_worth_it_when_more_is_to_be_expected_than_it_costs() -> None:
    claim = Claim(principal=100_000, interest=2_000, lump_sums=8_000)
    found = worth(claim, 60, 30_000, Decimal(10))
    assert (found.claim.total, found.expected, found.fee, found.net, found.pays) == (
        110_000,
        66_000,
        6_600,
        29_400,
        True,
    )
    assert found.breaks_even_at == 31  # 31 % of 110,000 less a tenth is 30,690
    poor = worth(claim, 30, 30_000, Decimal(10))
    assert (poor.net, poor.pays) == (-300, False)
    assert worth(Claim(1_000, 0, 0), 100, 1_000, Decimal(0)).breaks_even_at is None


@pytest.mark.parametrize(
    ("state", "next_ones"),
    [
        ("prepared", {"handed_over", "dropped"}),
        ("handed_over", {"judicial", "collected", "returned"}),
        ("judicial", {"collected", "returned"}),
        ("collected", set()),
        ("returned", set()),
        ("dropped", set()),
    ],
)
def test_a_file_goes_its_course_and_an_end_is_an_end(state: str, next_ones: set[str]) -> None:
    every = ("prepared", "handed_over", "judicial", "collected", "returned", "dropped")
    assert {wanted for wanted in every if may_become(state, wanted)} == next_ones
