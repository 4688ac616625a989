"""Which faults pass by themselves, and how long to wait for them.

Transient: the network, a time-out, and the SQLSTATEs that say the database is away, full, busy or read-only.
The code is read under SQLAlchemy's wrapper; a driver error without a code is judged by its class.
"""

import random
import re
from collections.abc import Iterator

from aiokafka.errors import KafkaError
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

TRANSIENT_CLASSES = {"08", "40", "53", "55", "57", "58"}
TRANSIENT_STATES = {"25006", "25P03", "25P04"}
_OF_CONNECTION = re.compile("closed|released|in progress")


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
        if isinstance(link, OSError | TimeoutError | PoolTimeout) or _of_connection(link):
            return True
        if isinstance(link, KafkaError):
            return bool(link.retriable)
        # The driver's own state is broken when a server dies in the middle of a statement: a new connection helps.
        if type(link).__name__ in ("InvalidCachedStatementError", "InternalClientError"):
            return True
    return False


def interruption(error: BaseException) -> dict[str, str | None]:
    """What a log may say of a fault: its classes, ours and the driver's, and its SQLSTATE; never its values."""
    return {"error": " < ".join(type(link).__name__ for link in _chain(error)), "sqlstate": sqlstate(error)}


def _of_connection(link: BaseException) -> bool:
    """The driver's InterfaceError is a connection that is gone, but also a call that it can never take, such as one
    with more than 32,767 parameters."""
    lost = isinstance(link, DBAPIError) and link.connection_invalidated
    return lost or (isinstance(link, InterfaceError) and _OF_CONNECTION.search(str(link.orig)) is not None)


def dozing(empty: int, *, least: float = 0.2, most: float = 1.0) -> float:
    """Seconds to rest after so many turns in a row that found nothing: for a loop that this process nudges and that
    only looks for what other processes recorded."""
    return min(most, least * 2.0 ** min(empty, 16))


def backoff(attempt: int, *, base: float = 0.1, cap: float = 5.0) -> float:
    """Seconds to wait before try number `attempt` + 1: doubling, capped, with full jitter above a quarter."""
    ceiling: float = min(cap, base * 2 ** min(attempt, 16))
    return ceiling * (0.25 + 0.75 * random.random())  # noqa: S311 - spreads retries, guards nothing
