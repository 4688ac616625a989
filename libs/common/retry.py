"""Which faults pass by themselves, and how long to wait for them.

Transient: the network, a time-out, and the SQLSTATEs that say the database is away, full, busy or read-only.
The code is read under SQLAlchemy's wrapper; a driver error without a code is judged by its class.
"""

import random
from collections.abc import Iterator

from aiokafka.errors import KafkaError
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

TRANSIENT_CLASSES = {"08", "40", "53", "55", "57", "58"}
TRANSIENT_STATES = {"25006", "25P03", "25P04"}


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = getattr(current, "orig", None) or current.__cause__


def sqlstate(error: BaseException) -> str | None:
    """The five characters Postgres gave, wherever the wrappers hid them."""
    for link in _chain(error):
        state = getattr(link, "sqlstate", None) or getattr(link, "pgcode", None)
        if isinstance(state, str) and len(state) == 5:
            return state
    return None


def is_transient(error: BaseException) -> bool:
    """Whether the same try may succeed later with nothing changed."""
    state = sqlstate(error)
    if state is not None:
        return state[:2] in TRANSIENT_CLASSES or state in TRANSIENT_STATES
    for link in _chain(error):
        if isinstance(link, OSError | TimeoutError | InterfaceError | PoolTimeout):
            return True
        if isinstance(link, KafkaError):
            return bool(link.retriable)
        if isinstance(link, DBAPIError) and link.connection_invalidated:
            return True
        # The driver's own state is broken when a server dies in the middle of a statement: a new connection helps.
        if type(link).__name__ in ("InvalidCachedStatementError", "InternalClientError"):
            return True
    return False


def dozing(empty: int, *, least: float = 0.2, most: float = 1.0) -> float:
    """Seconds to rest after so many turns in a row that found nothing: for a loop that this process nudges and that
    only looks for what other processes recorded."""
    return min(most, least * 2.0 ** min(empty, 16))


def backoff(attempt: int, *, base: float = 0.1, cap: float = 5.0) -> float:
    """Seconds to wait before try number `attempt` + 1: doubling, capped, with full jitter above a quarter."""
    ceiling: float = min(cap, base * 2 ** min(attempt, 16))
    return ceiling * (0.25 + 0.75 * random.random())  # noqa: S311 - spreads retries, guards nothing
