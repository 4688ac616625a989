"""The sealing key and a webhook's secret are changed on real processes: no sender is turned away on the way."""

import base64
import os
from datetime import timedelta

from libs.common.demo.office import ADMINISTRATOR, Source
from libs.common.devstack.control import down, up
from tests.support.living import Living, living
from tests.support.world import World, working

OLD, NEW = (f"{name}:{base64.b64encode(name.encode() * 8).decode()}" for name in ("old1", "new1"))


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


async def test_the_sealing_key_and_a_secret_are_changed_and_nobody_is_turned_away() -> None:
    with living(RELANCE_SEAL_KEYS=OLD) as stack:
        world = await World.open(stack)
        await world.debtor("ROTE")
        first = world.invoices
        assert await taken(world, first, "R-1") == 201
        again(stack, f"{NEW},{OLD}")
        assert await taken(world, first, "R-2") == 201, "what the old key sealed is still opened"
        path = await _path_of(world, first)
        second = Source(first.path, (await world.office.post("console", f"{path}/rotate", by=ADMINISTRATOR))["secret"])
        assert [await taken(world, each, f"R-3{n}") for n, each in enumerate((first, second))] == [201, 201]
        await world.office.post("console", f"{path}/retire", by=ADMINISTRATOR)
        assert await taken(world, first, "R-4") == 401
        again(stack, NEW)
        assert await taken(world, second, "R-5") == 201, "nothing needs the old key any more"
        await world.office.close()


async def _path_of(world: World, source: Source) -> str:
    listed = await world.office.get("console", "/v1/directory/sources", by=ADMINISTRATOR)
    (found,) = (each for each in listed if source.path.endswith(each["slug"]))
    return f"/v1/directory/sources/{found['source_id']}"
