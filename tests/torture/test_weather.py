"""Bad weather on real processes: freezes, restarts, second processes, bad links, a server that refuses, while invoices,
payments and mails flow. What must hold is checked from outside, as after the kills; then the same with no fault at all.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from random import Random
from typing import Any

import pytest

from libs.common import ids
from libs.common.demo.listening import Listening
from libs.common.permits import GRANTERS
from tests.support import eventually
from tests.support.living import living
from tests.support.world import World, is_thanks, morning, text_of, working
from tests.torture import evidence
from tests.torture.company import Company, Story
from tests.torture.links import Link
from tests.torture.weather import Weather

SEED = 20261123
WAVE = 60
PAID_AT_ONCE = 8
DEBTORS = [f"CLIENT{n:03d}" for n in range(250)]
LATER = [f"CLIENT{n:03d}" for n in range(250, 650)]
LATER_AT_ONCE = 8
"""Customers whose first invoice comes when it is late already: mails leave all the time."""
HEALED = 120.0
WIRE = 0.1
"""Seconds that the mail server's link takes for each piece: a mail server is far away."""
STEPS = ("friendly", "firm")
_NUMBER = re.compile(r"\bK\d{5}\b")


@dataclass(kw_only=True)
class Storm(Story):
    """The faults of it, or none, and what people had to do afterwards."""

    weather: Weather
    faults: bool
    letters: int = 0
    resolved: int = 0
    echoed: Counter[int] = field(default_factory=Counter)


@pytest.fixture(scope="module", params=[True, False], ids=["bad weather", "fine weather"])
async def story(request: pytest.FixtureRequest, tell: Callable[[str], None]) -> AsyncIterator[Storm]:
    """Intake in bad weather, reminders in bad weather, then quiet; or all of it in fine weather."""
    began, failed = time.monotonic(), request.session.testsfailed
    links = {name: await Link().start() for name in GRANTERS} | {"mail": await Link("127.0.0.2").start()}
    environment = {f"RELANCE_{name.upper()}_URL": f"http://127.0.0.1:{links[name].port}" for name in GRANTERS}
    with living(RELANCE_SMTP_HOST="127.0.0.2", RELANCE_SMTP_PORT=str(links["mail"].port), **environment) as stack:
        ports = stack.settings.ports | {"mail": links["mail"].port}
        for name, link in links.items():
            link.port_behind = ports[name]
        links["mail"].delay = WIRE
        world = await World.open(stack)
        await world.debtors([*DEBTORS, *LATER])
        key = f"{world.office.tenant}:{ids.debtor_id(world.office.tenant, world.entity, DEBTORS[0])}".encode()
        found = Storm(
            Company(world, Random(SEED)), weather=Weather(stack, links, Random(SEED), key), faults=request.param
        )
        try:
            await _played(found)
            _tell(tell, found, (time.monotonic() - began) / 60)
            yield found
        finally:
            if not found.records or request.session.testsfailed > failed:
                tell("\n  ".join(found.weather.timeline))
            await world.office.close()
            for link in links.values():
                await link.stop()


def _tell(tell: Callable[[str], None], story: Storm, minutes: float) -> None:
    company, weather = story.company, story.weather
    fired = ", ".join(f"{count} {name}" for name, count in sorted(weather.fired.items())) or "none"
    tell(f"seed {SEED}, faults: {fired}; {sum(link.lost for link in weather.links.values())} pieces lost on the way")
    tell(
        f"{len(company.created)} invoices, {len(company.paid)} payments, {len(story.world.mails())} mails,"
        f" {len(story.records)} events; {company.retried} requests told again, {story.letters} unreadable records,"
        f" {story.resolved} sends in doubt"
    )
    tell(f"{minutes:.1f} minutes")


async def _played(story: Storm) -> None:
    world, company = story.world, story.company
    await world.office.settled(HEALED)
    await world.office.listening.close()
    due = working(world.today + timedelta(days=12))
    before, after = story.weather.drawn() if story.faults else ([], [])

    async def intake() -> None:
        told = await company.invoices(WAVE, DEBTORS, due)
        await company.payments(company.third(told))
        story.echoed += await company.echoes(told[: WAVE // 4])

    async def money() -> None:
        late, later[:] = later[:LATER_AT_ONCE], later[LATER_AT_ONCE:]
        told = await company.invoices(len(late), late, due)
        paying, unpaid[:] = unpaid[:PAID_AT_ONCE], unpaid[PAID_AT_ONCE:]
        await company.payments([*paying, *company.third(told)])
        await asyncio.sleep(company.dice.random() / 2)
        world.clock.move_to(world.clock.now() + timedelta(minutes=1))

    await _meanwhile(story.weather.rage(before), intake, least=10)
    unpaid = company.third([one for one in company.told if one.number not in company.paid])
    later = list(LATER)
    await _calm(story)
    world.clock.move_to(morning(due, 2))
    await _meanwhile(story.weather.rage(after), money, least=5)
    await _calm(story)
    world.clock.move_to(morning(due, 10))
    await _calm(story)
    story.records = await evidence.topics(story.stack.settings, world.office.tenant)


async def _meanwhile(weather: Any, again: Callable[[], Any], least: int) -> None:
    """Again and again until the weather is over, and so many times at least."""
    raging, count = asyncio.create_task(weather), 0
    try:
        while count < least or not raging.done():
            await again()
            count += 1
        await raging
    finally:
        raging.cancel()


async def _calm(story: Storm) -> None:
    """People do what is theirs: drop what cannot be read, say what became of doubtful mails. Then nothing is left."""
    world = story.world
    world.office.listening = Listening(story.stack.settings)
    await eventually(lambda: evidence.nothing_in_hand(story.stack.settings, story.world.office.tenant), HEALED, every=1)
    if story.faults:
        story.letters += await story.weather.letters_dropped()
    await world.office.settled(HEALED)
    story.resolved += await _resolved(story)
    await world.office.settled(HEALED)
    await eventually(lambda: evidence.nothing_in_hand(story.stack.settings, story.world.office.tenant), HEALED, every=1)
    await world.office.settled(HEALED)
    await world.office.listening.close()


async def _resolved(story: Storm) -> int:
    """A person looks into the recipient's mailbox for each mail in doubt."""
    office = story.world.office
    arrived = {str(mail["X-Relance-Delivery"]) for mail in story.world.mails()}
    listed = (await office.get("notifier", "/v1/deliveries", params={"state": "uncertain"}))["deliveries"]
    for one in listed:
        outcome = "sent" if one["delivery_id"] in arrived else "not_sent"
        told = {"outcome": outcome, "why": "looked into the mailbox"}
        await office.post("notifier", f"/v1/deliveries/{one['delivery_id']}/resolve", told)
    return len(listed)


def _reminders(story: Storm) -> list[EmailMessage]:
    return [mail for mail in story.world.mails() if not is_thanks(mail)]


def test_every_kind_of_fault_was_felt(story: Storm) -> None:
    if not story.faults:
        assert not story.weather.fired
        return
    assert sum(story.weather.fired.values()) == sum(map(len, story.weather.drawn()))
    assert {name for name, link in story.weather.links.items() if not link.lost} == set()
    assert story.company.retried and story.letters


def test_in_fine_weather_nothing_is_refused_held_or_in_doubt(story: Storm) -> None:
    if not story.faults:
        assert (story.company.retried, story.letters, story.resolved) == (0, 0, 0)
        assert [one.type for one in story.records if one.type in ("HoldPlaced", "ReminderUncertain")] == []


def test_what_is_told_again_or_otherwise_under_the_same_name_is_refused_or_changes_nothing(story: Storm) -> None:
    assert set(story.echoed) <= {200, 201, 409} and story.echoed[200], story.echoed


async def test_every_accepted_invoice_was_told_exactly_once_and_is_one_row(story: Storm) -> None:
    company = story.company
    evidence.told_once(company.created, story.records)
    await evidence.one_row_each(story.stack.settings, story.world.office.tenant, [one.number for one in company.told])


async def test_no_mail_left_twice_and_each_is_a_delivery_on_record(story: Storm) -> None:
    await evidence.mailed_once(story.stack, story.world.office.tenant, story.world.mark)
    assert len(_reminders(story)) > len(DEBTORS), "reminders did leave"


def test_steps_follow_one_another_within_hours_days_and_gap(story: Storm) -> None:
    evidence.in_order(story.records, STEPS)


def test_no_mail_names_an_invoice_after_its_payment_was_accepted(story: Storm) -> None:
    evidence.nothing_after(story.stack, story.world.mark, story.company.paid)


def test_nobody_who_owes_was_forgotten(story: Storm) -> None:
    named = Counter(word for mail in _reminders(story) for word in set(_NUMBER.findall(text_of(mail))))
    unpaid = [one.number for one in story.company.told if one.number not in story.company.paid]
    assert {number: named[number] for number in unpaid if named[number] != len(STEPS)} == {}


def test_every_release_ended_once(story: Storm) -> None:
    evidence.ended_once(story.records)


async def test_the_money_adds_up_and_nothing_is_left_to_do(story: Storm) -> None:
    await evidence.money_adds_up(story.stack.settings, story.world.office.tenant)
    await evidence.nothing_left(story.stack.settings)


def test_no_service_met_what_it_did_not_expect(story: Storm) -> None:
    assert story.stack.unexpected() == []
