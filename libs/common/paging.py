"""Pages of a list: an opaque cursor that holds the place after the last line, signed so that it cannot be made up.

A list is ordered by columns that end in a unique one; the next page asks for what is greater than the cursor's place.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import orjson
from fastapi import Query

from libs.common.errors import Refused
from libs.common.settings import Settings

Limit = Annotated[int, Query(ge=1, le=200, description="Lines a page.")]
Cursor = Annotated[str | None, Query(max_length=1_000, description="`next` of the page before.")]
_READERS: dict[str, Callable[[str], Any]] = {"u": UUID, "d": date.fromisoformat, "t": datetime.fromisoformat, "s": str}
Row = TypeVar("Row")


class InvalidCursor(Refused):
    """This cursor is not one that this list gave."""

    code = "invalid_cursor"
    remedy = "Send `next` as it was given, or leave it out to begin again."


def _signed(settings: Settings, kind: str, body: bytes) -> bytes:
    return hmac.digest(settings.service_secret, b"cursor\0" + kind.encode() + b"\0" + body, hashlib.sha256)[:12]


def _told(part: Any) -> Any:
    for tag, of in (("u", UUID), ("t", datetime), ("d", date)):
        if isinstance(part, of):
            return [tag, part.isoformat() if isinstance(part, date) else str(part)]
    return ["s", part] if isinstance(part, str) else part


def cursor(settings: Settings, kind: str, *place: UUID | date | datetime | str | int | None) -> str:
    """The cursor of one list (`kind`, such as "invoices") after this place."""
    body = orjson.dumps([_told(part) for part in place])
    return base64.urlsafe_b64encode(_signed(settings, kind, body) + body).rstrip(b"=").decode()


def place(settings: Settings, kind: str, shown: str | None) -> list[Any] | None:
    """What `cursor` was given, with its types; None for the first page. Raises InvalidCursor."""
    if shown is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(shown.encode("ascii") + b"=" * (-len(shown) % 4))
    except ValueError:
        raise InvalidCursor(field="cursor") from None
    mac, body = raw[:12], raw[12:]
    if not hmac.compare_digest(mac, _signed(settings, kind, body)):
        raise InvalidCursor(field="cursor")
    return [_READERS[part[0]](part[1]) if isinstance(part, list) else part for part in orjson.loads(body)]


def cut(rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], Row | None]:
    """Of `limit` + 1 rows read: the page, and its last row if there is more after it."""
    return (rows[:limit], rows[limit - 1]) if len(rows) > limit else (rows, None)
