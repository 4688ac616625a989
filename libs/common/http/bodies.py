"""Bodies: how much, how slowly and what kind of JSON is read.

A body is read whole under a size and a time limit before anything looks at it. JSON is read strictly: UTF-8, no
duplicate keys, no NaN, no control characters, no deep nesting; each of these is refused with its path.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Iterator
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from libs.common.errors import Refused, RelanceError, TooLarge, UnsupportedMedia

BODY_SECONDS = 10.0
BODY_RATE = 50_000  # bytes a second that extend the time of a long body
DRAIN_MOST, DRAIN_SECONDS = 20_000_000, 2.0
DEPTH = 40
_ESCAPED = re.compile(rb"\\u(?:00[01][0-9a-fA-F]|007[fF]|[dD][89a-fA-F])|\\[bf]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LINE = r"^[^\x00-\x1f\x7f\u2028\u2029]*$"

Line = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=_LINE, strip_whitespace=True)]
"""A text of one line, 1 to 300 characters."""
Prose = Annotated[str, StringConstraints(min_length=1, max_length=5_000, strip_whitespace=True)]
"""A text of several lines, 1 to 5,000 characters."""
Reference = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_LINE, strip_whitespace=True)]
"""A number or name that another system gives, 1 to 100 characters."""
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""A whole number that fits a Postgres integer."""
Version = Annotated[int, Field(ge=0, le=2**53)]
"""A counter that fits a bigint and a JSON number."""


class MalformedBody(Refused):
    """The body is not the JSON that this route reads."""

    code = "malformed_body"
    remedy = "Send one JSON document in UTF-8 with each key once, no NaN and no control characters."


class BodyTooSlow(RelanceError):
    """The body did not arrive in time."""

    code = "body_too_slow"
    status = 408
    remedy = "Send it again over a faster connection or in smaller pieces."


class Gone(Exception):
    """The client left before its request was complete."""


class Wire(BaseModel):
    """What a client sends: unknown fields are refused with their path."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=20_000, arbitrary_types_allowed=True)


def header(scope: Scope, name: bytes) -> str | None:
    """One request header, by its lower-case name."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return None


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The whole body. Raises TooLarge, BodyTooSlow, UnsupportedMedia (compressed) or Gone."""
    if (header(scope, b"content-encoding") or "identity").lower() != "identity":
        raise UnsupportedMedia("Compressed bodies are not read.", remedy="Send the body without Content-Encoding.")
    declared = header(scope, b"content-length")
    if declared is None and header(scope, b"transfer-encoding") is None:
        return b""
    if declared is not None and declared.isdigit() and int(declared) > most:
        raise _too_large(most)
    chunks: list[bytes] = []
    size, started, more = 0, time.monotonic(), True
    while more:
        message = await _next(receive, started + BODY_SECONDS + size / BODY_RATE)
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def drain(receive: Receive) -> None:
    """Read on a little and throw it away: a client that is still writing would lose our answer to a reset."""
    left = DRAIN_MOST
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The body is larger than the {most} bytes this route takes.", most=most)


async def _next(receive: Receive, until: float) -> Message:
    try:
        async with asyncio.timeout(max(until - time.monotonic(), 0.0)):
            message = await receive()
    except TimeoutError:
        raise BodyTooSlow from None
    if message["type"] == "http.disconnect":
        raise Gone
    return message


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedBody(f"The key {twice[:60]!r} stands twice in one object.", field=twice[:60])
    return found


def _constant(text: str) -> NoReturn:
    raise MalformedBody(f"{text} is not a number of JSON.")


_STRICT = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)


def read_json(raw: bytes) -> Any:
    """One JSON document, strictly. Raises MalformedBody with the path of what is wrong."""
    try:
        found = _STRICT.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise MalformedBody("The body is not UTF-8.") from None
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        raise MalformedBody(f"Not JSON at line {error.lineno}, column {error.colno}: {error.msg}.") from None
    except ValueError:
        raise MalformedBody("A number is longer than what is read.") from None
    _shallow(found)
    if _ESCAPED.search(raw):
        _printable(found)
    return found


def _too_deep() -> MalformedBody:
    return MalformedBody(f"The body is nested deeper than {DEPTH} levels.")


def _shallow(found: Any) -> None:
    level = [found]
    for _ in range(DEPTH + 1):
        level = [
            inner
            for node in level
            for inner in (node.values() if type(node) is dict else node if type(node) is list else ())
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return
    raise _too_deep()


def _texts(found: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(found, str):
        yield path, found
    elif isinstance(found, dict):
        for name, inner in found.items():
            here = f"{path}.{name}" if path else name
            yield here, name
            yield from _texts(inner, here)
    elif isinstance(found, list):
        for index, inner in enumerate(found):
            yield from _texts(inner, f"{path}.{index}" if path else str(index))


def _printable(found: Any) -> None:
    for path, text in _texts(found, ""):
        if _CONTROL.search(text):
            raise MalformedBody("A text holds control characters.", field=_CONTROL.sub("?", path)[:200])


def is_json(content_type: str | None) -> bool:
    """Whether a Content-Type says JSON."""
    media = (content_type or "").partition(";")[0].strip().lower()
    return media == "application/json" or (media.startswith("application/") and media.endswith("+json"))


def parsed(request: Request) -> Any:
    """The JSON body that the door has already read strictly, for routes that check it line by line themselves.

    Raises UnsupportedMedia when the request does not say `Content-Type: application/json`.
    """
    if "relance.json" not in request.scope:
        raise UnsupportedMedia("Expected JSON.", remedy="Send Content-Type: application/json.")
    return request.scope["relance.json"]
