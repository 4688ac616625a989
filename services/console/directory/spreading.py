"""Which services have heard a change of the directory: asked of each, until all have or the time is over."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from libs.common.calls import Peers
from libs.common.errors import RelanceError
from libs.common.settings import PORTS

SECONDS = 4.0
OTHERS = tuple(name for name in PORTS if name != "console")


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the directory and the directory_version that everybody should have heard of it."""

    tenant_id: UUID
    kind: str
    identity: UUID
    version: int


class Spreading:
    """Asks the other services how far they have heard."""

    def __init__(self, peers: Peers, services: Sequence[str] = OTHERS, seconds: float = SECONDS) -> None:
        self.peers = peers
        self.services = services
        self.seconds = seconds

    async def laggards(self, entry: Entry) -> list[str]:
        """The services that had not heard it when the time was over; none when all have."""
        heard = await asyncio.gather(*(self._heard(service, entry) for service in self.services))
        return [service for service, has in zip(self.services, heard, strict=True) if not has]

    async def _heard(self, service: str, entry: Entry) -> bool:
        end = monotonic() + self.seconds
        while monotonic() < end:
            if await self._version(service, entry) >= entry.version:
                return True
            await asyncio.sleep(0.1)
        return False

    async def _version(self, service: str, entry: Entry) -> int:
        asked = {"kind": entry.kind, "entry": str(entry.identity)}
        try:
            path = "/internal/v1/directory/version"
            return int((await self.peers.get(service, path, tenant=entry.tenant_id, params=asked))["entry"])
        except RelanceError:
            return -1
