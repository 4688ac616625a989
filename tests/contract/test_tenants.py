"""Two tenants never meet: with one's credentials, every operation on the other's objects answers that there is no such
thing, and nothing of the other's comes back. The operations are those of the OpenAPI documents, not a list of ours.

One tenant lives a while on the real stack, so that every service holds objects of it; the ids are harvested from what
its own administrator is shown.
"""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from libs.common.demo.office import ADMINISTRATOR, MANAGER, Office
from libs.common.settings import PORTS
from tests.contract.walking import Operation, Seen, operations
from tests.support.living import living
from tests.support.world import World, working

CANARY = "zibeline"
"""Stands in every text that the first tenant tells, and in no text of the product."""
EXAMPLES, MORE = 3, 60
"""Bodies an operation is sent, and how many more where none of the first was a valid one."""
OF_ALL = {"tenant_id"}
"""Ids that name no object of a tenant's."""


class Lived:
    """What the crawl knows: the documents, the first tenant's ids, the second tenant's desk."""

    def __init__(self, world: World, stranger: Office, documents: dict[str, dict[str, Any]]) -> None:
        self.world = world
        self.mine = world.office
        self.stranger = stranger
        self.documents = documents
        self.seen = Seen()
        self.whole: dict[str, str] = {}

    def operations(self) -> list[Operation]:
        return list(operations(self.documents))

    def candidates(self, name: str) -> list[str]:
        """The first tenant's ids that a parameter of this name may mean."""
        named = self.seen.by_name.get(name, [])
        return named or self.seen.by_name.get("id", [])

    def leaks(self, answer: httpx.Response, sent: str) -> list[str]:
        """What an answer says of the first tenant that the request had not said itself."""
        text = answer.text
        known = [one for ids in self.seen.by_name.values() for one in ids if one in text and one not in sent]
        return known + ([CANARY] if CANARY in text.lower() and CANARY not in sent.lower() else [])


async def _live(world: World) -> None:
    """A debtor, invoices, a reminder, a call, a promise, a dispute, money with and without a home, a quarantine."""
    await world.debtor(CANARY.upper())
    due = working(world.today + timedelta(days=1))
    for number in range(3):
        await world.invoice(f"{CANARY}-{number}", CANARY.upper(), due, f"77{number}.00")
    await world.at(working(due + timedelta(days=2)))
    await world.at(working(due + timedelta(days=10)))
    await world.at(working(due + timedelta(days=15)))
    await world.pay("123.45", f"{CANARY} inconnu", payer=CANARY)
    await world.pay("770.00", f"{CANARY}-0", payer=CANARY)
    await world.bank_day(world.today)
    await world.office.settled()


async def _harvest(lived: Lived) -> None:
    """Read everything that the first tenant may read, again until no new id comes."""
    reads = [it for it in lived.operations() if it.method == "get"]
    for _ in range(3):
        for it in reads:
            for path in _paths(it, lived.seen)[:40]:
                answer = await lived.mine.ask("GET", it.service, path, by=ADMINISTRATOR)
                if answer.is_success and "json" in answer.headers.get("content-type", ""):
                    lived.seen.harvest(answer.json())
                    lived.whole[f"{it.service} {path}"] = answer.text


def _paths(it: Operation, seen: Seen) -> list[str]:
    """The operation's path with every id that fits its last parameter."""
    found = [it.path]
    for name in it.ids():
        ids = seen.by_name.get(name) or seen.by_name.get("id", [])
        found = [path.replace("{" + name + "}", one) for path in found for one in ids]
    return found


@pytest.fixture(scope="module")
async def lived() -> AsyncIterator[Lived]:
    with living() as stack:
        world = await World.open(stack)
        stranger = Office(stack.settings)
        await stranger.open_tenant("Stranger")
        await stranger.open_entity("Stranger SAS")
        async with httpx.AsyncClient(trust_env=False) as client:
            documents = {name: (await client.get(f"{stack.settings.urls[name]}/openapi.json")).json() for name in PORTS}
        found = Lived(world, stranger, documents)
        await _live(world)
        await _harvest(found)
        yield found
        await world.office.close()
        await stranger.close()


def _uuids(it: Operation) -> list[str]:
    told = {parameter["name"]: parameter.get("schema", {}) for parameter in it.told.get("parameters", [])}
    return [name for name in it.ids() if told.get(name, {}).get("format") == "uuid" and name not in OF_ALL]


async def test_the_first_tenant_has_objects_behind_most_operations(lived: Lived) -> None:
    asked = [it for it in lived.operations() if _uuids(it)]
    empty = [it.name for it in asked if not all(lived.candidates(name) for name in _uuids(it))]
    assert asked
    assert len(empty) <= len(asked) // 3, empty


async def test_no_list_shows_another_tenants_objects(lived: Lived) -> None:
    told: list[str] = []
    for it in lived.operations():
        if it.method != "get" or it.ids():
            continue
        answer = await lived.stranger.ask("GET", it.service, it.path, by=ADMINISTRATOR)
        if leaks := lived.leaks(answer, it.path):
            told.append(f"{it.name}: {answer.status_code} {leaks[:3]}")
    assert told == []


async def test_no_operation_reaches_another_tenants_object(lived: Lived) -> None:
    wrong: list[str] = []
    for it in lived.operations():
        names = _uuids(it)
        if not names or it.path.startswith("/v1/webhooks/"):
            continue
        for path in _foreign(it, names, lived)[:2]:
            wrong += await _knock(it, path, lived)
    assert wrong == []


def _foreign(it: Operation, names: list[str], lived: Lived) -> list[str]:
    """The operation's path on the first tenant's objects; other parameters get something harmless."""
    found = [it.path]
    for name in it.ids():
        values = lived.candidates(name) if name in names else _harmless(it, name)
        found = [path.replace("{" + name + "}", value) for path in found for value in values[:3]]
    return found


def _harmless(it: Operation, name: str) -> list[str]:
    """A value of a path's parameter that is no id: one of those that the document lists, or a word."""
    told = next((one["schema"] for one in it.told.get("parameters", []) if one["name"] == name), {})
    return [str(each) for each in told.get("enum", [])] or ["x"]


async def _knock(it: Operation, path: str, lived: Lived) -> list[str]:
    """With the stranger's credentials and bodies that the document allows: refused, and silent."""
    wrong: list[str] = []
    statuses: list[int] = []
    for body in _tried(it, lived, statuses):
        sent = path + json.dumps(body, default=str)
        how = {} if body is None else {"json": body}
        answer = await lived.stranger.ask(it.method.upper(), it.service, path, by=ADMINISTRATOR, **how)
        statuses.append(answer.status_code)
        if answer.is_success or lived.leaks(answer, sent):
            wrong.append(f"{it.name}: {answer.status_code} {answer.text[:300]}")
    if not {403, 404} & set(statuses):
        wrong.append(f"{it.name}: never refused as unknown, {sorted(set(statuses))}")
    return wrong


def _tried(it: Operation, lived: Lived, statuses: list[int]) -> Iterator[Any]:
    """A few bodies; many more while every answer is that the body is no valid one."""
    yield from _bodies(it, lived)
    if set(statuses) == {422}:
        yield from _bodies(it, lived, MORE)


def _bodies(it: Operation, lived: Lived, examples: int = EXAMPLES) -> list[Any]:
    """A few bodies that fit the document, with the first tenant's ids where ids are meant."""
    if "application/json" not in it.told.get("requestBody", {}).get("content", {}):
        return [None]
    operation = schemathesis.openapi.from_dict(lived.documents[it.service])[it.path][it.method.upper()]
    found: list[Any] = []

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(), st.none())
    def draw(case: schemathesis.Case, _: None) -> None:
        if isinstance(case.body, dict | list):
            found.append(lived.seen.into(case.body, {}))

    draw()
    return found or [{}]


async def test_bodies_that_name_another_tenants_objects_bring_nothing_back(lived: Lived) -> None:
    wrong: list[str] = []
    for it in lived.operations():
        if it.ids() or it.method == "get" or it.path.endswith(("/tenants", "/rest", "/stop", "/resume")):
            continue
        for body in _bodies(it, lived):
            who = {"by": MANAGER} if it.path.startswith("/internal/") else {"by": ADMINISTRATOR}
            answer = await lived.stranger.ask(it.method.upper(), it.service, it.path, json=body, **who)
            if leaks := lived.leaks(answer, json.dumps(body, default=str)):
                wrong.append(f"{it.name}: {answer.status_code} {leaks[:3]} {answer.text[:200]}")
    assert wrong == []


async def test_a_key_of_one_tenant_opens_nothing_of_another(lived: Lived) -> None:
    body = {"label": "stranger", "scopes": ["invoices:read", "debtors:read", "payments:read"]}
    made = await lived.stranger.post("console", "/v1/directory/api-keys", body, by=ADMINISTRATOR)
    headers = {"authorization": f"Bearer {made['token']}"}
    for it in lived.operations():
        for path in _foreign(it, _uuids(it), lived)[:1] if it.method == "get" and _uuids(it) else []:
            answer = await lived.stranger.client.get(lived.stranger.settings.urls[it.service] + path, headers=headers)
            assert answer.status_code in (401, 403, 404, 422), it.name
            assert not lived.leaks(answer, path)


async def test_the_first_tenants_objects_are_as_they_were(lived: Lived) -> None:
    await lived.mine.settled()
    changed: list[str] = []
    for known, before in lived.whole.items():
        service, _, path = known.partition(" ")
        if not path.startswith("/v1/") or any(word in path for word in ("audit", "explain", "bank-accounts")):
            continue
        answer = await lived.mine.ask("GET", service, path, by=ADMINISTRATOR)
        if answer.text != before and "as_of" not in before:
            changed.append(f"{known}\n{before[:300]}\n{answer.text[:300]}")
    assert changed == []
