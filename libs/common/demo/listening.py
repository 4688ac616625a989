"""How far the services' consumer groups are behind their topics, asked of the broker and of it alone."""

import asyncio
from collections.abc import Collection, Mapping

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from libs.common import kafka
from libs.common.events import HEARD, OWNERS, PARTITIONS
from libs.common.settings import Settings

Places = Mapping[TopicPartition, int]


class Listening:
    """The ends of all topics against what each group has committed; groups known to be level are not asked again."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.started = False
        self.places = [TopicPartition(topic, part) for topic in OWNERS for part in range(PARTITIONS)]
        self.heard: dict[str, Places] = {name: {} for name in HEARD}

    async def start(self) -> None:
        self.admin = AIOKafkaAdminClient(**kafka.reaching(self.settings))
        self.ends = kafka.consumer(self.settings, "relance.office")
        await asyncio.gather(self.admin.start(), self.ends.start())
        self.started = True

    async def close(self) -> None:
        if self.started:
            await asyncio.gather(self.admin.close(), self.ends.stop())

    async def look(self, names: Collection[str] = tuple(HEARD)) -> tuple[int, int]:
        """Records that one of these services has not committed yet, over all that it hears; and how many there ever
        were."""
        if not self.started:
            await self.start()
        ends: Places = await self.ends.end_offsets(self.places)
        await asyncio.gather(*(self._ask(name) for name in names if self._behind(name, ends)))
        return sum(self._behind(name, ends) for name in names), sum(ends.values())

    async def _ask(self, name: str) -> None:
        committed = await self.admin.list_consumer_group_offsets(kafka.group_of(name))
        self.heard[name] = {place: max(found.offset, 0) for place, found in committed.items()}

    def _behind(self, name: str, ends: Places) -> int:
        heard = self.heard[name]
        return sum(max(0, end - heard.get(at, 0)) for at, end in ends.items() if at.topic in HEARD[name])
