"""Tenants for tests: each test works in its own, so no test cleans up after another."""

from uuid import UUID

from libs.common.ids import uuid7


def fresh_tenant() -> UUID:
    """A tenant id that nobody used before."""
    return uuid7()
