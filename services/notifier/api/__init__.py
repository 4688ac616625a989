"""HTTP in, HTTP out, no rules: one module a noun."""

from collections.abc import Sequence

from fastapi import APIRouter

from services.notifier.api import (
    copies,
    deliveries,
    evidence,
    inbound,
    lookups,
    notices,
    suppressions,
    tasks,
    templates,
    volume,
)


def routers() -> Sequence[APIRouter]:
    """All routes of the notifier."""
    rooms = (notices, deliveries, tasks, templates, inbound, suppressions, volume, lookups, copies, evidence)
    return [*(room.routes for room in rooms), tasks.calls]
