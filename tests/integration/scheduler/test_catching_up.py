"""After an outage, with a policy that spreads: so many late reminders a day, the rest on the days after."""

from datetime import date, timedelta

import httpx

from libs.common.settings import Settings
from tests.integration.scheduler.test_doors import STANDARD, got, posted
from tests.integration.scheduler.versions import activated
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)


async def test_what_an_outage_left_behind_is_spread_over_the_days_after(
    world: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    text = STANDARD.replace("    offset: 2\n", "    offset: 2\n    catch_up: spread\n") + "spread: {per_day: 4}\n"
    draft = await posted(doors, "/v1/policies", {"yaml": text})
    await activated(doors, draft, world, settings)
    names = [f"D{n}" for n in range(10)]
    await world.tell(*(world.debtor_changed(name) for name in names))
    await world.tell(*(world.issued(f"F{name}", DUE, debtor=name) for name in names))
    timely = DUE + timedelta(days=26)
    await world.tell(world.issued("FA", timely))
    late = await world.day(date(2026, 9, 29))
    assert sorted(due.step_key for due in late) == ["friendly"] * 5
    assert "FA" in [line.number for due in late for line in due.lines]
    silent = next(name for name in names if world.debtor(name) not in {due.payer_id for due in late})
    told = await got(doors, f"/v1/items/{world.item(f'F{silent}')}/explain")
    assert [reason["code"] for reason in told["reasons"]] == ["spread_out"]
    assert await world.sweep() == []
    assert [len(await world.day(date(2026, 9, 30))), len(await world.day(date(2026, 10, 1)))] == [4, 2]
