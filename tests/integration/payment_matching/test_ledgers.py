"""The ERP's ledger and ours agree: its lists settle what it no longer has, and what differs holds reminders."""

import json
from dataclasses import replace
from typing import Any

import pytest

from libs.common.ids import uuid7
from tests.integration.payment_matching.till import Till, eur

PATH = "/v1/open-items/snapshots"


async def _books(till: Till, master: str = "erp", tolerance: int = 0, items: int = 6) -> None:
    """Invoices of 100.00 each for C1, and who says what is settled."""
    facts = {"version": 2, "directory_version": 2, "settlement_master": master, "ledger_tolerance": tolerance}
    await till.hear(till.entity_configured(till.entity).model_copy(update=facts))
    await till.hear(till.customer("C1"), *(till.issued(f"FA-{n}", "C1", 10_000) for n in range(items)))
    await till.settle()


def _line(number: str, cents: int, **facts: Any) -> dict[str, Any]:
    return {"number": number, "residual": eur(cents), "debtor": "C1"} | facts


def _list(lines: list[dict[str, Any]], **facts: Any) -> dict[str, Any]:
    total = sum(int(line["residual"]["amount"].replace(".", "")) for line in lines)
    return {"as_of": "2026-11-19", "count": len(lines), "sum": [eur(total)], "items": lines} | facts


async def _take(till: Till, *numbers: str, **facts: Any) -> Any:
    return await till.post(PATH, _list([_line(number, 10_000) for number in numbers], **facts))


async def test_what_the_erp_no_longer_lists_is_settled_and_agrees_the_next_time(till: Till) -> None:
    await _books(till)
    found = await _take(till, "FA-0", "FA-1", "FA-2", "FA-3", "FA-4")
    assert (found["result"], found["snapshot"]["settled"], found["snapshot"]["agreed"]) == ("taken", 1, 5)
    assert await till.owed("FA-5") == 0
    settled = (await till.events("InvoiceSettled"))[-1]
    assert (settled["by"], settled["write_offs"][0]["kind"]) == ("write_off", "erp")
    assert not found["snapshot"]["held"]
    again = await _take(till, "FA-0", "FA-1", "FA-2", "FA-3", "FA-4", as_of="2026-11-20")
    assert (again["snapshot"]["agreed"], again["snapshot"]["differences"]) == (5, [])
    await till.balanced()


async def test_what_the_erp_lists_again_is_owed_again(till: Till) -> None:
    await _books(till)
    await _take(till, "FA-0", "FA-1", "FA-2", "FA-3", "FA-4")
    found = await _take(till, *(f"FA-{n}" for n in range(6)), as_of="2026-11-20")
    assert (found["snapshot"]["settled"], await till.owed("FA-5")) == (1, 10_000)
    assert (await till.events("InvoiceReopened"))[-1]["write_offs"][0]["kind"] == "erp"
    await till.balanced()


async def test_too_many_gone_at_once_wait_for_a_person_and_reminders_wait_too(till: Till) -> None:
    await _books(till)
    assert await till.permit("FA-0", "C1", 10_000, "pre_due") != ("no", "ledger_differs")
    found = await _take(till, "FA-0", "FA-1")
    assert (found["result"], found["snapshot"]["why"]) == ("waiting", ["too_many_vanished"])
    assert (await till.owed("FA-5"), found["snapshot"]["held"]) == (10_000, True)
    assert await till.permit("FA-0", "C1", 10_000, "pre_due") == ("no", "ledger_differs")
    feed = (await till.events("FeedAdvanced"))[-1]
    assert (feed["required"], feed["unreadable"]) == (True, True)
    done = await till.post(f"{PATH}/{found['snapshot']['snapshot_id']}/accept", None)
    assert (done["state"], done["settled"], done["held"], await till.owed("FA-5")) == ("accepted", 4, False, 0)
    assert await till.permit("FA-0", "C1", 10_000, "pre_due") != ("no", "ledger_differs")
    assert (await till.events("FeedAdvanced"))[-1]["required"] is False
    await till.post(f"{PATH}/{found['snapshot']['snapshot_id']}/accept", None, 409)
    await till.balanced()


async def test_wrong_totals_settle_nothing_and_a_rejected_list_is_forgotten(till: Till) -> None:
    await _books(till)
    found = await _take(till, *(f"FA-{n}" for n in range(5)), count=6)
    assert (found["result"], found["snapshot"]["why"], await till.owed("FA-5")) == (
        "waiting",
        ["count_differs"],
        10_000,
    )
    done = await till.post(f"{PATH}/{found['snapshot']['snapshot_id']}/reject", None)
    assert (done["state"], await till.owed("FA-5")) == ("rejected", 10_000)


async def test_a_difference_beyond_the_tolerance_holds_and_within_it_does_not(till: Till) -> None:
    await _books(till, tolerance=1)
    lines = [_line(f"FA-{n}", 10_000) for n in range(5)]
    found = await till.post(PATH, _list([*lines, _line("FA-5", 9_900)]))
    assert (found["result"], found["snapshot"]["held"]) == ("taken", False)
    found = await till.post(PATH, _list([*lines, _line("FA-5", 9_899)]))
    assert found["snapshot"]["held"] is True
    told = await till.get(f"{PATH}/{found['snapshot']['snapshot_id']}/differences")
    assert [(one["kind"], one["ours"], one["theirs"]) for one in told["differences"]] == [
        ("amount", eur(10_000), eur(9_899))
    ]


async def test_the_same_list_changes_nothing_and_an_older_one_is_stale(till: Till) -> None:
    await _books(till)
    numbers = [f"FA-{n}" for n in range(6)]
    first = await _take(till, *numbers)
    again = await _take(till, *numbers)
    assert (again["result"], again["snapshot"]["snapshot_id"]) == ("unchanged", first["snapshot"]["snapshot_id"])
    assert (await _take(till, *numbers, as_of="2026-11-01"))["result"] == "stale"
    await till.post(PATH, _list([], as_of="2026-12-01"), 422)


async def test_with_our_ledger_as_master_nothing_is_settled_and_the_missing_one_is_listed(till: Till) -> None:
    await _books(till, master="relance")
    found = await _take(till, *(f"FA-{n}" for n in range(5)))
    assert (found["snapshot"]["settled"], found["snapshot"]["held"], await till.owed("FA-5")) == (0, True, 10_000)
    assert [(one["kind"], one["count"]) for one in found["snapshot"]["differences"]] == [("missing", 1)]


async def test_lines_are_exported_acknowledged_and_undone_and_unbooked_money_is_no_difference(till: Till) -> None:
    await _books(till, master="relance")
    payment = await till.pay("P1", 10_000, "FA-0", debtor="C1")
    line = (await till.get("/v1/settlements"))["settlements"]
    assert [(one["act"], one["kind"], one["payment"], one["number"]) for one in line] == [
        ("book", "payment", "P1", "FA-0")
    ]
    found = await _take(till, *(f"FA-{n}" for n in range(6)))
    assert [one["kind"] for one in found["snapshot"]["differences"]] == ["ahead"]
    assert found["snapshot"]["held"] is False
    told = {
        "lines": [{"line_id": line[0]["line_id"], "result": "booked"}, {"line_id": str(uuid7()), "result": "booked"}]
    }
    done = await till.post("/v1/settlements/acknowledgements", told)
    assert [one["result"] for one in done["results"]] == ["acknowledged", "unknown"]
    assert (await till.get("/v1/settlements"))["settlements"] == []
    await till.delete(f"/v1/payments/{payment}/allocations/{line[0]['line_id']}")
    undo = (await till.get("/v1/settlements"))["settlements"]
    assert [(one["act"], one["line_id"]) for one in undo] == [("undo", line[0]["line_id"])]
    told = {"lines": [{"line_id": line[0]["line_id"], "act": "undo", "result": "booked"}]}
    assert (await till.post("/v1/settlements/acknowledgements", told))["counts"] == {"acknowledged": 1}
    assert (await till.get("/v1/settlements"))["settlements"] == []


async def test_a_line_taken_back_before_anybody_booked_it_is_not_exported(till: Till) -> None:
    await _books(till, master="relance")
    payment = await till.pay("P1", 10_000, "FA-0", debtor="C1")
    line = (await till.get("/v1/settlements"))["settlements"][0]["line_id"]
    await till.delete(f"/v1/payments/{payment}/allocations/{line}")
    assert (await till.get("/v1/settlements"))["settlements"] == []
    told = {"lines": [{"line_id": line, "result": "booked"}]}
    assert (await till.post("/v1/settlements/acknowledgements", told))["results"][0]["state"] == "to_undo"


async def test_an_erp_that_is_master_gets_no_lines_to_book(till: Till) -> None:
    await _books(till)
    problem = await till.get("/v1/settlements", 409)
    assert problem["code"] == "erp_is_master"


async def test_balances_tie_out_customer_by_customer_to_the_cent(till: Till) -> None:
    await _books(till, tolerance=10)
    await till.hear(till.customer("C2"), till.issued("FB-1", "C2", 5_000), till.credit("AV-1", "C2", 1_000))
    lines = [_line(f"FA-{n}", 10_000) for n in range(6)]
    lines += [_line("FB-1", 4_001, debtor="C2")]
    found = await till.post(PATH, _list(lines, control_account=[eur(64_000)]))
    balance = found["snapshot"]["balances"][0]
    assert (balance["ours"], balance["theirs"], balance["difference"]) == (eur(64_000), eur(64_001), eur(-1))
    assert (balance["control_difference"], balance["customers"], balance["customers_off"]) == (eur(0), 2, 1)
    told = await till.get(f"/v1/tie-out/{till.entity}")
    assert [(one["customer"], one["difference"]) for one in told["customers"]] == [("C2", eur(-1))]
    assert len((await till.get(f"/v1/tie-out/{till.entity}", every=True))["customers"]) == 2
    assert [one["entity_id"] for one in await till.get("/v1/tie-out")] == [str(till.entity)]
    assert len((await till.get(PATH))["snapshots"]) == 1


async def _raw(till: Till, body: str, media: str, status: int = 200, **params: Any) -> Any:
    headers = till.headers | {"content-type": media}
    answer = await till.client.post(PATH, content=body.encode(), headers=headers, params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_lists_come_as_ndjson_and_as_tables_too(till: Till) -> None:
    await _books(till, items=2)
    whole = _list([_line("FA-0", 10_000), _line("fa 1", 10_000)])
    lines = [{name: value for name, value in whole.items() if name != "items"}, *whole["items"]]
    found = await _raw(till, "\n".join(map(json.dumps, lines)), "application/x-ndjson")
    assert (found["result"], found["snapshot"]["agreed"]) == ("taken", 2)
    table = "number;debtor;residual;currency\nFA-0;C1;100,00;EUR\nFA-1;C1;100;EUR\n"
    told = {"as_of": "2026-11-20", "count": 2, "sum": "200.00 EUR"}
    found = await _raw(till, table, "text/csv", **told)
    assert (found["result"], found["snapshot"]["agreed"]) == ("taken", 2)


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ("number;residual;currency\nFA-0;ten;EUR\n", "residual"),
        ("number;residual\nFA-0;1\n", "body"),
        ("number;residual;currency;instalment\nFA-0;1;EUR;x\n", "instalment"),
    ],
)
async def test_one_line_that_cannot_be_read_refuses_the_list(till: Till, table: str, field: str) -> None:
    problem = await _raw(till, table, "text/csv", 422, as_of="2026-11-20", count=1, sum="1.00 EUR")
    assert field in problem["field"]


async def test_another_tenant_sees_neither_lists_nor_lines(till: Till, shop: Till) -> None:
    await _books(till, master="relance")
    await till.pay("P1", 10_000, "FA-0", debtor="C1")
    found = await _take(till, *(f"FA-{n}" for n in range(6)))
    line = (await till.get("/v1/settlements"))["settlements"][0]["line_id"]
    async with replace(shop).for_a_tenant() as other:
        await other.get(f"{PATH}/{found['snapshot']['snapshot_id']}", 404)
        told = {"lines": [{"line_id": line, "result": "booked"}]}
        assert (await other.post("/v1/settlements/acknowledgements", told))["counts"] == {"unknown": 1}
