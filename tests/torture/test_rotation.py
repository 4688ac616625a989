"""The sealing key and a webhook's secret are changed on real processes: no sender is turned away on the way."""

import base64
import os
from datetime import timedelta

from libs.common.demo.office import ADMINISTRATOR, Source
from libs.common.devstack.control import down, up
from tests.support import eventually
from tests.support.living import Living, living
from tests.support.world import World, working

OLD, NEW = (f"{name}:{base64.b64encode(name.encode() * 8).decode()}" for name in ("old1", "new1"))

KNOWN_WITHIN = 10.0
"""A door remembers a source for two seconds."""


def again(stack: Living, keys: str) -> None:
    """Stop everything and start it with these keys; the data stay."""
    down(stack.settings, lambda line: None)
    os.environ["RELANCE_SEAL_KEYS"] = keys
    up(stack.settings, lambda line: None)


async def taken(world: World, source: Source, number: str) -> int:
    """What the door answers to an invoice signed with this secret."""
    await world.office.settled()
    body = world.body(number, "ROTE", working(world.today + timedelta(days=12)))
    return (await world.office.signed(source, body)).status_code


async def answers(world: World, source: Source, number: str, wanted: int) -> bool:
    return await taken(world, source, number) == wanted


async def test_the_sealing_key_and_a_secret_are_changed_and_nobody_is_turned_away() -> None:
    with living(RELANCE_SEAL_KEYS=OLD) as stack:
        world = await World.open(stack)
        await world.debtor("ROTE")
        first = world.invoices
        assert await taken(world, first, "R-1") == 201
        again(stack, f"{NEW},{OLD}")
        assert await taken(world, first, "R-2") == 201, "what the old key sealed is still opened"
        path = f"/v1/directory/sources/{first.path.rpartition('/')[2]}"
        made = await world.office.post("console", f"{path}/rotate", by=ADMINISTRATOR)
        assert made["laggards"] == []
        second = Source(first.path, made["secret"])
        assert await taken(world, first, "R-3") == 201
        await eventually(lambda: answers(world, second, "R-4", 201), KNOWN_WITHIN)
        await world.office.post("console", f"{path}/retire", by=ADMINISTRATOR)
        await eventually(lambda: answers(world, first, "R-5", 401), KNOWN_WITHIN)
        again(stack, NEW)
        assert await taken(world, second, "R-6") == 201, "nothing needs the old key any more"
        await world.office.close()
