"""Every error the product raises on purpose, as one tree. The docstring is the message, the code is for programs.

RelanceError
├── Refused (422)              what was sent cannot be taken; field and remedy say why
│   ├── InvalidAmount          ├── UnknownCurrency        └── CurrencyMismatch
├── Unauthenticated (401)      ├── Forbidden (403)        ├── NotFound (404)
├── Conflict (409)             a state that the request did not expect
│   ├── VersionConflict        ├── IdempotencyConflict    └── SetChanged
├── TooLarge (413)             ├── UnsupportedMedia (415) ├── PreconditionFailed (412)
├── QuotaExceeded (429)        your limit, with Retry-After
├── Unavailable (503)          our trouble, with Retry-After: nothing was taken, safe to repeat
└── Impossible                 an event that no state of ours can take: set aside at once
"""

from typing import Any, ClassVar


class RelanceError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    remedy: ClassVar[str] = ""

    def __init__(self, detail: str = "", *, field: str | None = None, remedy: str = "", **facts: Any) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.field = field
        self.remedy_text = remedy or type(self).remedy
        self.facts = facts
        super().__init__(self.detail)

    def problem(self) -> dict[str, Any]:
        """The RFC 9457 body: type, title, status, code, detail, and field and remedy where there are any."""
        body: dict[str, Any] = {
            "type": f"urn:relance:problem:{self.code}",
            "title": (type(self).__doc__ or "").strip().split("\n")[0],
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.field is not None:
            body["field"] = self.field
        if self.remedy_text:
            body["remedy"] = self.remedy_text
        return body | self.facts


class Refused(RelanceError):
    """What was sent cannot be taken."""

    code = "refused"
    status = 422


class InvalidAmount(Refused):
    """The amount is not a plain decimal number of the currency."""

    code = "invalid_amount"
    remedy = 'Send digits with a point, such as "1250.00", and no more decimals than the currency has.'


class UnknownCurrency(Refused):
    """The currency is not an ISO 4217 code in use."""

    code = "unknown_currency"
    remedy = "Send the three capital letters of ISO 4217, such as EUR."


class CurrencyMismatch(Refused):
    """Amounts of two currencies cannot be added or compared."""

    code = "currency_mismatch"
    remedy = "Send every amount of one document in the same currency."


class Unauthenticated(RelanceError):
    """The credentials are missing, wrong or expired."""

    code = "unauthenticated"
    status = 401
    remedy = "Send a valid key, token or signature."


class Forbidden(RelanceError):
    """These credentials do not allow this."""

    code = "forbidden"
    status = 403
    remedy = "Use credentials with the scope or role that this needs."


class NotFound(RelanceError):
    """There is no such thing here."""

    code = "not_found"
    status = 404


class Conflict(RelanceError):
    """The present state does not allow this."""

    code = "conflict"
    status = 409


class VersionConflict(Conflict):
    """The same version was sent before with other content."""

    code = "version_conflict"
    remedy = "Raise the version with every change, or send the content that belongs to it."


class IdempotencyConflict(Conflict):
    """This Idempotency-Key was used with another body."""

    code = "idempotency_conflict"
    remedy = "Use a new key for a new request."


class SetChanged(Conflict):
    """The set that was approved is not the set that is there now."""

    code = "set_changed"
    remedy = "Look at the list again and approve what it shows now."


class PreconditionFailed(RelanceError):
    """The object was changed since it was read."""

    code = "precondition_failed"
    status = 412
    remedy = "Read it again and send its ETag in If-Match."


class TooLarge(RelanceError):
    """The body is larger than this route takes."""

    code = "too_large"
    status = 413
    remedy = "Send smaller pieces."


class UnsupportedMedia(RelanceError):
    """This kind of content is not read here."""

    code = "unsupported_media"
    status = 415


class QuotaExceeded(RelanceError):
    """You sent more than your quota; nothing was taken."""

    code = "quota_exceeded"
    status = 429
    remedy = "Wait for the seconds of Retry-After and send it again."


class Unavailable(RelanceError):
    """We cannot take this now; nothing was taken and it is safe to repeat."""

    code = "unavailable"
    status = 503
    remedy = "Wait for the seconds of Retry-After and send it again."


class Impossible(RelanceError):
    """No state of ours can take this event."""

    code = "impossible"
