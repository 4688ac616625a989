"""ETag and If-Match: an edit names the version it was made from, so that nobody overwrites what they never saw."""

from starlette.requests import Request
from starlette.responses import Response

from libs.common.errors import PreconditionFailed


def etag(version: int | str) -> str:
    """The strong ETag of a version."""
    return f'"{version}"'


def tag(response: Response, version: int | str) -> None:
    """Say the version in an answer."""
    response.headers["ETag"] = etag(version)


def check_match(request: Request, version: int | str) -> None:
    """Raises PreconditionFailed when If-Match is sent and names no present version. Call it under the row's lock."""
    shown = request.headers.get("if-match")
    if shown is None or shown.strip() == "*":
        return
    if etag(version) not in (part.strip() for part in shown.split(",")):
        raise PreconditionFailed
