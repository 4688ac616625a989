"""The commands as somebody types them against a running stack: set up a company, send, look, take back."""

import csv
import json

import pytest

from tests.support.living import Living
from tests.support.shell import Shell, Typed

INVOICE = {
    "number": "C-1",
    "issue_date": "2026-09-01",
    "due_date": "2026-10-01",
    "totals": {"gross": {"amount": "1200.00", "currency": "EUR"}},
    "debtor": {"external_id": "BOUL", "name": "Boulangerie Martin", "country": "FR", "language": "fr"},
}


@pytest.fixture(scope="module")
async def shell(stack: Living, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A tenant and an entity of its own, made by the commands of the README."""
    found = Shell.at(stack, tmp_path_factory.mktemp("files"))
    made = await found.relance("tenant", "create", "Ma société", "--admin-email", "moi@societe.example", "--json")
    assert made.json["password"]
    await found.relance("entity", "create", "Ma société", "--sender-email", "compta@societe.example", "--json")
    return found


async def entity(shell: Shell) -> str:
    return str((await shell.relance("entity", "list", "--json")).json[0]["entity_id"])


async def test_the_state_of_the_stack_is_one_command_away(shell: Shell) -> None:
    told = await shell.relance("status")
    assert told.code == 0
    for part in ("postgres", "kafka", "console", "invoice_ingest", "scheduler", "notifier", "payment_matching"):
        assert part in told.out


async def test_a_file_of_invoices_is_taken_and_what_is_wrong_is_named_line_by_line(shell: Shell) -> None:
    owner = await entity(shell)
    wrong = INVOICE | {"number": "C-2", "totals": {"gross": {"amount": "12,5O", "currency": "EUR"}}}
    lines = "\n".join(json.dumps(one) for one in (INVOICE | {"number": "C-100"}, wrong))
    told = await shell.relance("invoices", "import", shell.file("deux.ndjson", lines), "--entity", owner, "--json")
    assert told.code == 1
    report = json.loads(told.out)
    assert report["counts"] == {"created": 1, "refused": 1}
    (error,) = report["errors"]
    assert (error["line"], error["field"]) == (2, "totals.gross")
    assert "→" in told.err, "the remedy is said"
    again = await shell.relance("invoices", "import", str(shell.folder / "deux.ndjson"), "--entity", owner, "--json")
    assert json.loads(again.out)["counts"] == {"unchanged": 1, "refused": 1}


async def test_a_table_is_tried_before_it_is_taken(shell: Shell) -> None:
    owner = await entity(shell)
    path = shell.folder / "table.csv"
    with path.open("w", newline="") as file:
        out = csv.writer(file, delimiter=";")
        out.writerow(["Pièce", "Date", "Échéance", "TTC", "Devise", "Compte", "Nom"])
        out.writerow(["C-200", "2026-09-01", "2026-10-01", "99.00", "EUR", "BOUL", "Boulangerie Martin"])
    columns = {
        "number": "Pièce",
        "issue_date": "Date",
        "due_date": "Échéance",
        "totals.gross": "TTC",
        "currency": "Devise",
    }
    columns |= {"debtor.external_id": "Compte", "debtor.name": "Nom"}
    mapping = {"columns": columns}
    words = ("invoices", "import", str(path), "--mapping", shell.file("map.json", json.dumps(mapping)))
    tried = await shell.relance(*words, "--entity", owner, "--dry-run", "--json")
    assert tried.json["counts"] == {"created": 1}, tried
    taken = await shell.relance(*words, "--entity", owner, "--json")
    assert taken.json["counts"] == {"created": 1}


async def test_a_source_signs_sends_and_changes_its_secret(shell: Shell) -> None:
    owner = await entity(shell)
    made = (await shell.relance("source", "add", "erp", "--entity", owner, "--json")).json
    body = shell.file("one.json", json.dumps(INVOICE))
    words = ("webhook", "send", body, "--source", made["source_id"], "--json")
    known = await shell.until(_taken, *words, RELANCE_WEBHOOK_SECRET=made["secret"])
    assert known.json["result"] in ("created", "unchanged")
    stranger = await shell.relance(*words, RELANCE_WEBHOOK_SECRET="whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0")
    assert stranger.code != 0
    assert "signature" in stranger.err.lower()
    rotated = (await shell.relance("source", "rotate", made["source_id"], "--json")).json
    assert rotated["secret"] != made["secret"]
    after = await shell.relance(*words, RELANCE_WEBHOOK_SECRET=rotated["secret"])
    assert after.json["result"] == "unchanged"


def _taken(told: Typed) -> bool:
    return told.code == 0


async def test_why_is_answered_by_number_and_a_number_nobody_knows_is_refused(shell: Shell) -> None:
    owner = await entity(shell)
    file = shell.file("why.ndjson", json.dumps(INVOICE | {"number": "C-300"}))
    await shell.relance("invoices", "import", file, "--entity", owner)
    told = await shell.until(_taken, "explain", "C-300", "--fr")
    assert "C-300" in told.out
    unknown = await shell.relance("explain", "C-999")
    assert unknown.code != 0
    assert "C-999" in unknown.err


async def test_a_revoked_key_opens_nothing(shell: Shell) -> None:
    issued = (await shell.relance("apikey", "issue", "ERP", "--scope", "invoices:read", "--json")).json
    mine = {"RELANCE_API_KEY": issued["token"]}
    file = shell.file("not.ndjson", json.dumps(INVOICE | {"number": "C-400"}))
    refused = await shell.until(_forbidden, "invoices", "import", file, **mine)
    assert "invoices:write" in refused.err
    revoked = await shell.relance("apikey", "revoke", issued["key_id"], "--json")
    assert revoked.code == 0
    gone = await shell.relance("invoices", "import", file, **mine)
    assert gone.code != 0
    assert "C-400" not in gone.out


def _forbidden(told: Typed) -> bool:
    return "scope" in told.err or "invoices:write" in told.err


async def test_nothing_lies_dead_and_every_consumer_hears(shell: Shell) -> None:
    assert (await shell.relance("dead-letters", "list", "--json")).json == []
    told = (await shell.relance("consumers", "status", "--json")).json
    assert told


async def test_the_clock_that_the_play_moves_is_shown(shell: Shell) -> None:
    shown = (await shell.relance("clock", "show", "--json")).json
    assert shown["now"]
