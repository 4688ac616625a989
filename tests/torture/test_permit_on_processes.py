"""The permit on real processes: whatever stops a mail is accepted at random moments around a thousand sends.

Protects: no DATA begins after the 2xx that stopped it, no mail states an amount that is no longer owed, and no stop
waits longer than 3.5 s, also when the sender dies in the midst of it.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from random import Random

import pytest
from prometheus_client.parser import text_string_to_metric_families

from libs.common.permits import GRANTERS, STOP_SECONDS
from tests.support import eventually
from tests.support.living import living
from tests.support.smtp import MailSink
from tests.support.world import World, is_thanks, morning, text_of, working
from tests.torture import evidence
from tests.torture.stops import COMMANDS, Race, Seen, Target, asked_for, targets, wrongs

SEED = 20261122
DEBTORS = 800
SETTLED = 180.0


@pytest.fixture(scope="module")
async def sink() -> AsyncIterator[MailSink]:
    """The mail server: it notes the instant of every DATA command. The stack's own catcher gets nothing."""
    found = await MailSink(host="127.0.0.2").start()
    yield found
    await found.stop()


@pytest.fixture(scope="module")
async def world(sink: MailSink) -> AsyncIterator[World]:
    """A company on a stack of this file's own, which sends through the sink."""
    with living(RELANCE_SMTP_HOST=sink.host, RELANCE_SMTP_PORT=str(sink.port)) as stack:
        found = await World.open(stack)
        yield found
        await found.office.close()


async def test_nothing_begins_after_the_answer_of_what_stopped_it(
    world: World, sink: MailSink, tell: Callable[[str], None]
) -> None:
    dice = Random(SEED)
    due = working(world.today + timedelta(days=12))
    among = await targets(world, "DEB", DEBTORS, due, dice)
    await world.office.settled(SETTLED)
    race = Race(world, dice, lambda: sink.count)
    untouched = list(among)
    for days, dies in ((2, False), (10, True)):
        world.clock.move_to(morning(due, days))
        chosen = dice.sample(untouched, DEBTORS * 2 // 5)
        untouched = [one for one in untouched if one not in chosen]
        # What was lowered before is still asked for, and may be stopped now.
        again = [one for one in among if one.changes and one.changes[-1].after.residual and one not in chosen]
        racing = asyncio.create_task(race.run([*chosen, *again], len(untouched)))
        if dies:
            await eventually(lambda: sink.count > DEBTORS, 90, every=0.005)
            world.living.kill("notifier")
        await racing
        await world.office.settled(SETTLED)
    waits = await _waits(world)
    _told(tell, among, race, sink, waits)
    assert wrongs(await _seen(world, sink), among) == []
    assert waits["+Inf"] >= len(race.walls)
    assert waits["+Inf"] == waits["3.5"], f"a stop waits {STOP_SECONDS} s at most"
    assert waits["+Inf"] > waits["0.05"], "some stop met a mail on its way"
    assert sum(not is_thanks(one.mail) for one in sink.taken) >= DEBTORS
    await _nobody_was_forgotten(world, sink, untouched)
    for kind in COMMANDS:
        changed = [one for one in among if any(change.kind == kind for change in one.changes)]
        early = [one for one in changed if _named_before(sink, one, kind)]
        assert early and len(early) < len(changed), f"{kind} came after some mails and before others"


async def _seen(world: World, sink: MailSink) -> list[Seen]:
    """Every DATA command for a reminder, with its mail if one followed. Thank-yous ask for nothing and may leave."""
    query = (
        "select recipient from notifier.delivery where tenant_id = :t and state = 'uncertain' and kind = 'acknowledge'"
    )
    cut_off = {row[0] for row in await evidence.asked(world.living.settings, query, t=world.office.tenant)}
    mails = {(one.data_at, one.recipients[0]): one.mail for one in sink.taken}
    every = [Seen(at, recipient, mails.get((at, recipient))) for at, recipient in sink.data_instants]
    return [one for one in every if not (is_thanks(one.mail) if one.mail else one.recipient in cut_off)]


def _named_before(sink: MailSink, one: Target, kind: str) -> bool:
    """Whether a mail about it began before it was changed so, in the same round."""
    change = next(each for each in one.changes if each.kind == kind)
    recent = (each for each in sink.to(one.state.address) if change.answered - 60 < each.data_at < change.answered)
    return any(not is_thanks(each.mail) for each in recent)


async def _nobody_was_forgotten(world: World, sink: MailSink, untouched: Sequence[Target]) -> None:
    """Who was never stopped was reminded twice, but for those whose sender died while it spoke."""
    doubtful = await _doubtful(world, "reminder")
    named = Counter(number for one in sink.taken for number in asked_for(text_of(one.mail)))
    assert [one for one in untouched if named[one.number] != 2 and one.state.address not in doubtful] == []


async def _doubtful(world: World, kind: str) -> set[str]:
    """The recipients of mails of a kind whose sender died while it spoke."""
    query = "select recipient from notifier.delivery where tenant_id = :t and state = 'uncertain' and kind = :kind"
    rows = await evidence.asked(world.living.settings, query, t=world.office.tenant, kind=kind)
    return {row[0] for row in rows}


async def _waits(world: World) -> Counter[str]:
    """Bucket → stopping commands that waited so long at most, over the services that know of stops."""
    found: Counter[str] = Counter()
    for service in GRANTERS:
        page = await world.office.client.get(world.living.settings.urls[service] + "/metrics")
        for family in text_string_to_metric_families(page.text):
            if family.name == "relance_stop_wait_seconds":
                found += Counter({one.labels["le"]: int(one.value) for one in family.samples if "le" in one.labels})
    return found


def _told(
    tell: Callable[[str], None], among: Sequence[Target], race: Race, sink: MailSink, waits: Counter[str]
) -> None:
    kinds = Counter(change.kind for one in among for change in one.changes)
    thanks = sum(is_thanks(one.mail) for one in sink.taken)
    tell(f"seed {SEED}: {sink.count - thanks} reminders, {thanks} thank-yous, {len(sink.data_instants)} DATA commands")
    tell(f"stopped or changed: {', '.join(f'{count} by {kind}' for kind, count in sorted(kinds.items()))}")
    longest = min((le for le, many in waits.items() if many == waits["+Inf"]), key=float)
    walls = sorted(race.walls)
    tell(
        f"{len(walls)} calls; waiting for leases: {waits['+Inf'] - waits['0.05']} over 0.05 s, none over {longest} s;"
        f" seen by the caller: median {walls[len(walls) // 2]:.2f} s, longest {walls[-1]:.2f} s"
    )
