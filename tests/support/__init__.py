"""What tests share: the real stack (stack.py), tenants of their own (tenants.py) and waiting on a condition."""

from tests.support.tenants import fresh_tenant
from tests.support.waiting import eventually

__all__ = ["eventually", "fresh_tenant"]
