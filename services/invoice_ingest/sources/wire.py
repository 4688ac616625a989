"""The plain values of the contract: text without control characters, dates that are dates, versions that compare.

Nothing is guessed here: a number where text is due, an instant where a date is due, or a field that nobody knows is
refused with its path.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from pydantic.json_schema import WithJsonSchema

from services.invoice_ingest.errors import ContractBroken


class Wire(BaseModel):
    """A body, or a part of one: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, arbitrary_types_allowed=True)


_CLEAN = r"^[^\x00-\x1f\x7f]*$"
_DATE = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MICRO = 1_000_000


def _day(value: Any) -> date:
    if isinstance(value, str) and _DATE.fullmatch(value):
        return date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError("a date is written 2026-11-30 and lies in this century")


Day = Annotated[
    date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date", "pattern": f"^{_DATE.pattern}$"})
]
"""A calendar date of this century, in the zone of the entity."""


def _version(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a version is a whole number or the instant of the change")
    if isinstance(value, str):
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is None:
            raise ValueError("the instant of a version needs its zone, such as 2026-11-30T10:00:00Z")
        since = instant.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        value = since.days * 86400 * _MICRO + since.seconds * _MICRO + since.microseconds
    if not 0 <= value < 2**53:
        raise ValueError("a version lies between 0 and 2^53")
    return int(value)


Version = Annotated[
    int,
    BeforeValidator(_version),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 2**53 - 1}, {"type": "string", "format": "date-time"}]}
    ),
]
"""The source's own count or change time of an object; instants become microseconds since 1970."""

Key = Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=_CLEAN)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=_CLEAN)]
Number = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_CLEAN)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


def _words(value: Any) -> Any:
    return " ".join(value.split()) if isinstance(value, str) else value


Words = Annotated[str, StringConstraints(max_length=2000), BeforeValidator(_words)]
"""Free text: white space of any kind becomes single spaces."""

Percent = Annotated[str, StringConstraints(pattern=r"^(?:[0-9]|[1-9][0-9])(?:\.[0-9]{1,4})?$")]
"""A percentage as decimal text, under 100."""

Compact = Annotated[str, BeforeValidator(lambda v: re.sub(r"[\s.-]", "", v) if isinstance(v, str) else v)]
Siren = Annotated[Compact, StringConstraints(pattern=r"^[0-9]{9}$")]
Vat = Annotated[Compact, StringConstraints(to_upper=True, pattern=r"^[A-Z]{2}[A-Z0-9+*]{2,13}$")]


def broken(error: ValidationError | Sequence[Mapping[str, Any]]) -> ContractBroken:
    """The first thing that is wrong, as a refusal with the path of the field."""
    wrong = error.errors(include_url=False, include_input=False) if isinstance(error, ValidationError) else error
    first = wrong[0]
    path = ".".join(str(part) for part in first["loc"]) or "body"
    remedy = "Leave this field out: nobody knows it." if first["type"] == "extra_forbidden" else ""
    others = f" ({len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return ContractBroken(f"{path}: {first['msg'].removeprefix('Value error, ')}{others}", field=path, remedy=remedy)
