"""What the scheduler answers about credit control, insurance, proceedings and recovery files: one line of each."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx

from libs.common.ids import uuid7
from tests.integration.console.owners import Owners, refusal
from tests.integration.console.test_charges_sheet import euros

AT = "2026-11-20T09:00:00Z"
FILE = str(uuid7())
MESSAGE, ENDPOINT, PROCEEDINGS, POLICY, BLOCK = (str(uuid7()) for _ in range(5))


def account(payer: UUID, **facts: Any) -> dict[str, Any]:
    figure = {
        "exposure": euros("1250.00"), "not_due": euros("250.00"), "overdue": euros("1000.00"),
        "on_account": euros("0.00"), "limit": euros("1000.00"), "available": euros("-250.00"), "used_percent": 125,
        "over": True,
    }  # fmt: skip
    return {
        "payer_id": str(payer), "entity_id": str(uuid7()), "external_id": "C-1", "figures": [figure], "blocked": True,
        "blocked_since": AT, "blocked_why": "Trois impayés <b>", "advice": None,
    } | facts  # fmt: skip


def block(payer: UUID, **facts: Any) -> dict[str, Any]:
    return {
        "block_id": BLOCK, "payer_id": str(payer), "entity_id": str(uuid7()), "act": "block", "state": "requested",
        "reason": "Limite dépassée", "figures": account(payer)["figures"], "requested_by": "user:x",
        "requested_at": AT, "decided_by": None, "decided_at": None, "why": "",
    } | facts  # fmt: skip


def limit(payer: UUID, **facts: Any) -> dict[str, Any]:
    return {
        "limit_id": str(uuid7()), "payer_id": str(payer), "amount": euros("1000.00"), "valid_from": "2026-01-01",
        "valid_until": None, "reason": "Note 7", "entered_by": "user:x", "entered_at": AT, "approved_by": None,
        "approved_at": None, "withdrawn_by": None, "withdrawn_at": None, "why": "", "state": "entered",
    } | facts  # fmt: skip


def write_off(payer: UUID, item: UUID) -> dict[str, Any]:
    return {
        "proposal_id": str(uuid7()), "item_id": str(item), "payer_id": str(payer), "amount": euros("80.00"),
        "reason": "commercial", "note": "Geste", "proposed_by": "user:x", "proposed_at": AT, "decided_by": None,
        "decided_at": None, "why": "", "state": "proposed",
    }  # fmt: skip


def deadline(payer: UUID, item: UUID) -> dict[str, Any]:
    return {
        "item_id": str(item), "payer_id": str(payer), "number": "F-77", "owed": euros("500.00"),
        "due_date": "2026-09-01", "policy": "Police 77", "insurer": "Assur", "extend_to": "2026-10-31",
        "declare_by": "2026-11-30", "act_by": "2026-11-30", "hand_over_by": "2026-11-20", "days_left": 7, "stage": 10,
        "declared_on": None, "late": False, "reference": None, "claim_by": None,
    }  # fmt: skip


def declaration(payer: UUID, item: UUID, **facts: Any) -> dict[str, Any]:
    said = {
        "answer_id": str(uuid7()), "outcome": "accepted", "answered_on": "2026-11-18", "amount": euros("450.00"),
        "reference": "ACC-1", "note": "90 %", "author": "user:x", "recorded_at": AT,
    }  # fmt: skip
    return {
        "item_id": str(item), "payer_id": str(payer), "entity_id": str(uuid7()), "number": "F-78",
        "due_date": "2026-08-01", "amount": euros("500.00"), "owed": euros("500.00"), "insurer": "Assur",
        "policy": "Police 77", "declared_on": "2026-11-10", "declare_by": "2026-10-30", "late": True,
        "claim_by": None, "reference": "DI-9", "author": "user:x", "recorded_at": AT, "outcome": "accepted",
        "indemnified": euros("0.00"), "answers": [said],
    } | facts  # fmt: skip


def proceedings(payer: UUID) -> dict[str, Any]:
    return {
        "insolvency_id": PROCEEDINGS, "payer_id": str(payer), "kind": "receivership", "judgment_on": "2026-09-08",
        "published_on": "2026-09-15", "file_by": "2026-11-15", "place": "mainland", "trustee": "Me Durand",
        "filed_on": None, "filing_reference": "", "author": "user:x", "recorded_at": AT, "ended_on": None,
    }  # fmt: skip


def message() -> dict[str, Any]:
    tried = {"number": 1, "at": AT, "status": 500, "error": None, "milliseconds": 40}
    return {
        "message_id": MESSAGE, "endpoint_id": ENDPOINT, "kind": "credit.blocked", "subject_id": BLOCK, "body": "{}",
        "state": "given_up", "queued_at": AT, "ended_at": AT, "attempts": [tried],
    }  # fmt: skip


def file_of(payer: UUID, **facts: Any) -> dict[str, Any]:
    return {
        "file_id": FILE, "payer_id": str(payer), "entity_id": str(uuid7()), "case_id": str(uuid7()),
        "currency": "EUR", "reason": "45 jours", "author": "user:x", "prepared_at": AT, "state": "prepared",
        "handed_to": "", "handed_kind": None, "handed_by": "", "handed_at": None, "ended_at": None, "sha256": None,
    } | facts  # fmt: skip


def whole(payer: UUID, item: UUID, **facts: Any) -> dict[str, Any]:
    one = {"item_id": str(item), "number": "F-77", "due_date": "2026-09-01", "owed_then": euros("500.00")}
    step = {"was": "", "became": "prepared", "by": "user:x", "at": AT, "why": "45 jours", "on_day": None}
    sums = {"principal": euros("500.00"), "interest": euros("12.00"), "lump_sums": euros("40.00")}
    more = {"items": [one | {"owed_now": euros("500.00")}], "steps": [step], "figures": None}
    return file_of(payer, **facts) | sums | {"total": euros("552.00")} | more


WORTH = {
    "total": euros("552.00"), "chance_percent": 10, "cost": euros("300.00"), "fee_percent": "10",
    "expected": euros("55.20"), "fee": euros("5.52"), "net": "-250.32", "pays": False, "breaks_even_at": 61,
}  # fmt: skip


def paged(played: Owners, path: str, lines: Sequence[Any]) -> None:
    played.says["GET", path] = {"items": list(lines), "next": None}


def filled(played: Owners, payer: UUID, item: UUID) -> None:
    """Every list has a line, about this payer and item."""
    told = account(payer)
    paged(played, "/v1/credit/accounts", [told])
    played.says["GET", f"/v1/credit/accounts/{payer}"] = told
    paged(played, "/v1/credit/limits", [limit(payer)])
    paged(played, "/v1/credit/blocks", [block(payer)])
    paged(played, "/v1/credit/write-offs", [write_off(payer, item)])
    paged(played, "/v1/credit/deadlines", [deadline(payer, item)])
    paged(played, "/v1/credit/declarations", [declaration(payer, item)])
    paged(played, "/v1/credit/insolvencies", [proceedings(payer)])
    paged(played, "/v1/credit/messages", [message()])
    _endpoints_and_policies(played, payer)
    played.says["GET", "/v1/credit/undecided"] = {"count": 3, "by_others": 3}
    paged(played, "/v1/recovery-files", [file_of(payer)])
    ripe = {"entity_id": str(uuid7()), "payer_id": str(payer), "currency": "EUR", "item_ids": [str(item)]}
    played.says["GET", "/v1/recovery-files/proposals"] = {"items": [ripe | {"by": "2026-11-20", "why": "insurer"}]}
    played.says["GET", f"/v1/recovery-files/{FILE}"] = whole(payer, item)
    held = {"pieces": [{"name": "index.html", "size": 3000}], "missing": [{"number": "F-77", "what": "delivery"}]}
    played.says["GET", f"/v1/recovery-files/{FILE}/check"] = held
    played.says["POST", f"/v1/recovery-files/{FILE}/worth"] = WORTH


def _endpoints_and_policies(played: Owners, payer: UUID) -> None:
    url = {"endpoint_id": ENDPOINT, "entity_id": None, "url": "https://erp.example.com/r", "author": "user:x"}
    played.says["GET", "/v1/credit/endpoints"] = {"items": [url | {"opened_at": AT, "closed": False}]}
    policy = {"terms_id": POLICY, "name": "Police 77", "insurer": "Assur", "number": 1, "extension_days": 60,
              "declaration_days": 90, "counts_from": "due_date", "claim_days": None, "alarm_days": [10]}  # fmt: skip
    played.says["GET", "/v1/credit/insurers"] = {"items": [policy]}
    common = {"payer_id": str(payer), "reference": "R-1", "author": "user:x"}
    cover = {"terms_id": POLICY, "amount": euros("9000.00"), "valid_from": "2026-01-01", "valid_until": None}
    played.says["GET", "/v1/credit/covers"] = lambda one: httpx.Response(200, json=[common | cover])
    given = {"item_ids": [], "extended_to": "2026-12-01", "given_on": "2026-11-01"}
    played.says["GET", "/v1/credit/consents"] = lambda one: httpx.Response(200, json=[common | given])


def empty(played: Owners, payer: UUID) -> None:
    """Nothing anywhere."""
    for path in ("accounts", "limits", "blocks", "write-offs", "deadlines", "declarations", "insolvencies", "messages"):
        paged(played, f"/v1/credit/{path}", [])
    played.says["GET", "/v1/credit/undecided"] = {"count": 0, "by_others": 0}
    for path in ("endpoints", "insurers"):
        played.says["GET", f"/v1/credit/{path}"] = {"items": []}
    for path in ("covers", "consents"):
        played.says["GET", f"/v1/credit/{path}"] = lambda one: httpx.Response(200, json=[])
    calm = {"figures": [], "blocked": False, "blocked_since": None, "blocked_why": None}
    played.says["GET", f"/v1/credit/accounts/{payer}"] = account(payer, **calm)
    paged(played, "/v1/recovery-files", [])
    played.says["GET", "/v1/recovery-files/proposals"] = {"items": []}


def away(played: Owners) -> None:
    """The scheduler answers nothing."""
    for path in ("/v1/credit/*", "/v1/recovery-files*"):
        played.says["GET", path] = refusal(503, "unavailable")
