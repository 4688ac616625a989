"""Which faults pass by themselves."""

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from sqlalchemy.exc import DBAPIError, InterfaceError

from libs.common.retry import backoff, is_transient, sqlstate


def _wrapped(cause: Exception) -> DBAPIError:
    return DBAPIError("select 1", {}, cause)


def _refused(why: str) -> InterfaceError:
    """What the driver itself will not do."""
    return InterfaceError("select 1", {}, asyncpg.InterfaceError(why))


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        TimeoutError(),
        KafkaConnectionError(),
        _wrapped(asyncpg.DeadlockDetectedError("40P01")),
        _wrapped(asyncpg.DiskFullError("53100")),
        _wrapped(asyncpg.ReadOnlySQLTransactionError("25006")),
        _refused("connection is closed"),
        asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
    ],
    ids=lambda error: type(getattr(error, "orig", None) or error).__name__,
)
def test_a_fault_of_the_moment_is_tried_again(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        MessageSizeTooLargeError(),
        _wrapped(asyncpg.UniqueViolationError("23505")),
        _refused("the number of query arguments cannot exceed 32767"),
    ],
    ids=lambda error: type(getattr(error, "orig", None) or error).__name__,
)
def test_a_fault_of_the_matter_is_not(error: Exception) -> None:
    assert not is_transient(error)


def test_the_code_is_read_under_every_wrapper() -> None:
    outer = RuntimeError()
    outer.__cause__ = _wrapped(asyncpg.LockNotAvailableError("55P03"))
    assert sqlstate(outer) == "55P03"


def test_the_pause_grows_to_its_cap_and_is_never_nothing() -> None:
    assert all(0.25 * 0.1 <= backoff(0) <= 0.1 for _ in range(50))
    assert all(0.25 * 5 <= backoff(99) <= 5 for _ in range(50))
