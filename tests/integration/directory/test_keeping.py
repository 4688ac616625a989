"""The directory as a service keeps it: the highest version wins, and credentials resolve across tenants."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import ProgrammingError

from libs.common import directory
from libs.common.db import Database
from libs.common.devstack.postgres import Postgres
from libs.common.directory import INSTALLATION, FirstReading, new_key, readiness
from libs.common.errors import NotFound
from libs.common.events import Event, event
from libs.common.events.directory import (
    ApiKeyIssued,
    ApiKeyRevoked,
    BankDetailsApproved,
    DirectoryBody,
    EntityConfigured,
    SourceConfigured,
    TenantConfigured,
)
from libs.common.ids import uuid7
from libs.common.runtime import Pulse
from libs.common.settings import Settings
from tests.support import eventually, fresh_tenant

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
async def loops(settings: Settings, postgres: Postgres) -> AsyncIterator[Database]:
    """The loops' role of a service that is not the directory's master."""
    database = Database(settings, "scheduler", "loop")
    yield database
    await database.close()


@pytest.fixture(scope="module")
async def doors(settings: Settings, postgres: Postgres) -> AsyncIterator[Database]:
    database = Database(settings, "scheduler", "api")
    yield database
    await database.close()


def told(body: DirectoryBody) -> Event:
    return event(body, AT)


def entity(tenant: UUID, entity_id: UUID, version: int, **facts: Any) -> Event:
    sender = {"sender_name": "Relance", "sender_email": "relance@armorea.example"}
    named = {"entity_id": entity_id, "name": f"Version {version}"} | sender | facts
    return told(EntityConfigured(tenant_id=tenant, version=version, directory_version=version, **named))


async def hear(database: Database, *events: Event) -> None:
    for one in events:
        async with database.transaction() as db:
            await directory.handlers()[type(one.body)](db, [one])


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
async def test_the_highest_version_of_an_entry_wins_in_whatever_order(loops: Database, order: tuple[int, ...]) -> None:
    tenant, entity_id = fresh_tenant(), uuid7()
    await hear(loops, *(entity(tenant, entity_id, version) for version in order))
    async with loops.transaction() as db:
        found = await directory.entity(db, tenant, entity_id)
    assert (found.name, found.version) == ("Version 3", 3)


async def test_many_entries_are_written_in_one_statement(loops: Database) -> None:
    tenant, ids = fresh_tenant(), sorted(uuid7() for _ in range(30))
    async with loops.transaction() as db:
        await directory.keep(db, [entity(tenant, each, 1) for each in ids])
        found = await directory.entities(db, tenant)
    assert [each.entity_id for each in found] == ids


async def test_entities_are_asked_for_by_their_ids_and_never_across_tenants(loops: Database) -> None:
    mine, theirs = fresh_tenant(), fresh_tenant()
    first, second, foreign = uuid7(), uuid7(), uuid7()
    await hear(loops, entity(mine, first, 1), entity(mine, second, 1), entity(theirs, foreign, 1))
    async with loops.transaction() as db:
        found = await directory.entities(db, mine, [first, foreign])
        with pytest.raises(NotFound):
            await directory.entity(db, mine, foreign)
    assert [each.entity_id for each in found] == [first]


@pytest.mark.parametrize("revoked_first", [True, False])
async def test_a_revoked_key_stays_revoked_whichever_event_comes_first(
    loops: Database, doors: Database, revoked_first: bool
) -> None:
    tenant, key_id, key = fresh_tenant(), uuid7(), new_key()
    facts = {"tenant_id": tenant, "key_id": key_id}
    secret = {"prefix": key.prefix, "secret_sha256": key.secret_sha256, "scopes": ["invoices:read"]}
    issued = told(ApiKeyIssued(version=1, directory_version=1, **facts, **secret))
    revoked = told(ApiKeyRevoked(version=2, directory_version=2, **facts))
    await hear(loops, *((revoked, issued) if revoked_first else (issued, revoked)))
    async with doors.transaction() as db:
        found = await directory.api_key(db, key.prefix)
    assert found is None or found.revoked


async def test_a_key_is_found_by_its_prefix_alone_and_opens_until_it_expires(loops: Database, doors: Database) -> None:
    tenant, key = fresh_tenant(), new_key("test")
    secret = key.token.removeprefix(key.prefix + "_")
    facts = {"key_id": uuid7(), "prefix": key.prefix, "secret_sha256": key.secret_sha256}
    ends = AT + timedelta(days=1)
    body = ApiKeyIssued(
        tenant_id=tenant, version=1, directory_version=1, scopes=["invoices:read"], expires_at=ends, **facts
    )
    await hear(loops, told(body))
    async with doors.transaction() as db:
        found = await directory.api_key(db, key.prefix)
        assert await directory.api_key(db, key.prefix[:-1] + "%") is None
    assert found is not None
    assert (found.tenant_id, found.scopes) == (tenant, {"invoices:read"})
    assert found.opens(secret, AT)
    assert not found.opens(secret[:-1] + "x", AT)
    assert not found.opens(secret, ends)


async def test_a_source_is_found_by_its_id_alone(loops: Database, doors: Database) -> None:
    tenant, source_id, entity_id = fresh_tenant(), uuid7(), uuid7()
    facts = {"source_id": source_id, "entity_id": entity_id, "slug": "sap", "purpose": "payments"}
    body = SourceConfigured(tenant_id=tenant, version=1, directory_version=1, sealed_secrets=["a", "b"], **facts)
    await hear(loops, told(body))
    async with doors.transaction() as db:
        found = await directory.source(db, source_id)
        assert await directory.source(db, uuid7()) is None
    assert found is not None
    assert (found.tenant_id, found.entity_id, found.sealed_secrets, found.active) == (
        tenant,
        entity_id,
        ("a", "b"),
        True,
    )


async def test_only_the_doors_role_may_resolve_credentials(settings: Settings, loops: Database) -> None:
    with pytest.raises(ProgrammingError, match="permission denied for function resolve_credential"):
        async with loops.transaction() as db:
            await directory.api_key(db, "rk_live_aaaaaaaa")


async def test_the_doors_see_the_entries_of_the_tenants_they_name_and_no_others(
    loops: Database, doors: Database
) -> None:
    mine, theirs = fresh_tenant(), fresh_tenant()
    for tenant in (mine, theirs):
        await hear(loops, told(TenantConfigured(tenant_id=tenant, version=1, directory_version=1, name="T")))
    async with doors.transaction(mine) as db:
        assert [each.tenant_id for each in await directory.tenants(db)] == [mine]


async def test_approved_bank_details_are_read_with_the_instant_they_take_effect(loops: Database) -> None:
    tenant, entity_id = fresh_tenant(), uuid7()
    facts = {"bank_account_id": uuid7(), "entity_id": entity_id, "iban": "FR761234", "holder": "Armoréa"}
    body = BankDetailsApproved(tenant_id=tenant, version=1, directory_version=1, effective_at=AT, **facts)
    await hear(loops, told(body))
    async with loops.transaction() as db:
        found = await directory.bank_details(db, tenant, entity_id)
    assert [(each.iban, each.effective_at) for each in found] == [("FR761234", AT)]


async def test_what_was_heard_of_one_entry_is_told_apart_from_what_was_heard_in_all(loops: Database) -> None:
    tenant, early, late = fresh_tenant(), uuid7(), uuid7()
    far = entity(tenant, late, 1_000_000)
    await hear(loops, entity(tenant, early, 5), far)
    async with loops.transaction() as db:
        assert await directory.entry_version(db, tenant, "entity", early) == 5
        assert await directory.entry_version(db, tenant, "entity", uuid7()) == 0
        assert await directory.heard(db) >= 1_000_000


async def test_a_fresh_copy_serves_only_once_it_was_read_to_the_end_seen_at_start(
    settings: Settings, postgres: Postgres
) -> None:
    loops, doors = Database(settings, "notifier", "loop"), Database(settings, "notifier", "api")
    committed = {0: 3}

    async def ends() -> dict[int, int]:
        return {0: 5, 1: 0}

    async def so_far() -> dict[int, int]:
        return committed

    pulse = Pulse()
    check = readiness(doors)
    assert await check() == "The directory has not been read to its end yet."
    reading = FirstReading(loops, ends, so_far)
    assert not await reading.look()
    assert await check() is not None
    committed[0] = 5
    assert await reading.look()
    assert await check() is None
    pulse.stopping.set()
    await FirstReading(loops, ends, so_far).run(pulse)
    for database in (loops, doors):
        await database.close()
    assert INSTALLATION.int == 0


async def test_the_broker_tells_how_far_a_group_has_read_the_directory(settings: Settings, kafka: Any) -> None:
    broker = directory.Broker(settings, f"relance.test-{uuid7()}")
    ends = await eventually(broker.ends)
    assert len(ends) == 12
    assert set((await broker.committed()).values()) == {0}
