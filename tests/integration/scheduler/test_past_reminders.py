"""What another system said before: levels go on where it stood; and shadow, beside what it goes on saying."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from libs.common.cli import past_reminders
from libs.common.errors import Refused
from libs.common.settings import Settings
from services.scheduler.tables import notice, occurrence, shadow_step
from tests.integration.scheduler.conftest import Relance
from tests.integration.scheduler.test_doors import STANDARD, got, posted
from tests.integration.scheduler.versions import activated
from tests.integration.scheduler.world import START, World

TODAY = START.date()
DUE = date(2026, 8, 20)
PATH = "/v1/past-reminders"


def line(number: str, sent_on: date, tone: int = 2, **facts: Any) -> dict[str, Any]:
    return {"invoice": number, "sent_on": sent_on.isoformat(), "tone": tone} | facts


async def taken(world: World, doors: httpx.AsyncClient, lines: Sequence[Any], **how: Any) -> Any:
    return await posted(doors, PATH, {"entity_id": str(world.entity), "lines": list(lines)} | how, 200)


async def explained(world: World, doors: httpx.AsyncClient, number: str) -> Any:
    return await got(doors, f"/v1/items/{world.item(number)}/explain")


async def test_the_ladder_goes_on_from_the_level_that_the_system_before_had_reached(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE, take_over=True))
    told = await taken(world, doors, [line("F1", date(2026, 8, 24))])
    assert (told["created"], told["items"][0]["item_ids"]) == (1, [str(world.item("F1"))])
    assert await world.sweep() == [], "imported history waits for a person"
    await posted(doors, "/v1/items/take-over", {"decision": "release", "filter": {}, "count": 1}, 200)
    assert [due.step_key for due in await world.sweep()] == ["firm"]
    assert (await explained(world, doors, "F1"))["level"] == 2


async def test_the_same_line_again_changes_nothing_and_a_dry_run_writes_nothing(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE), world.issued("F2", DUE))
    lines = [line("F1", date(2026, 8, 24)), line("F2", date(2026, 8, 24))]
    tried = await taken(world, doors, lines, dry_run=True)
    assert (tried["created"], await world.rows(occurrence)) == (2, [])
    await taken(world, doors, lines)
    before = await world.rows(occurrence)
    again = await taken(world, doors, lines)
    assert (again["created"], again["unchanged"], await world.rows(occurrence)) == (0, 2, before)
    assert len(await world.rows(notice)) == 1, "one message about two invoices"


async def test_what_came_back_raises_no_level(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE), world.issued("F2", DUE, debtor="A"))
    await taken(world, doors, [line("F1", date(2026, 8, 24), outcome="bounced"), line("F2", date(2026, 8, 24))])
    assert [(await explained(world, doors, number))["level"] for number in ("F1", "F2")] == [0, 2]
    back = await taken(world, doors, [line("F2", date(2026, 8, 24), outcome="bounced")])
    assert (back["items"][0]["result"], (await explained(world, doors, "F2"))["level"]) == ("bounced", 0)
    assert tuple(back[name] for name in ("created", "bounced", "unchanged", "refused")) == (0, 1, 0, 0)
    late = await taken(world, doors, [line("F2", date(2026, 8, 24))])
    assert (late["unchanged"], (await explained(world, doors, "F2"))["level"]) == (1, 0)


async def test_the_gap_counts_from_what_the_system_before_said(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", date(2026, 8, 30)))
    await taken(world, doors, [line("F1", date(2026, 8, 31))])
    assert await world.day(date(2026, 9, 2)) == []
    assert [due.step_key for due in await world.day(date(2026, 9, 9))] == ["firm"]


async def test_two_delivered_notices_of_the_past_let_a_formal_notice_be_prepared(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", date(2026, 7, 20)))
    past = [line("F1", date(2026, 7, 24)), line("F1", date(2026, 8, 3), 3), line("F1", date(2026, 8, 12), 4,
                                                                                 kind="final_notice")]  # fmt: skip
    await taken(world, doors, past)
    assert (await explained(world, doors, "F1"))["level"] == 4
    said = {due.step_key for day in range(3, 12) for due in await world.day(date(2026, 9, day))}
    assert "formal" in said and not said & {"friendly", "firm", "final"}


async def test_a_bad_line_is_named_by_field_and_remedy_and_the_others_are_taken(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("F1", DUE))
    bad = [
        line("F9", DUE), line("F1", TODAY + timedelta(days=1)), line("F1", date(2020, 1, 1)), line("F1", DUE, 9),
        {"sent_on": "2026-08-24", "tone": 2}, line("F1", DUE, what="?"), line("F1", DUE) | {"sent_on": "soon"},
    ]  # fmt: skip
    told = await taken(world, doors, [*bad, line("F1", date(2026, 8, 24))])
    assert [each["result"] for each in told["items"]] == ["refused"] * len(bad) + ["created"]
    named = [(each["line"], each["field"]) for each in told["items"][: len(bad)]]
    assert named == [(1, "invoice"), (2, "sent_on"), (3, "sent_on"), (4, "tone"), (5, None), (6, "what"),
                     (7, "sent_on")]  # fmt: skip
    assert all(each["detail"] for each in told["items"][: len(bad)])
    assert all(each["remedy"] for each in told["items"][:3])
    nobody = {"entity_id": str(world.invoice("nobody")), "lines": bad}
    assert (await doors.post(PATH, json=nobody)).status_code == 404


async def test_a_table_is_imported_and_its_bad_lines_are_named(world: World, relance: Relance, tmp_path: Path) -> None:
    await world.tell(world.issued("F1", DUE), world.issued("F2", DUE))
    file = tmp_path / "past.csv"
    file.write_text("invoice;sent_on;tone;channel\nF1;2026-08-24;2;email\nF9;2026-08-24;2;\nF2;2026-08-24;two;\n")
    entity = ("--entity", str(world.entity))
    first = await relance("import", str(file), *entity, of=past_reminders.app)
    assert (first.exit_code, first.stdout) == (1, "1 taken, 0 known, 2 refused\n")
    assert "line 3, invoice: " in first.stderr and "line 4, tone: " in first.stderr
    file.write_text("invoice,sent_on,tone\nF1,2026-08-24,2\nF2,2026-08-24,2\n")
    again = await relance("import", str(file), *entity, "--json", of=past_reminders.app)
    assert [each["result"] for each in json.loads(again.stdout)] == ["unchanged", "created"]
    assert len(await world.rows(occurrence)) == 2


@pytest.mark.parametrize("head", ["number,sent_on,tone", "invoice,tone", "invoice,sent_on,tone,colour"])
def test_a_table_without_the_right_columns_is_refused(tmp_path: Path, head: str) -> None:
    file = tmp_path / "past.csv"
    file.write_text(head + "\n")
    with pytest.raises(Refused) as refused:
        past_reminders.read(file)
    assert refused.value.field and refused.value.remedy_text


async def test_shadow_is_recorded_and_compared_with_what_really_left(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.entity_configured(mode="shadow"))
    await world.tell(*(world.debtor_changed(name) for name in ("B", "C")))
    told = (("A1", TODAY, "A"), ("B1", TODAY, "B"), ("C1", TODAY - timedelta(days=7), "C"))
    await world.tell(*(world.issued(number, due, debtor=debtor) for number, due, debtor in told))
    for day in (1, 2, 3, 6, 7):
        assert await world.day(TODAY + timedelta(days=day)) == []
    kept = {(row["step_key"], row["on_date"]) for row in await world.rows(shadow_step)}
    assert kept == {("friendly", TODAY + timedelta(days=2)), ("friendly", TODAY + timedelta(days=1))}
    past = [line("A1", TODAY + timedelta(days=3)), line("B1", TODAY + timedelta(days=2), 3)]
    await taken(world, doors, past)
    period = {"entity_id": str(world.entity), "first": "2026-09-01", "last": "2026-09-30"}
    seen = await got(doors, "/v1/shadow", **period)
    assert (seen["ours"], seen["theirs"]) == (3, 2)
    assert seen["counts"] == {"same": 1, "softer": 1, "harder": 0, "ours_only": 1, "theirs_only": 0}
    by_number = {each["number"]: (each["found"], each["days_later"]) for each in seen["items"]}
    assert by_number == {"A1": ("same", -1), "B1": ("softer", 0), "C1": ("ours_only", None)}
    page = await got(doors, "/v1/shadow", **period, limit=2)
    rest = await got(doors, "/v1/shadow", **period, limit=2, cursor=page["next"])
    assert [each["number"] for each in (*page["items"], *rest["items"])] == [e["number"] for e in seen["items"]]
    alone = await got(doors, "/v1/shadow", **period, found="ours_only")
    assert [each["number"] for each in alone["items"]] == ["C1"]
    await world.day(TODAY + timedelta(days=13))
    assert {row["step_key"] for row in await world.rows(shadow_step)} == {"friendly", "firm"}, (
        "it follows what was said"
    )


async def test_a_policy_in_shadow_sends_nothing_until_a_version_speaks(
    world: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    quiet = await posted(doors, "/v1/policies", {"policy": yaml.safe_load(STANDARD) | {"shadow": True}})
    await activated(doors, quiet, world, settings)
    await world.tell(world.issued("F1", TODAY))
    day = TODAY + timedelta(days=2)
    assert await world.day(day) == []
    assert [(row["step_key"], row["on_date"]) for row in await world.rows(shadow_step)] == [("friendly", day)]
    assert [reason["code"] for reason in (await explained(world, doors, "F1"))["reasons"]] == ["shadow", "due"]
    loud = await posted(doors, "/v1/policies", {"policy": yaml.safe_load(STANDARD)})
    await activated(doors, loud, world, settings)
    assert [due.step_key for due in await world.day(day + timedelta(days=1))] == ["friendly"]


async def test_a_simulation_of_the_past_keeps_the_gap_from_what_the_system_before_said_to_the_party(
    world: World, doors: httpx.AsyncClient
) -> None:
    other = world.debtor_changed("B", party="A")
    await world.tell(other, world.issued("F1", date(2026, 8, 30)), world.issued("G1", date(2026, 8, 30), debtor="B"))
    await taken(world, doors, [line("F1", date(2026, 8, 31))])
    world.go_to(date(2026, 9, 12))
    known = (await got(doors, "/v1/policies"))["items"]
    version = next(each["version_id"] for each in known if each["name"] == "standard")
    told = {"first": "2026-09-01", "last": "2026-09-10"}
    found = await posted(doors, f"/v1/policies/{version}/simulations", told, status=200)
    contacts = [(each["step"], each["date"], each["items"]) for each in found["contacts"]]
    assert contacts == [("friendly", "2026-09-07", ["G1"])], "five working days after the imported one of the 31st"


async def test_what_another_system_said_is_no_figure_of_ours(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("F1", DUE), world.matched("P1", 500, "F1", 0), world.settled("F1"))
    world.go_to(date(2026, 9, 12))
    await taken(world, doors, [line("F1", date(2026, 9, 10))])
    period = {"first": "2026-08-01", "last": "2026-09-12"}
    told = await got(doors, "/v1/kpis/reminders", **period)
    assert (told["reminders"], told["wrong"]) == (0, 0)
    assert (await got(doors, "/v1/kpis/steps", **period))["figures"] == []
