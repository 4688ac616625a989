"""The envelope: CloudEvents 1.0 attributes in Kafka headers, the body as JSON.

A body is a pydantic model that knows its type, its version, its topic, its subject and its key.
Unknown fields are ignored on read, so a newer writer does not stop an older reader.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

from libs.common.errors import RelanceError
from libs.common.ids import uuid7
from libs.common.money import Money, from_wire


def _amount(value: Any) -> Money:
    try:
        return from_wire(value)
    except RelanceError as refused:
        raise ValueError(refused.detail) from refused


Amount = Annotated[
    Money,
    BeforeValidator(_amount),
    PlainSerializer(Money.wire, return_type=dict[str, str]),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {
                "amount": {"type": "string", "pattern": r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?$"},
                "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            },
            "required": ["amount", "currency"],
            "additionalProperties": False,
        }
    ),
]
"""`{"amount": "1250.00", "currency": "EUR"}` on the wire, Money inside."""


class Part(BaseModel):
    """A piece of a body."""

    model_config = ConfigDict(extra="ignore", frozen=True, arbitrary_types_allowed=True)


class Body(Part):
    """What happened, in ids and amounts. `version` is that of the aggregate, raised under its row's lock."""

    topic: ClassVar[str]
    schema_version: ClassVar[int] = 1

    tenant_id: UUID
    version: int

    @property
    def subject(self) -> UUID:
        """The aggregate this is about."""
        raise TypeError(f"{type(self).__name__} names no subject")

    @property
    def key(self) -> str:
        """What orders it: all events of one key reach a consumer in the order they were recorded."""
        return f"{self.tenant_id}:{self.subject}"


@dataclass(frozen=True, slots=True)
class Event:
    """A body with its envelope, as recorded in an outbox and as read from a topic."""

    id: UUID
    body: Any
    time: datetime
    correlation: UUID
    causation: UUID | None = None
    traceparent: str | None = None

    @property
    def type(self) -> str:
        return type(self.body).__name__

    @property
    def tenant(self) -> UUID:
        tenant: UUID = self.body.tenant_id
        return tenant

    @property
    def subject(self) -> UUID:
        subject: UUID = self.body.subject
        return subject

    @property
    def key(self) -> str:
        key: str = self.body.key
        return key


def event(body: Body, at: datetime, *, cause: Event | None = None, known_as: UUID | None = None) -> Event:
    """A new event at the business instant `at`, in the conversation and trace of the event that caused it, if any.

    `known_as` is for events that must keep one id however often they are recorded.
    """
    mine = known_as or uuid7()
    if cause is None:
        return Event(mine, body, at, mine)
    return Event(mine, body, at, cause.correlation, cause.id, cause.traceparent)


def headers(it: Event, source: str, recorded_at: datetime) -> dict[str, str]:
    """CloudEvents 1.0 binary mode: one Kafka header an attribute."""
    found = {
        "ce_specversion": "1.0",
        "ce_id": str(it.id),
        "ce_source": f"/relance/{source}",
        "ce_type": f"relance.{it.type}.v{it.body.schema_version}",
        "ce_time": it.time.astimezone(UTC).isoformat(),
        "recorded_at": recorded_at.astimezone(UTC).isoformat(),
        "ce_subject": str(it.subject),
        "ce_tenantid": str(it.tenant),
        "ce_correlationid": str(it.correlation),
        "content-type": "application/json",
    }
    if it.causation:
        found["ce_causationid"] = str(it.causation)
    if it.traceparent:
        found["traceparent"] = it.traceparent
    return found
