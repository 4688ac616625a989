"""How the five services are: ready or why not, what waits, what was set aside. Asked over HTTP when a page is drawn.

A service that does not answer within a second and a half is shown as away; the page never waits longer for it.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import httpx

from libs.common.settings import PORTS, Settings

SECONDS = 1.5
_SAMPLE = re.compile(r"(relance_\w+)(?:\{[^}]*\})? ([0-9.eE+-]+|NaN)")
_WANTED = {
    "relance_consumer_lag_records": "lag",
    "relance_outbox_rows": "outbox",
    "relance_outbox_oldest_seconds": "oldest_seconds",
    "relance_dead_letters_open": "dead_letters",
    "relance_parked_open": "parked",
    "relance_breaker_open": "breakers",
    "relance_deliveries_uncertain": "uncertain",
}


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One service. `figures` are sums over its labels; `troubles` say in its own words why it is not ready."""

    name: str
    answers: bool
    ready: bool
    troubles: tuple[str, ...] = ()
    figures: Mapping[str, int] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        """Ready, nothing set aside, no breaker open."""
        return self.ready and not any(self.figures.get(name) for name in ("dead_letters", "parked", "breakers"))

    def figure(self, name: str) -> int:
        return self.figures.get(name, 0)


class Stack:
    """Asks each service for its health and its figures."""

    def __init__(self, settings: Settings, client: httpx.AsyncClient | None = None) -> None:
        self.settings = settings
        self.client = client or httpx.AsyncClient(timeout=SECONDS, trust_env=False)

    async def look(self) -> list[ServiceState]:
        """All services, in the order of their ports."""
        return list(await asyncio.gather(*(self._one(name) for name in PORTS)))

    async def _one(self, name: str) -> ServiceState:
        url = self.settings.urls[name]
        try:
            health, measured = await asyncio.gather(
                self.client.get(f"{url}/healthz/ready"), self.client.get(f"{url}/metrics")
            )
        except httpx.HTTPError:
            return ServiceState(name, answers=False, ready=False)
        troubles = tuple(health.json().get("troubles", {}).values()) if health.status_code == 503 else ()
        return ServiceState(name, True, health.status_code == 200, troubles, figures(measured.text.splitlines()))

    async def close(self) -> None:
        """Give the connections back."""
        await self.client.aclose()


def figures(lines: Iterable[str]) -> dict[str, int]:
    """The figures we show, from the Prometheus text format: each name's samples added up."""
    found: dict[str, int] = dict.fromkeys(_WANTED.values(), 0)
    for line in lines:
        sample = _SAMPLE.match(line) if line.startswith("relance_") else None
        if sample and sample[1] in _WANTED and sample[2] != "NaN":
            found[_WANTED[sample[1]]] += int(float(sample[2]))
    return found
