"""The torture in small, on every run: stops race with sends, and a sender dies at each of its named points.

`make torture` does the same at full size and kills everything else too.
"""

import time
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from random import Random

from prometheus_client.parser import text_string_to_metric_families

from libs.common.permits import GRANTERS, boottime
from tests.support import eventually
from tests.support.world import PARIS, World, is_thanks, working
from tests.torture import evidence
from tests.torture.stops import COMMANDS, Race, Seen, Target, targets, wrongs

DEBTORS = 80
SETTLED = 60.0
HEALED = 150.0


async def _due_today(world: World, prefix: str, count: int, dice: Random) -> list[Target]:
    """So many debtors whose friendly reminder leaves from now on."""
    due = working(world.today + timedelta(days=12))
    found = await targets(world, prefix, count, due, dice)
    await world.office.settled(SETTLED)
    world.clock.move_to(datetime.combine(working(due + timedelta(2)), clock_time(9, 30), PARIS).astimezone(UTC))
    return found


async def test_no_mail_arrives_after_the_answer_of_what_stopped_it(world: World) -> None:
    dice = Random(7)
    among = await _due_today(world, "RACE", DEBTORS, dice)
    race = Race(world, dice, lambda: len(world.mails()))
    chosen = dice.sample(among, DEBTORS // 2)
    await race.run(chosen, DEBTORS // 3)
    await world.office.settled(SETTLED)
    assert {change.kind for one in among for change in one.changes} == set(COMMANDS)
    assert wrongs(_seen(world), among) == []
    assert len(world.mails()) >= DEBTORS // 2
    assert await _longest_wait(world) <= 3.5


def _seen(world: World) -> list[Seen]:
    """The reminders that arrived, by the catcher's clock brought to that of the permits."""
    since_boot = time.time() - boottime()
    found = []
    for one in world.living.mailbox.all():
        mail = world.living.mailbox.message(one.number)
        if world.mark in one.recipients[0] and not is_thanks(mail):
            at = datetime.fromisoformat(one.received_at).timestamp() - since_boot
            found.append(Seen(at, one.recipients[0], mail))
    return found


async def _longest_wait(world: World) -> float:
    """The bound under which every stop of the three services waited."""
    longest = 0.0
    for service in GRANTERS:
        page = await world.office.client.get(world.living.settings.urls[service] + "/metrics")
        for family in text_string_to_metric_families(page.text):
            if family.name == "relance_stop_wait_seconds":
                counts = {float(one.labels["le"]): one.value for one in family.samples if "le" in one.labels}
                longest = max(longest, min(le for le, many in counts.items() if many == max(counts.values())))
    return longest


async def test_a_sender_that_dies_sends_nothing_twice_and_forgets_nothing(world: World) -> None:
    stack, tenant = world.living, world.office.tenant
    points = ("dispatch.on_wire", "dispatch.dotted")
    for point in points:
        stack.arm(point)
    among = await _due_today(world, "DIES", DEBTORS // 2, Random(8))
    await eventually(lambda: all(stack.fired(point) for point in points), HEALED)
    # What a dead sender had claimed and not begun is claimed anew after a minute.
    await eventually(lambda: _at_rest(world), HEALED, every=0.5)
    await world.office.settled(HEALED)
    records = await evidence.topics(stack.settings, tenant)
    evidence.told_once([one.invoice for one in among], records)
    evidence.ended_once(records)
    await evidence.mailed_once(stack, tenant, world.mark)
    doubts = await evidence.doubtful(stack, tenant)
    assert len(world.mails()) >= len(among) - doubts, "what had not begun has left since"


async def _at_rest(world: World) -> bool:
    query = "select 1 from notifier.delivery where tenant_id = :t and state in ('ready', 'on_wire') limit 1"
    return not await evidence.asked(world.living.settings, query, t=world.office.tenant)
