"""Idempotency-Key on a real database: carried out once, answered alike, whoever asks at the same time."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Response
from sqlalchemy import func, select, text, update

from libs.common import idempotency
from libs.common.auth import Caller, requires, service_token
from libs.common.db import Database
from libs.common.devstack.postgres import Postgres
from libs.common.errors import Conflict
from libs.common.http import Line, Wire, make_app
from libs.common.ids import uuid7
from libs.common.settings import Settings
from libs.common.tables import idempotency_key, webhook_seen
from libs.common.webhooks import VerifiedSource, WebhookReused, remember
from tests.support import eventually


class Thing(Wire):
    """What is made once."""

    name: Line


@dataclass
class Shop:
    """The application, its callers, and how often the route ran."""

    app: FastAPI
    database: Database
    settings: Settings
    client: httpx.AsyncClient
    ran: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def make(
        self, tenant: UUID, key: str, name: str = "a", *, path: str = "/v1/things", who: str = "anna"
    ) -> httpx.Response:
        token = service_token(self.settings, audience="console", tenant=tenant, subject=who, roles=["administrator"])
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
        return await self.client.post(path, json={"name": name}, headers=headers)

    async def keys(self, tenant: UUID) -> int:
        async with self.database.transaction(tenant) as db:
            return int(await db.scalar(select(func.count()).select_from(idempotency_key)) or 0)


async def _write(shop: Shop, tenant: UUID, name: str) -> None:
    message = VerifiedSource(tenant, uuid7(), uuid7(), "invoices", name.encode(), f"made-{uuid7()}")
    async with shop.database.transaction(tenant) as db:
        await remember(db, message)
    shop.ran.append(name)


async def _made(shop: Shop, tenant: UUID) -> int:
    async with shop.database.transaction(tenant) as db:
        return int(await db.scalar(select(func.count()).select_from(webhook_seen)) or 0)


def _routes(shop: list[Shop]) -> APIRouter:
    router = APIRouter()
    writer = Annotated[Caller, Depends(requires("invoices:write"))]

    @router.post("/v1/things", status_code=201)
    async def make(thing: Thing, caller: writer) -> dict[str, str]:
        await _write(shop[0], caller.tenant_id, thing.name)
        return {"id": str(uuid7()), "name": thing.name}

    @router.post("/v1/slow-things", status_code=201)
    async def make_slowly(thing: Thing, caller: writer) -> dict[str, str]:
        shop[0].ran.append("begun")
        await shop[0].gate.wait()
        await _write(shop[0], caller.tenant_id, thing.name)
        return {"id": str(uuid7())}

    @router.post("/v1/refused-things", status_code=201)
    async def refuse(thing: Thing, caller: writer) -> dict[str, str]:
        if thing.name == "bad":
            raise Conflict("Not now.")
        return {"name": thing.name}

    @router.post("/v1/failing-things", status_code=201)
    async def fail(thing: Thing, caller: writer) -> dict[str, str]:
        if thing.name == "after":
            await _write(shop[0], caller.tenant_id, thing.name)
        shop[0].ran.append("failed")
        raise RuntimeError("power cut")

    @router.post("/v1/secrets", status_code=201)
    async def secret(thing: Thing, caller: writer, response: Response) -> dict[str, str]:
        response.headers["Cache-Control"] = "no-store"
        return {"token": "told once"}

    return router


@pytest.fixture
async def shop(postgres: Postgres, settings: Settings) -> AsyncIterator[Shop]:
    database = Database(settings, "console", "api")
    known: list[Shop] = []
    app = make_app(settings, "console", title="Shop", routers=[_routes(known)], state=None, database=database)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        known.append(Shop(app, database, settings, client))
        yield known[0]
    await database.close()


async def test_the_same_request_under_the_same_key_is_carried_out_once(shop: Shop, tenant: UUID) -> None:
    first, again = await shop.make(tenant, "k-1"), await shop.make(tenant, "k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["x-content-type-options"] == "nosniff"
    assert shop.ran == ["a"]


async def test_another_body_under_the_same_key_is_a_conflict(shop: Shop, tenant: UUID) -> None:
    await shop.make(tenant, "k-1")
    other = await shop.make(tenant, "k-1", "b")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert shop.ran == ["a"]


async def test_keys_of_other_tenants_callers_and_routes_are_other_keys(shop: Shop, tenant: UUID) -> None:
    await shop.make(tenant, "k-1")
    others = [
        await shop.make(uuid7(), "k-1", "b"),
        await shop.make(tenant, "k-1", "c", who="berta"),
        await shop.make(tenant, "k-1", "d", path="/v1/refused-things"),
    ]
    assert [answer.status_code for answer in others] == [201, 201, 201]


async def test_ten_twins_at_once_are_carried_out_once_and_answered_alike(shop: Shop, tenant: UUID) -> None:
    twins = [asyncio.create_task(shop.make(tenant, "k-1", path="/v1/slow-things")) for _ in range(10)]
    await eventually(lambda: shop.ran)
    shop.gate.set()
    answers = await asyncio.gather(*twins)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert shop.ran == ["begun", "a"]
    assert await _made(shop, tenant) == 1


async def test_a_refusal_is_not_kept_and_the_key_may_be_used_again(shop: Shop, tenant: UUID) -> None:
    refused = await shop.make(tenant, "k-1", "bad", path="/v1/refused-things")
    taken = await shop.make(tenant, "k-1", "good", path="/v1/refused-things")
    assert (refused.status_code, taken.status_code) == (409, 201)


async def test_a_fault_before_the_commit_lets_the_key_go(shop: Shop, tenant: UUID) -> None:
    assert (await shop.make(tenant, "k-1", "before", path="/v1/failing-things")).status_code == 500
    assert await shop.keys(tenant) == 0


async def test_a_fault_after_the_commit_is_never_carried_out_again(shop: Shop, tenant: UUID) -> None:
    assert (await shop.make(tenant, "k-1", "after", path="/v1/failing-things")).status_code == 500
    again = await shop.make(tenant, "k-1", "after", path="/v1/failing-things")
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_answer_lost")
    assert shop.ran == ["after", "failed"]


async def test_a_crash_is_told_apart_by_whether_its_effect_was_committed(shop: Shop, tenant: UUID) -> None:
    caller = Caller(tenant, "anna", frozenset(), frozenset(), None)

    async def die(key: str, *, committed: bool) -> idempotency.Claim:
        claim = idempotency.claim_of(caller, "POST", "/v1/things?", key, b'{"name":"a"}')
        task = asyncio.create_task(idempotency.once(shop.database, claim, lambda: _crash(committed)))
        await eventually(lambda: shop.ran)
        async with shop.database.transaction(tenant) as db:
            # The process is gone: nobody lets the claim go, and it grows old.
            await db.execute(
                update(idempotency_key).where(claim.row()).values(created_at=text("now() - interval '1 hour'"))
            )
        hanging.append(task)
        return claim

    async def _crash(committed: bool) -> idempotency.Answer:
        if committed:
            await _write(shop, tenant, "a")
        else:
            shop.ran.append("nothing yet")
        await asyncio.Event().wait()
        raise AssertionError

    hanging: list[asyncio.Task[object]] = []
    await die("k-uncommitted", committed=False)
    assert (await shop.make(tenant, "k-uncommitted")).status_code == 201
    shop.ran.clear()
    await die("k-committed", committed=True)
    lost = await shop.make(tenant, "k-committed")
    assert (lost.status_code, lost.json()["code"]) == (409, "idempotency_answer_lost")
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_an_answer_that_holds_a_secret_is_kept_nowhere(shop: Shop, tenant: UUID) -> None:
    assert (await shop.make(tenant, "k-1", path="/v1/secrets")).json() == {"token": "told once"}
    again = await shop.make(tenant, "k-1", path="/v1/secrets")
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_answer_lost")
    async with shop.database.transaction(tenant) as db:
        assert await db.scalar(select(idempotency_key.c.answer)) is None


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\tb"])
async def test_a_key_that_is_no_key_is_refused(shop: Shop, tenant: UUID, key: str) -> None:
    answer = await shop.client.post(
        "/v1/things",
        json={"name": "a"},
        headers=[
            ("Authorization", f"Bearer {service_token(shop.settings, audience='console', tenant=tenant, subject='a')}"),
            ("Idempotency-Key", key.encode()),
        ],
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_idempotency_key")


async def test_a_webhook_id_with_another_body_is_a_conflict_and_with_the_same_body_is_not(
    shop: Shop, tenant: UUID
) -> None:
    first = VerifiedSource(tenant, uuid7(), uuid7(), "invoices", b"one", "msg_1")
    async with shop.database.transaction(tenant) as db:
        await remember(db, first)
    async with shop.database.transaction(tenant) as db:
        await remember(db, first)
    other = VerifiedSource(tenant, first.source_id, first.entity_id, "invoices", b"two", "msg_1")
    with pytest.raises(WebhookReused):
        async with shop.database.transaction(tenant) as db:
            await remember(db, other)


async def test_a_key_with_no_tenant_in_reach_is_unseen(shop: Shop, tenant: UUID) -> None:
    await shop.make(tenant, "k-1")
    assert await shop.keys(uuid7()) == 0
    assert await shop.keys(tenant) == 1


async def test_the_schema_makes_the_service_ready(shop: Shop) -> None:
    ready = await shop.client.get("/healthz/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
