"""`relance consumers`: how the services hear and speak, and letting go on what its breaker stopped."""

import asyncio
from typing import Any

import typer
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy import func, select

from libs.common import breaker, kafka
from libs.common.cli.dead_letters import Service, chosen, schema_of
from libs.common.cli.output import AsJson, answer, answer_rows, say
from libs.common.events import OWNERS, PARTITIONS
from libs.common.outbox.relay import RELAY
from libs.common.settings import Settings
from libs.common.tables import breaker as breakers
from libs.common.tables import dead_letter, outbox, parked

app = typer.Typer(name="consumers", help="What the services still have to hear, and what stopped them.")


@app.command("status")
def status(service: Service = None, as_json: AsJson = False) -> None:
    """Per consumer: why it stands still, its lag in records, letters, parked and unpublished events."""
    rows = asyncio.run(_status(Settings.from_env(), chosen(service)))
    answer_rows(
        rows,
        as_json=as_json,
        columns=("service", "consumer", "stopped", "lag", "letters", "parked", "outbox", "detail"),
    )


@app.command("resume")
def resume(service: Service = None, as_json: AsJson = False) -> None:
    """Let the consumers go on that stopped after too many dead letters. A lost log needs `relance broker recover`."""
    resumed = asyncio.run(_resume(Settings.from_env(), chosen(service)))
    line = f"Going on: {', '.join(resumed)}." if resumed else "No consumer was stopped by dead letters."
    answer({"resumed": resumed}, as_json=as_json, line=line)


async def _resume(settings: Settings, services: list[str]) -> list[str]:
    resumed = []
    for service in services:
        async with schema_of(settings, service) as db:
            stopped = [one.consumer for one in await breaker.opened(db)]
            resumed += [name for name in stopped if await breaker.close(db, name, "letters")]
    return resumed


async def _status(settings: Settings, services: list[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for service in services:
        async with schema_of(settings, service) as db:
            shared = {
                "letters": await db.scalar(
                    select(func.count()).where(dead_letter.c.state.in_(("open", "replay", "drop")))
                ),
                "parked": await db.scalar(select(func.count()).select_from(parked)),
                "outbox": await db.scalar(select(func.count()).select_from(outbox)),
            }
            for row in await db.execute(select(breakers).order_by(breakers.c.consumer)):
                stopped = {"stopped": row.cause, "detail": row.detail}
                rows.append({"service": service, "consumer": row.consumer, "lag": None} | stopped | shared)
    try:
        await _add_lags(settings, rows)
    except KafkaError as error:
        say(f"The broker at {settings.kafka} does not answer ({type(error).__name__}): no lags.")
    return rows


async def _add_lags(settings: Settings, rows: list[dict[str, Any]]) -> None:
    places = [TopicPartition(topic, partition) for topic in OWNERS for partition in range(PARTITIONS)]
    for row in rows:
        if row["consumer"] == RELAY:
            continue
        client = kafka.consumer(settings, row["consumer"])
        try:
            await client.start()
            client.assign(places)
            ends = await client.end_offsets(places)
            committed = {place: await client.committed(place) for place in places}
            heard = {place.topic for place, at in committed.items() if at is not None}
            row["lag"] = sum(ends[place] - (committed[place] or 0) for place in places if place.topic in heard)
        finally:
            await client.stop()
