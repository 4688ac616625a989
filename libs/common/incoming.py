"""A record read: envelope and body, or why it cannot be read.

Three things are not the same: a type that nobody here hears (skipped), a version that this release does not know
(the partition waits for a release that does), bytes that no release will ever read (set aside at once).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError

from libs.common.errors import RelanceError
from libs.common.events import Event
from libs.common.events.envelope import Body
from libs.common.ids import named
from libs.common.inbox import month_of
from libs.common.tables import NOBODY


class UnknownVersion(RelanceError):
    """An event came in a version that this release does not know."""

    code = "unknown_version"
    remedy = "Deploy the release that reads it; the partition waits."


class Unreadable(RelanceError):
    """A record cannot be read as an event."""

    code = "unreadable"


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it lay on the topic, or as it was put aside."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def type(self) -> str | None:
        """`InvoiceIssued` of `relance.InvoiceIssued.v1`; None if it names no type in that form."""
        parts = self.headers.get("ce_type", "").split(".")
        return parts[1] if len(parts) == 3 and parts[0] == "relance" else None

    @property
    def version(self) -> str:
        """`v1` of `relance.InvoiceIssued.v1`."""
        return self.headers.get("ce_type", "").rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record with what it says: `event`, or `error` when it cannot be read."""

    record: Record
    event_id: UUID
    tenant: UUID
    month: date
    event: Event | None = None
    error: Unreadable | None = None

    @property
    def lane(self) -> tuple[str, bytes] | None:
        """What it must keep its order in: topic and key; None without a key."""
        return (self.record.topic, self.record.key) if self.record.key is not None else None


def from_kafka(it: Any) -> Record:
    """A record of aiokafka's. Headers that are no UTF-8 are read with replacement, so that they can be shown."""
    headers = {name: (value or b"").decode(errors="replace") for name, value in it.headers}
    return Record(it.topic, it.partition, it.offset, it.key, headers, it.value)


def from_row(row: Any) -> Record:
    """A record that was put aside in a dead letter or parked."""
    place = (row.topic, row.kafka_partition, row.kafka_offset)
    return Record(*place, row.key, orjson.loads(row.headers), row.body)


def read(record: Record, heard: Mapping[str, type[Body]], now: datetime) -> Incoming | None:
    """What the record says; None if it is not for us: erased, or of a type that is not in `heard`.

    Raises UnknownVersion for a heard type in a version that this release does not know.
    """
    if record.body is None:
        return None
    kind = record.type
    if kind is not None and kind not in heard:
        return None
    if kind is not None and record.version != f"v{heard[kind].schema_version}":
        place = f"{record.topic} {record.partition} at {record.offset}"
        raise UnknownVersion(f"{record.headers['ce_type']} on {place}.")
    try:
        if kind is None:
            raise Unreadable("The record names no type.")
        return _read(record, heard[kind], now)
    except (Unreadable, ValueError, KeyError) as error:
        return _unreadable(record, now, error)


def _read(record: Record, kind: type[Body], now: datetime) -> Incoming:
    headers = record.headers
    body = kind.model_validate_json(record.body or b"")
    cause = headers.get("ce_causationid")
    event = Event(
        UUID(headers["ce_id"]),
        body,
        _instant(headers["ce_time"]),
        UUID(headers["ce_correlationid"]),
        UUID(cause) if cause else None,
        headers.get("traceparent"),
    )
    if headers["ce_tenantid"] != str(body.tenant_id):
        raise Unreadable("The envelope names another tenant than the body.")
    return Incoming(record, event.id, body.tenant_id, month_of(recorded_at(record, now), now), event)


def _unreadable(record: Record, now: datetime, error: Exception) -> Incoming:
    if isinstance(error, ValidationError):
        # The values themselves may be personal data; the paths are not.
        detail = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in error.errors()[:5])
    else:
        detail = error.detail if isinstance(error, Unreadable) else f"{type(error).__name__}: {error}"
    place = (record.topic, record.partition, record.offset)
    marked = named("record", *place, (record.key or b"").hex(), (record.body or b"").hex())
    return Incoming(
        record,
        _uuid(record.headers.get("ce_id")) or marked,
        _uuid(record.headers.get("ce_tenantid")) or NOBODY,
        month_of(recorded_at(record, now), now),
        error=Unreadable(detail),
    )


def recorded_at(record: Record, otherwise: datetime) -> datetime:
    """When the event was recorded by the machine's clock."""
    try:
        return _instant(record.headers["recorded_at"])
    except (KeyError, ValueError):
        return otherwise


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
