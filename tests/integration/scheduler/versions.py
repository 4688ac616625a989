"""Policy versions as two people bring them into use."""

from typing import Any

import httpx

from libs.common.auth import service_token
from libs.common.settings import Settings
from tests.integration.scheduler.world import World


def as_somebody(name: str, world: World, settings: Settings) -> dict[str, str]:
    """The header of another manager of the tenant than the one of the doors, who is ada."""
    token = service_token(settings, audience="scheduler", tenant=world.tenant, subject=name, roles=("manager",))
    return {"authorization": f"Bearer {token}"}


async def act(doors: httpx.AsyncClient, draft: Any, name: str, **how: Any) -> httpx.Response:
    """One act on a version."""
    return await doors.post(f"/v1/policies/{draft['version_id']}/{name}", json={"why": f"to {name}"}, **how)


async def activated(doors: httpx.AsyncClient, draft: Any, world: World, settings: Settings) -> dict[str, Any]:
    """The draft checked by its author, approved and activated by bob."""
    bob = as_somebody("bob", world, settings)
    assert (checked := await act(doors, draft, "check")).status_code == 200, checked.text
    assert (approved := await act(doors, draft, "approve", headers=bob)).status_code == 200, approved.text
    answer = await act(doors, draft, "activate", headers=bob)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
