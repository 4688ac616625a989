"""Signed messages to the tenant's own systems, from outside: once, in order, door by door."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import orjson
from sqlalchemy import func, update

from libs.common.settings import Settings
from libs.common.webhooks import Shown, genuine, secret_bytes
from services.scheduler.outgoing import Courier
from services.scheduler.tables import endpoint
from tests.integration.scheduler.test_credit import WHY, as_bob
from tests.integration.scheduler.test_doors import got, posted
from tests.integration.scheduler.world import World


async def test_a_granted_block_reaches_the_erp_signed_and_once(
    owing: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    door = await posted(doors, "/v1/credit/endpoints", {"url": "http://erp.test:9999/credit"})
    told = {"payer_id": str(owing.debtor("A")), "act": "block", "reason": "Over its limit"}
    block = await posted(doors, "/v1/credit/blocks", told)
    assert (await got(doors, "/v1/credit/messages"))["items"] == []
    await as_bob(owing, settings, doors, f"/v1/credit/blocks/{block['block_id']}/approve", WHY)
    stopped = await got(doors, f"/v1/credit/accounts/{owing.debtor('A')}")
    assert stopped["blocked"] is True and stopped["blocked_since"] and stopped["blocked_why"]
    heard: list[httpx.Request] = []
    answers = [httpx.Response(503), httpx.Response(204)]

    def erp(request: httpx.Request) -> httpx.Response:
        heard.append(request)
        return answers[len(heard) - 1]

    courier = courier_to(owing, settings, erp)
    assert await mine(courier, doors) == ["waiting"]
    [failed] = (await got(doors, "/v1/credit/messages", subject_id=block["block_id"]))["items"]
    assert [each["status"] for each in failed["attempts"]] == [503]
    await hurried(owing)
    assert await mine(courier, doors) == ["delivered"]
    await hurried(owing)
    assert await mine(courier, doors) == ["delivered"]
    assert len(heard) == 2
    assert {request.headers["webhook-id"] for request in heard} == {failed["message_id"]}
    assert (str(heard[0].url), heard[0].headers["host"]) == ("http://127.0.0.1:9999/credit", "erp.test:9999")
    shown = Shown(*(heard[1].headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")))
    stamp = float(heard[1].headers["webhook-timestamp"])
    assert genuine([secret_bytes(door["secret"])], shown, heard[1].content, stamp)
    again = await doors.post(f"/v1/credit/messages/{failed['message_id']}/retry")
    assert (again.status_code, again.json()["code"]) == (409, "already_ended")


async def test_nothing_is_posted_to_an_address_that_this_installation_may_not_reach(
    owing: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    await posted(doors, "/v1/credit/endpoints", {"url": "http://erp.test/credit"})
    block = await posted(
        doors, "/v1/credit/blocks", {"payer_id": str(owing.debtor("A")), "act": "block", "reason": "x"}
    )
    await as_bob(owing, settings, doors, f"/v1/credit/blocks/{block['block_id']}/approve", WHY)

    def nobody(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    assert await mine(courier_to(owing, settings, nobody, "93.184.215.14"), doors) == ["waiting"]
    [told] = (await got(doors, "/v1/credit/messages"))["items"]
    assert [(each["status"], each["error"]) for each in told["attempts"]] == [(None, "address_refused")]


async def test_a_door_that_never_answers_is_left_in_time_and_an_endless_answer_is_not_read(
    owing: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    await posted(doors, "/v1/credit/endpoints", {"url": "http://erp.test/credit"})
    body = {"payer_id": str(owing.debtor("A")), "act": "block", "reason": "x"}
    block = await posted(doors, "/v1/credit/blocks", body)
    await as_bob(owing, settings, doors, f"/v1/credit/blocks/{block['block_id']}/approve", WHY)

    async def silent(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"and so on "

    assert await mine(courier_to(owing, settings, silent, seconds=0.1), doors) == ["waiting"]
    [told] = (await got(doors, "/v1/credit/messages"))["items"]
    assert [(each["status"], each["error"]) for each in told["attempts"]] == [(None, "TimeoutError")]
    await hurried(owing)
    talks = courier_to(owing, settings, lambda _: httpx.Response(200, content=endless()))
    assert await mine(talks, doors) == ["delivered"]


async def test_a_process_that_was_frozen_since_its_claim_posts_nothing(
    owing: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    await posted(doors, "/v1/credit/endpoints", {"url": "http://erp.test/credit"})
    await alone(owing)
    await blocked(owing, doors, settings)
    heard: list[httpx.Request] = []

    def erp(request: httpx.Request) -> httpx.Response:
        heard.append(request)
        return httpx.Response(204)

    assert (await mine(courier_to(owing, settings, erp, seconds=0.0), doors), heard) == (["waiting"], [])
    await hurried(owing)
    assert (await mine(courier_to(owing, settings, erp), doors), len(heard)) == (["delivered"], 1)


async def alone(world: World) -> None:
    """What other tests left waiting is not posted within a day."""
    async with world.database.transaction() as db:
        theirs = update(endpoint).where(endpoint.c.tenant_id != world.tenant)
        await db.execute(theirs.values(next_try_at=func.clock_timestamp() + timedelta(days=1)))


async def blocked(world: World, doors: httpx.AsyncClient, settings: Settings, act: str = "block") -> str:
    """A block of A, or its end, that bob granted: a message waits at every door of the company."""
    body = {"payer_id": str(world.debtor("A")), "act": act, "reason": "x"}
    block = await posted(doors, "/v1/credit/blocks", body)
    await as_bob(world, settings, doors, f"/v1/credit/blocks/{block['block_id']}/approve", WHY)
    return str(block["block_id"])


async def test_a_dead_door_waits_as_a_whole_in_its_order_and_holds_no_other_back(
    owing: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    await alone(owing)
    for host in ("dead", "good"):
        await posted(doors, "/v1/credit/endpoints", {"url": f"http://{host}.test/credit"})
    acts = [await blocked(owing, doors, settings, act) for act in ("block", "unblock", "block")]
    heard: list[tuple[str, str]] = []
    answers = {"dead.test": 503, "good.test": 204}

    def erp(request: httpx.Request) -> httpx.Response:
        host = request.headers["host"]
        heard.append((host, orjson.loads(request.content)["data"]["block_id"]))
        return httpx.Response(answers[host])

    courier = courier_to(owing, settings, erp)
    assert sorted(await mine(courier, doors)) == ["delivered"] * 3 + ["waiting"] * 3
    assert [block for host, block in heard if host == "good.test"] == acts
    assert [block for host, block in heard if host == "dead.test"] == acts[:1], "one failure: the whole door waits"
    await hurried(owing)
    await mine(courier, doors)
    assert [block for host, block in heard if host == "dead.test"] == acts[:1] * 2, "the first one goes first"
    answers["dead.test"] = 204
    await hurried(owing)
    assert set(await mine(courier, doors)) == {"delivered"}
    assert [block for host, block in heard if host == "dead.test"] == [*acts[:1] * 3, *acts[1:]]


async def test_two_couriers_serve_two_doors_at_once_and_one_door_one_at_a_time(
    owing: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    await alone(owing)
    for host in ("one", "two"):
        await posted(doors, "/v1/credit/endpoints", {"url": f"http://{host}.test/credit"})
    for act in ("block", "unblock"):
        await blocked(owing, doors, settings, act)
    inside: list[str] = []
    both, free = asyncio.Event(), asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        inside.append(request.headers["host"])
        if len(inside) == 2:
            both.set()
        await free.wait()
        return httpx.Response(204)

    couriers = [courier_to(owing, settings, slow) for _ in range(2)]
    first = [asyncio.create_task(each.once()) for each in couriers]
    await asyncio.wait_for(both.wait(), 20)
    assert sorted(inside) == ["one.test", "two.test"]
    assert await courier_to(owing, settings, slow).once() is False, "what waits is at doors that are being served"
    free.set()
    assert await asyncio.gather(*first) == [True, True]
    assert set(await mine(couriers[0], doors)) == {"delivered"} and len(inside) == 4


async def test_a_late_2xx_ends_a_message_whose_claim_had_passed_to_another_process(
    owing: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    await alone(owing)
    await posted(doors, "/v1/credit/endpoints", {"url": "http://erp.test/credit"})
    await blocked(owing, doors, settings)

    async def frozen(request: httpx.Request) -> httpx.Response:
        async with owing.database.transaction() as db:
            mine = update(endpoint).where(endpoint.c.tenant_id == owing.tenant)
            await db.execute(mine.values(claimed_until=func.clock_timestamp()))
        assert await courier_to(owing, settings, lambda _: httpx.Response(503)).once()
        return httpx.Response(204)

    assert await mine(courier_to(owing, settings, frozen), doors) == ["delivered"]
    await hurried(owing)
    assert not await courier_to(owing, settings, frozen).once()


def courier_to(world: World, settings: Settings, erp: Any, address: str = "127.0.0.1", **how: Any) -> Courier:
    async def look_up(host: str, port: int) -> list[str]:
        await asyncio.sleep(0)
        return [address]

    def ours(request: httpx.Request) -> Any:
        """What other tests left waiting is taken as well, and told to nobody."""
        return erp(request) if str(world.entity).encode() in request.content else httpx.Response(204)

    client = httpx.AsyncClient(transport=httpx.MockTransport(ours))
    return Courier(settings, world.database, world.clock, client=client, look_up=look_up, **how)


async def mine(courier: Courier, doors: httpx.AsyncClient) -> list[str]:
    """Post all that waits, and say how the messages of this tenant stand."""
    while await courier.once():
        pass
    return [each["state"] for each in (await got(doors, "/v1/credit/messages"))["items"]]


async def hurried(world: World) -> None:
    """The pauses of the doors of this tenant are over."""
    async with world.database.transaction() as db:
        due = update(endpoint).where(endpoint.c.tenant_id == world.tenant)
        await db.execute(due.values(next_try_at=func.clock_timestamp()))
