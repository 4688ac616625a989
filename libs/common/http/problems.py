"""Problems: every refusal and every fault leaves as RFC 9457 problem+json with a stable code, a field and a remedy.

No stack, no SQL and nothing of what was sent goes back to the client.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from libs.common import metrics
from libs.common.errors import Refused, RelanceError, Unavailable
from libs.common.retry import is_transient

MEDIA = "application/problem+json"
_RETRY = {429: "1", 503: "5"}


class InvalidRequest(Refused):
    """A field of the request is missing, unknown or not of its kind."""

    code = "invalid_request"
    remedy = "Correct the named field; the API's document lists what it takes."


class NoSuchRoute(RelanceError):
    """There is no such path here."""

    code = "not_found"
    status = 404


class MethodNotAllowed(RelanceError):
    """This path does not take this method."""

    code = "method_not_allowed"
    status = 405
    remedy = "Use one of the methods in the Allow header."


class Fault(RelanceError):
    """Something went wrong on our side; it was recorded."""

    code = "internal_error"
    remedy = "Send it again; if it stays, tell us the request id."


class _Plain(RelanceError):
    """The request was not taken."""

    code: ClassVar[str] = "refused"


def respond(error: RelanceError, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to an error, with WWW-Authenticate and Retry-After where they belong."""
    body = error.problem()
    status = int(body["status"])
    told = dict(headers or {})
    if status == 401:
        told["WWW-Authenticate"] = "Bearer"
    if status in _RETRY:
        told.setdefault("Retry-After", str(body.pop("retry_after", _RETRY[status])))
    metrics.REQUESTS_REFUSED.labels(body["code"]).inc()
    return Response(orjson.dumps(body, default=str), status, told, MEDIA)


async def known(request: Request, error: Exception) -> Response:
    """An error raised on purpose; whoever wants to hear of it left `refused` on the request."""
    ours = as_ours(error)
    hears = getattr(request.state, "refused", None)
    if hears is not None:
        hears(ours)
    return respond(ours)


async def http(request: Request, error: Exception) -> Response:
    """What the framework refuses by itself: no route, wrong method, unreadable form."""
    if not isinstance(error, HTTPException):
        return respond(as_ours(error))
    if error.status_code == 404:
        return respond(NoSuchRoute())
    if error.status_code == 405:
        return respond(MethodNotAllowed(), error.headers)
    if error.status_code == 400:
        return respond(InvalidRequest(str(error.detail)))
    plain = _Plain(str(error.detail)).problem() | {"status": error.status_code}
    return Response(orjson.dumps(plain), error.status_code, error.headers, MEDIA)


async def invalid(request: Request, error: Exception) -> Response:
    """A request that does not fit its model: the first field in full, up to twenty more listed."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    return respond(unfit(faults))


def unfit(faults: Sequence[Any]) -> InvalidRequest:
    """pydantic's list of errors as one of ours, without what was sent."""
    listed = [{"field": path(fault["loc"]), "detail": sentence(fault)} for fault in faults[:20]]
    if not listed:
        return InvalidRequest()
    found = InvalidRequest(listed[0]["detail"], field=listed[0]["field"] or None)
    if len(listed) > 1:
        found.facts["errors"] = listed
    return found


def path(location: Sequence[int | str]) -> str:
    """`("body", "lines", 0, "amount")` → `lines.0.amount`."""
    parts = location[1:] if location and location[0] in ("body", "query", "path", "header", "cookie") else location
    return ".".join(str(part)[:60] for part in parts)


def sentence(fault: Mapping[str, Any]) -> str:
    """What is wrong with one field, as a sentence."""
    if fault["type"] == "extra_forbidden":
        return "This field is not known here."
    if fault["type"] == "missing":
        return "This field is missing."
    text = str(fault["msg"]).removeprefix("Value error, ")
    return text if text.endswith(".") else f"{text}."


def as_ours(error: Exception) -> RelanceError:
    """A known error as it is, a passing trouble as Unavailable, anything else as a Fault."""
    if isinstance(error, RelanceError):
        return error
    if is_transient(error):
        return Unavailable()
    return Fault()
