"""`relance policy` against the scheduler: a file comes in, is looked over, approved by two, played, moved."""

import json
from pathlib import Path
from typing import Any

from tests.integration.scheduler.conftest import Relance
from tests.integration.scheduler.test_doors import STANDARD
from tests.integration.scheduler.world import World


async def told(relance: Relance, *words: str, by: str = "ada") -> Any:
    result = await relance(*words, "--json", by=by)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return json.loads(result.stdout)


async def test_a_file_goes_from_import_to_active_by_two_people(relance: Relance, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(STANDARD.replace("name: standard", "name: mine").replace("offset: 10\n", "offset: 5\n"))
    looked = await relance("lint", str(file))
    assert looked.exit_code == 1
    assert "gap_too_short" in looked.stdout
    assert "écart" in (await relance("lint", str(file), "--fr")).stdout
    file.write_text(STANDARD.replace("name: standard", "name: mine").replace("offset: 10\n", "offset: 12\n"))
    assert (await told(relance, "lint", str(file)))["clean"]
    assert "mine@1 is a draft" in (await relance("import", str(file))).stdout
    await told(relance, "check", "mine@1")
    assert (await relance("approve", "mine@1", "--why", "mine")).exit_code == 1
    await told(relance, "approve", "mine@1", "--why", "read it", by="bob")
    assert (await told(relance, "activate", "mine@1", "--why", "from today"))["state"] == "active"
    changes = await told(relance, "diff", "standard", "mine")
    assert {each["place"] for each in changes} == {"name", "steps.firm.offset"}
    out = tmp_path / "out.yaml"
    assert (await relance("export", "mine", "--to", str(out))).exit_code == 0
    assert (await told(relance, "import", str(out)))["number"] == 2
    states = {(each["name"], each["number"]): each["state"] for each in await told(relance, "list")}
    assert (states["mine", 1], states["mine", 2]) == ("active", "draft")
    assert "from today" in (await relance("show", "mine")).stdout
    assert "properties" in json.loads((await relance("schema")).stdout)
    assert (await told(relance, "retire", "mine@2", "--why", "a copy"))["state"] == "retired"


async def test_who_follows_what_is_told_and_taken_back(relance: Relance) -> None:
    words = ("assign", "slow", "--why", "late since spring", "--until", "2027-06-30", "--segment", "late")
    made = await told(relance, *words, "--when", "profile.name = 'slow'")
    assert [each["assignment_id"] for each in await told(relance, "assignments")] == [made["assignment_id"]]
    await told(relance, "unassign", made["assignment_id"], "--why", "they pay again")
    assert await told(relance, "assignments") == []
    assert len(await told(relance, "assignments", "--all")) == 1
    wrong = await relance(*words, "--when", "profile.name = 'slwo'")
    assert wrong.exit_code == 1
    assert "column 16" in str(wrong.exception)


async def test_a_version_is_simulated_into_a_table(world: World, relance: Relance, tmp_path: Path) -> None:
    await world.tell(world.issued("F1", world.clock.now().date()))
    out = tmp_path / "contacts.csv"
    days = ("--from", "2026-09-01", "--to", "2026-10-31")
    found = await told(relance, "simulate", "slow", *days, "--against", "standard", "--out", str(out))
    assert (found["cases"], found["compared_with"], found["most_in_30_days"]) == (1, "version", 4)
    assert found["here"] > 0
    assert out.read_text().count("\n") == len(found["contacts"]) + 1
    assert "by_step" in (await relance("simulate", "slow", *days)).stdout
    totals = await told(relance, "simulate", "slow", *days, "--totals")
    assert (totals["cases"], totals["notices"] > 0, "contacts" in totals) == (1, True, False)
    assert (await relance("simulate", "slow", *days, "--totals", "--against", "standard")).exit_code == 2
    moved = await told(relance, "migrate", "slow", "--from", "standard", "--why", "slower")
    assert (moved["count"], moved["dry_run"]) == (0, True)
    assert [each["profile"] for each in await told(relance, "profiles")] == ["regular"]
