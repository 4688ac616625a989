"""Tenants: made by the installation's administrator, stopped and resumed by their own people."""

from uuid import UUID

from libs.common import directory
from libs.common.events.directory import TenantConfigured
from libs.common.ids import uuid7
from services.console.directory.change import Change


async def create(change: Change, name: str, *, sandbox: bool) -> UUID:
    """A new tenant; `change` must be over its id, which `new_id` made."""
    await change.tell(TenantConfigured, change.tenant_id, name=name, sandbox=sandbox)
    await change.note("tenant.created", "tenant", change.tenant_id, {"name": name, "sandbox": sandbox})
    return change.tenant_id


def new_id() -> UUID:
    """The id of a tenant that is about to be made."""
    return uuid7()


async def stop(change: Change, reason: str) -> None:
    """The emergency stop: nothing leaves for this tenant until it is resumed. Twice is no error."""
    await _set(change, stopped=True, reason=reason)


async def resume(change: Change, reason: str) -> None:
    """Sending goes on where it stood."""
    await _set(change, stopped=False, reason=reason)


async def _set(change: Change, *, stopped: bool, reason: str) -> None:
    found = await directory.tenant(change.db, change.tenant_id)
    await change.tell(TenantConfigured, change.tenant_id, name=found.name, sandbox=found.sandbox, stopped=stopped)
    action = "tenant.stopped" if stopped else "tenant.resumed"
    await change.note(action, "tenant", change.tenant_id, {"reason": reason})
