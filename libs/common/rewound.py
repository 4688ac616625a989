"""After the database went back in time: what the topics still know is heard again, while nothing leaves.

begin   marks every service, sets the consumer groups back to an hour before the restore point
status  what each service has still to hear
end     once all have heard: the notifier adopts what its own events prove, doubts the rest, and mails leave again
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from libs.common import kafka, restoring
from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.errors import Conflict, Refused, Unavailable
from libs.common.events import OWNERS, PARTITIONS, Event
from libs.common.events.envelope import Body
from libs.common.incoming import from_kafka, read
from libs.common.recovery import halted, reading, set_back
from libs.common.settings import SCHEMAS, Settings

MARGIN = timedelta(hours=1)
"""Read again before the restore point: what was recorded then may have been relayed or heard after it."""
SILENCE_MS = 10_000


class NotInThePast(Refused):
    """The restore point lies in the future."""

    code = "restore_point_in_future"
    remedy = "Give the instant to which the database was restored, with its zone, such as 2026-11-23T05:40:00Z."


class NotRecovering(Conflict):
    """No recovery is under way."""

    code = "not_recovering"
    remedy = "`relance restore begin --restored-to INSTANT` begins one."


class HalfBegun(Conflict):
    """The beginning of the recovery did not finish."""

    code = "recovery_half_begun"
    remedy = "Run `relance restore begin` again, with the same instant."


class StillToHear(Conflict):
    """A service has not read the topics again to the end."""

    code = "still_to_hear"
    remedy = (
        "Let the services run until `relance restore status` shows 0; decide what was set aside "
        "(`relance dead-letters list`), see what stands still (`relance consumers status`), then repeat."
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a service is: offsets still to hear (None: not set back yet), events set aside since it began.

    All of it is None when it does not recover.
    """

    service: str
    restored_to: datetime | None
    to_hear: int | None
    set_aside: int | None


@dataclass(frozen=True, slots=True)
class Begun:
    """Releases that own events say were made, and how many partitions each consumer group was set back on."""

    releases: int
    groups: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Adopted:
    """Notices that own events say were sent, and deliveries that nothing proves."""

    sent: int
    uncertain: int


Settle = Callable[[Settings, datetime], Awaitable[Adopted]]
"""Given the restore point: adopt what is proved and doubt the rest, or refuse."""
Before = Callable[[Settings, datetime], Awaitable[int]]
"""Given the restore point: adopt the releases that must be known before their ends are heard; answers how many."""


async def begin(
    settings: Settings, restored_to: datetime, remember: Before, services: Iterable[str] = SCHEMAS
) -> Begun:
    """Nothing leaves from here on, `remember` is done, and every group reads again.

    Safe to repeat. Raises NotInThePast, or StillReading if members of a group stay for a minute.
    """
    if restored_to > SystemClock().now():
        raise NotInThePast(f"{restored_to.isoformat()} has not come yet.", field="restored_to")
    moved: dict[str, int] = {}
    async with halted(settings, services) as groups, reading(settings) as reader:
        for database in groups:
            async with database.transaction() as db:
                await restoring.start(db, restored_to)
        places = [TopicPartition(topic, partition) for topic in OWNERS for partition in range(PARTITIONS)]
        ends = await reader.end_offsets(places)
        back = await _places_at(reader, places, restored_to - MARGIN)
        releases = await remember(settings, restored_to)
        for database in groups:
            group = kafka.group_of(database.service)
            moved[group] = await set_back(settings, group, back)
            heard = await _committed(settings, group, ends)
            async with database.transaction() as db:
                await restoring.start(db, restored_to, {place: ends[place] for place in heard})
    return Begun(releases, moved)


async def status(settings: Settings, services: Iterable[str] = SCHEMAS) -> list[Standing]:
    """How far each service is."""
    found = []
    async with AsyncExitStack() as stack:
        for service in services:
            database = Database(settings, service, "loop", pool=1)
            stack.push_async_callback(database.close)
            async with database.transaction() as db:
                told = await restoring.started(db)
            if told is None:
                found.append(Standing(service, None, None, None))
            else:
                left = None if told.goals is None else await _left(settings, kafka.group_of(service), told.goals)
                found.append(Standing(service, told.restored_to, left, told.set_aside))
    return found


async def end(settings: Settings, settle: Settle, services: Iterable[str] = SCHEMAS) -> Adopted:
    """Let mails leave again, after `settle`. Raises NotRecovering, HalfBegun, StillToHear or `settle`'s."""
    chosen = list(services)
    found = [each for each in await status(settings, chosen) if each.restored_to is not None]
    if not found:
        raise NotRecovering
    if any(each.to_hear is None for each in found):
        raise HalfBegun
    late = [each for each in found if each.to_hear or each.set_aside]
    if late:
        named = (f"{each.service} has {each.to_hear} records to hear and set {each.set_aside} aside" for each in late)
        raise StillToHear(f"{', '.join(named)}.", services=[each.service for each in late])
    adopted = await settle(settings, min(each.restored_to for each in found if each.restored_to))
    async with AsyncExitStack() as stack:
        for service in chosen:
            database = Database(settings, service, "loop", pool=1)
            stack.push_async_callback(database.close)
            async with database.transaction() as db:
                await restoring.stop(db)
    return adopted


async def told_since(
    settings: Settings, restored_to: datetime, *kinds: type[Body], take: int = 500
) -> AsyncIterator[list[Event]]:
    """The events of these types, all of one topic, recorded from an hour before the restore point until now."""
    named = {kind.__name__: kind for kind in kinds}
    places = [TopicPartition(kinds[0].topic, partition) for partition in range(PARTITIONS)]
    async with reading(settings) as reader:
        ends = await reader.end_offsets(places)
        begins = await _places_at(reader, places, restored_to - MARGIN)
        reader.assign(list(begins))
        for place, offset in begins.items():
            reader.seek(place, offset)
        while behind := [place for place in begins if await reader.position(place) < ends[place]]:
            batch = await reader.getmany(*behind, timeout_ms=SILENCE_MS, max_records=take)
            if not batch:
                raise Unavailable("The broker shows nothing more.", remedy="Look whether Kafka runs, then repeat.")
            yield [it for raws in batch.values() for raw in raws if (it := _event(raw, named)) is not None]


def _event(raw: Any, named: Mapping[str, type[Body]]) -> Event | None:
    it = read(from_kafka(raw), named, SystemClock().now())
    return it.event if it is not None else None


async def _places_at(
    reader: AIOKafkaConsumer, places: list[TopicPartition], instant: datetime
) -> dict[TopicPartition, int]:
    """Where each partition tells what came to the broker at this instant or later; none where nothing did."""
    told = await reader.offsets_for_times(dict.fromkeys(places, round(instant.timestamp() * 1000)))
    return {place: at.offset for place, at in told.items() if at is not None}


async def _committed(settings: Settings, group: str, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    client = kafka.consumer(settings, group)
    await client.start()
    try:
        client.assign(list(places))
        told = {place: await client.committed(place) for place in client.assignment()}
        return {place: at for place, at in told.items() if at is not None}
    finally:
        await client.stop()


async def _left(settings: Settings, group: str, goals: Mapping[TopicPartition, int]) -> int:
    at = await _committed(settings, group, goals) if goals else {}
    return sum(max(0, goal - at.get(place, 0)) for place, goal in goals.items())
