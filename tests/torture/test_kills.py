"""Kill -9 at every named point and of every part while invoices, payments and mails flow; then everything once more.

One company on one living stack. What it was told is checked from outside: topics, caught mails, read-only SQL.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import httpx
import psutil
import pytest

from libs.common.crash import POINTS
from libs.common.demo.listening import Listening
from libs.common.demo.office import Answered
from libs.common.devstack import control
from libs.common.settings import PORTS
from tests.support import eventually
from tests.support.living import living
from tests.support.world import World, morning, working
from tests.torture import evidence
from tests.torture.company import Company, Story

SEED = 20261122
INVOICES = 2_000
DEBTORS = [f"CLIENT{n:03d}" for n in range(260)]
RECOVERY = 120.0
HEALED = 60.0
"""Seconds after the last kill within which nothing is left to do."""
EARLY = DEBTORS[:200]
WAVES = (DEBTORS[200:220], DEBTORS[220:240], DEBTORS[240:])
STEPS = ("friendly", "firm")


@dataclass
class Killing(Story):
    """The points that were passed and the parts that were killed."""

    fired: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    stirred: int = 0

    def figures(self) -> list[str]:
        """What was done, for whoever watches."""
        company = self.company
        return [
            f"seed {SEED}: {len(self.fired)} points fired, killed {', '.join(self.killed)}",
            f"{len(company.created)} invoices, {len(company.paid)} payments, {len(self.world.mails())} mails,"
            f" {len(self.records)} events; {company.retried} requests told again",
        ]

    def arm(self, *points: str) -> None:
        for point in points:
            self.stack.arm(point)

    async def all_fired(self, *points: str, stirring: bool = False) -> None:
        """Wait until each of these was passed; `stirring` changes the directory meanwhile, so that all have to hear."""

        async def all_gone() -> bool:
            if stirring:
                await self._stir()
            return all(self.stack.fired(point) for point in points)

        await eventually(all_gone, RECOVERY, every=1 if stirring else 0.05)
        self.fired += points

    async def _stir(self) -> None:
        self.stirred += 1
        with suppress(httpx.TransportError, Answered):
            await self.world.office.add_source(self.world.entity, f"more-{self.stirred}", "invoices")

    async def kill(self, *parts: str) -> None:
        for part in parts:
            await eventually(lambda part=part: self._struck(part), RECOVERY)
            self.killed.append(part)

    def _struck(self, part: str) -> bool:
        """False while the part is down anyway."""
        try:
            self.stack.kill(part)
        except psutil.NoSuchProcess:
            return False
        return True

    async def alive(self) -> None:
        """Every service answers again."""

        async def all_answer() -> bool:
            return len(await self.world.office.work()) == len(PORTS)

        await eventually(all_answer, RECOVERY, every=0.3)


@pytest.fixture(scope="module")
async def story(tell: Callable[[str], None]) -> AsyncIterator[Killing]:
    """The whole story: intake under kills, then reminders under kills, then quiet."""
    began = time.monotonic()
    with living() as stack:
        world = await World.open(stack)
        found = Killing(Company(world, Random(SEED)))
        try:
            await _intake_under_kills(found)
            await _reminders_under_kills(found)
            found.records = await evidence.topics(stack.settings, world.office.tenant)
            for line in found.figures():
                tell(line)
            tell(f"{(time.monotonic() - began) / 60:.1f} minutes")
            yield found
        finally:
            await world.office.close()


async def _intake_under_kills(story: Killing) -> None:
    company, world = story.company, story.world
    await world.debtors(DEBTORS)
    await world.office.settled()
    await world.office.listening.close()
    early, late = working(world.today + timedelta(days=12)), working(world.today + timedelta(days=60))
    chunk = INVOICES // 3 + 1

    async def flow() -> None:
        told = await company.invoices(chunk // 2, EARLY, early) + await company.invoices(
            chunk // 2, DEBTORS[200:], late
        )
        await company.payments(company.third(told))

    async def under(points: Sequence[str], parts: Sequence[str]) -> None:
        """A part of the flow, with these points armed and these parts killed in its midst."""
        story.arm(*points)
        begun = len(company.created)
        flowing = asyncio.create_task(flow())
        await eventually(lambda: len(company.created) > begun + 5, RECOVERY, every=0.01)
        await story.kill(*parts)
        await story.all_fired(*points, stirring=True)
        await flowing
        await story.alive()

    shared = [f"{name}.{point}" for name in PORTS for point in ("consumer.committed", "relay.acked")]
    later = ("scheduler.relay.acked", "notifier.relay.acked")
    points = [point for point in shared if point not in later]
    await under(["intake.committed", "matching.decided", *points], ["notifier", "scheduler", "console"])
    await under([], ["kafka", "invoice_ingest", "payment_matching"])
    await under([], ["postgres"])
    world.office.listening = Listening(world.living.settings)
    await world.office.settled(RECOVERY)


async def _reminders_under_kills(story: Killing) -> None:
    company, world = story.company, story.world
    due = next(one.due for one in company.told if one.debtor in EARLY)
    story.arm("sweep.decided", "scheduler.relay.acked", "notifier.relay.acked")
    world.clock.move_to(morning(due))
    await story.all_fired("sweep.decided", "scheduler.relay.acked", "notifier.relay.acked")
    for wave, point in zip(WAVES, ("dispatch.on_wire", "dispatch.dotted", "dispatch.accepted"), strict=True):
        await story.alive()
        story.arm(point)
        told = await company.invoices(len(wave), wave, due)
        await story.all_fired(point)
        await company.payments(company.third(told))
    await story.alive()
    await _at_rest(story)
    world.clock.move_to(morning(due, 10))
    await _at_rest(story)


async def _at_rest(story: Killing) -> None:
    await eventually(lambda: evidence.nothing_in_hand(story.stack.settings, story.world.office.tenant), HEALED, every=1)
    await story.world.office.settled(HEALED)


def test_every_armed_point_fired_and_every_part_was_killed_once(story: Killing) -> None:
    shared = {"relay.acked", "consumer.committed"}
    plain = {next(point for point in POINTS if fired.endswith(point)) for fired in story.fired}
    assert plain == set(POINTS)
    assert {f"{service}.{point}" for service in PORTS for point in shared} <= set(story.fired)
    assert sorted(story.killed) == sorted((*PORTS, "kafka", "postgres"))
    assert story.company.retried > 0, "the kills were felt"


def test_every_accepted_invoice_was_told_exactly_once(story: Killing) -> None:
    assert len(story.company.created) == len(story.company.told)
    evidence.told_once(story.company.created, story.records)


async def test_every_accepted_invoice_is_one_row(story: Killing) -> None:
    numbers = [one.number for one in story.company.told]
    await evidence.one_row_each(story.stack.settings, story.world.office.tenant, numbers)


async def test_no_mail_left_twice_and_each_is_a_delivery_on_record(story: Killing) -> None:
    await evidence.mailed_once(story.stack, story.world.office.tenant, story.world.mark)
    assert len(story.world.mails()) >= 2 * len(EARLY), "reminders did leave"


def test_steps_follow_one_another_within_hours_days_and_gap(story: Killing) -> None:
    evidence.in_order(story.records, STEPS)


def test_no_mail_names_an_invoice_after_its_payment_was_accepted(story: Killing) -> None:
    assert len(story.company.paid) >= INVOICES // 4
    evidence.nothing_after(story.stack, story.world.mark, story.company.paid)


def test_every_release_ended_once(story: Killing) -> None:
    evidence.ended_once(story.records)


async def test_the_money_adds_up(story: Killing) -> None:
    await evidence.money_adds_up(story.stack.settings, story.world.office.tenant)


async def test_nothing_is_left_to_do(story: Killing) -> None:
    await evidence.nothing_left(story.stack.settings)


async def test_what_is_uncertain_stems_from_a_kill_of_the_sender_and_has_one_mail_at_most(story: Killing) -> None:
    assert await evidence.doubtful(story.stack, story.world.office.tenant) >= 1, (
        "a sender that dies at the dot leaves one"
    )


async def test_replaying_every_topic_sends_nothing_and_changes_nothing(story: Killing) -> None:
    settings, mails = story.stack.settings, len(list(story.stack.mailbox.all()))
    await story.world.office.listening.close()
    before = await evidence.checksums(settings)
    assert {"ingest.invoice", "matching.allocation", "scheduler.occurrence", "notifier.delivery"} <= set(before)
    await asyncio.to_thread(control.down, settings, _silent)
    await asyncio.to_thread(lambda: control.up(settings, _silent, infrastructure=True))
    await evidence.back_to_the_start(settings)
    story.world.office.listening = Listening(settings)
    behind, _ = await story.world.office.listening.look()
    await story.world.office.listening.close()
    assert behind > len(story.records), "all of it is before the services again"
    await asyncio.to_thread(control.down, settings, _silent)
    await asyncio.to_thread(control.up, settings, _silent)
    story.world.office.listening = Listening(settings)
    await story.world.office.settled(RECOVERY)
    assert await evidence.checksums(settings) == before
    assert len(list(story.stack.mailbox.all())) == mails


def _silent(_: str) -> None:
    """Nobody listens."""
