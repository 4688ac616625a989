"""`relance credit` and `relance recovery`, through the doors: a table of limits, requests, deadlines, a file."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from libs.common.cli import credit, recovery
from libs.common.errors import Refused
from tests.integration.scheduler.conftest import Relance
from tests.integration.scheduler.test_credit import insured
from tests.integration.scheduler.test_doors import posted
from tests.integration.scheduler.world import World

HEAD = "payer_id;amount;currency;valid_from;reason\n"


async def told(relance: Relance, *words: str, by: str = "ada", of: Any = credit.app) -> Any:
    answer = await relance(*words, "--json", by=by, of=of)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


@pytest.fixture
def table(owing: World, tmp_path: Path) -> Path:
    file = tmp_path / "limits.csv"
    file.write_text(f"{HEAD}{owing.debtor('A')};800.00;EUR;2026-09-01;Rating\n")
    return file


async def test_a_table_of_limits_is_entered_once_and_says_what_it_refuses(table: Path, relance: Relance) -> None:
    assert [each["result"] for each in await told(relance, "limits", "import", str(table))] == ["entered"]
    assert [each["result"] for each in await told(relance, "limits", "import", str(table))] == ["unchanged"]
    assert [each["state"] for each in await told(relance, "limits", "list")] == ["entered"]
    wrongly(table)
    wrong = await relance("limits", "import", str(table), of=credit.app)
    assert (wrong.exit_code, "0 entered, 0 known, 1 refused" in wrong.stdout) == (1, True)
    assert "line 2, amount" in wrong.stderr


def wrongly(table: Path) -> None:
    """The same table with an amount that is none."""
    table.write_text(table.read_text().replace("800.00", "lots"))


@pytest.mark.parametrize("head", ["amount;currency;valid_from;reason", "customer;amount", f"{HEAD.strip()};more"])
def test_a_table_without_the_columns_of_limits_is_refused_with_them(head: str, tmp_path: Path) -> None:
    file = tmp_path / "limits.csv"
    file.write_text(head + "\n")
    with pytest.raises(Refused) as refused:
        credit.read(file)
    assert "customer or payer_id" in refused.value.remedy_text


def test_a_table_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "limits.csv"
    file.write_bytes("reason;é".encode("latin-1"))
    with pytest.raises(Refused, match="UTF-8"):
        credit.read(file)


async def test_what_waits_is_decided_by_a_second_person(table: Path, owing: World, relance: Relance) -> None:
    await told(relance, "limits", "import", str(table))
    [waiting] = await told(relance, "requests", "list")
    assert (waiting["kind"], waiting["by"], waiting["reason"]) == ("limit", "ada", "Rating")
    words = ("requests", "decide", waiting["id"], "approve", "--why", "Rating 7")
    assert "four_eyes" in str((await relance(*words, of=credit.app)).exception)
    assert (await told(relance, *words, by="bob"))["state"] == "approved"
    assert await told(relance, "requests", "list") == []
    assert (await relance("requests", "decide", waiting["id"], "maybe", "--why", "x", of=credit.app)).exit_code == 2
    gone = await relance(*words, by="bob", of=credit.app)
    assert "waits" in str(gone.exception)
    assert "approved" in (await relance("limits", "list", of=credit.app)).stdout


async def test_a_limit_that_waits_is_rejected(table: Path, relance: Relance) -> None:
    [made] = await told(relance, "limits", "import", str(table))
    words = ("requests", "decide", made["limit_id"], "reject", "--why", "Too much")
    assert (await told(relance, *words, by="bob"))["state"] == "withdrawn"


async def test_deadlines_are_listed_and_a_near_one_ends_with_1(
    owing: World, doors: httpx.AsyncClient, relance: Relance
) -> None:
    await insured(owing, doors)
    found = [each["number"] for each in await told(relance, "deadlines")]
    assert (found[0], sorted(found)) == ("F1", ["F1", "F2", "F3"])
    assert len(await told(relance, "deadlines", "--until", "2026-11-30")) == 1
    assert (await relance("deadlines", "--fail-within", "10", of=credit.app)).exit_code == 0
    near = await relance("deadlines", "--fail-within", "90", of=credit.app)
    assert (near.exit_code, "2026-11-30" in near.stdout) == (1, True)


async def test_a_recovery_file_is_prepared_by_its_invoices_and_not_handed_over_by_the_same_person(
    owing: World, doors: httpx.AsyncClient, relance: Relance
) -> None:
    made = await told(relance, "prepare", "F1", "--why", "Ladder done", of=recovery.app)
    assert (made["state"], made["author"]) == ("prepared", "ada")
    assert [each["file_id"] for each in await told(relance, "list", of=recovery.app)] == [made["file_id"]]
    assert await told(relance, "proposals", of=recovery.app) == []
    to = ("--to", "Cabinet Martin", "--kind", "lawyer", "--why", "x")
    refused = await relance("hand-over", made["file_id"], *to, of=recovery.app)
    assert "four_eyes" in str(refused.exception)
    seen = await posted(doors, f"/v1/recovery-files/{made['file_id']}/drop", {"why": "Paid by phone"}, status=200)
    assert seen["state"] == "dropped"
