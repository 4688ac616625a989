"""What comes back by mail, read: a bounce (RFC 3464), a complaint (RFC 5965), an automatic answer (RFC 3834), a person.

Pure. Nothing is concluded from the words of a reply: whoever wrote it, a person reads it. The delivery it belongs to
is found by our signed token in the address, else by our Message-ID in References, else in the returned headers. A
report that says something else than "unwanted" (not spam, a failed signature) is an automatic answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage, Message
from email.utils import getaddresses, parseaddr
from typing import Literal
from uuid import UUID

from services.notifier.errors import MailUnreadable
from services.notifier.tokens import Tokens

LIMIT = 10_000_000
TEXT_LIMIT = 20_000
_IDS = re.compile(r"<([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})@[^<>\s]+>")
_TOKEN = re.compile(r"\+([a-z2-7]{39})@")
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_AWAY = re.compile(
    r"^(re\s*:\s*)?(automatic reply|auto[- ]?reply|out of (the )?office|réponse automatique|absence|absent|"
    r"message d'absence|abwesenheit|respuesta automática)\b",
    re.IGNORECASE,
)
_DAEMONS = ("mailer-daemon", "postmaster")

COMPLAINTS = frozenset({"abuse", "fraud", "virus", "other"})
"""Feedback types by which a reader, or a mailbox provider for one, says that a mail is unwanted."""

Kind = Literal["bounce", "delayed", "auto_reply", "reply", "complaint"]


@dataclass(frozen=True, slots=True)
class Mail:
    """One inbound message. `delivery_ids` are those it may belong to, the surest first; `status` is RFC 3463's, or what
    a complaint is about."""

    kind: Kind
    message_id: str
    sender: str
    subject: str
    text: str
    delivery_ids: tuple[UUID, ...]
    status: str = ""
    recipient: str = ""

    @property
    def permanent(self) -> bool:
        return self.kind == "bounce" and self.status.startswith("5")


def read(raw: bytes, tokens: Tokens) -> Mail:
    """Raw MIME as it arrived. Raises MailUnreadable when it is no message at all."""
    if len(raw) > LIMIT:
        raise MailUnreadable(f"A message has at most {LIMIT} bytes.")
    try:
        parsed = message_from_bytes(raw, policy=_LENIENT)
        headers = {name.lower(): _plain(value) for name, value in parsed.raw_items()}
    except (MessageError, ValueError, LookupError) as error:
        raise MailUnreadable(f"The message cannot be read: {type(error).__name__}.") from error
    if not headers.keys() & {"from", "to", "subject", "message-id", "return-path"}:
        raise MailUnreadable("These bytes have no mail headers.")
    reports = _reports(parsed)
    kind, status, recipient = _kind(parsed, headers, reports)
    return Mail(
        kind=kind,
        message_id=headers.get("message-id", "").strip()[:500],
        sender=parseaddr(headers.get("from", ""))[1].lower()[:254],
        subject=" ".join(_decoded(parsed, "subject").split())[:500],
        text=_text(parsed)[:TEXT_LIMIT],
        delivery_ids=tuple(dict.fromkeys(_deliveries(parsed, headers, tokens))),
        status=status,
        recipient=recipient,
    )


_LENIENT = policy.default.clone(raise_on_defect=False)


def _plain(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode().replace("\x00", "")


def _decoded(parsed: Message, name: str) -> str:
    try:
        return _plain(parsed.get(name, ""))
    except (ValueError, LookupError, IndexError):
        return ""


def _reports(parsed: EmailMessage) -> list[Message]:
    """The per-recipient groups of a delivery status notification; none in other messages."""
    if parsed.get_content_type() != "multipart/report":
        return []
    groups: list[Message] = []
    for part in parsed.walk():
        payload = part.get_payload()
        if part.get_content_type() == "message/delivery-status" and isinstance(payload, list):
            groups.extend(each for each in payload if isinstance(each, Message) and each.get("Action"))
    return groups


def _feedback(parsed: EmailMessage) -> Message | None:
    """The fields of a feedback report (ARF); None in other messages. What a message returns is not looked into."""
    payload = parsed.get_payload()
    if parsed.get_content_type() != "multipart/report" or not isinstance(payload, list):
        return None
    for part in payload:
        if isinstance(part, Message) and part.get_content_type() == "message/feedback-report":
            fields = part.get_payload()
            return fields[0] if isinstance(fields, list) and fields and isinstance(fields[0], Message) else None
    return None


def _kind(parsed: EmailMessage, headers: dict[str, str], reports: list[Message]) -> tuple[Kind, str, str]:
    feedback = _feedback(parsed)
    if feedback is not None:
        about = _plain(feedback.get("Feedback-Type", "")).strip().lower()[:40]
        recipient = parseaddr(_plain(feedback.get("Original-Rcpt-To", "")))[1].lower()[:254]
        return ("complaint" if about in COMPLAINTS else "auto_reply"), about, recipient
    if reports:
        group = next((each for each in reports if str(each["Action"]).strip().lower() == "failed"), reports[0])
        status = _STATUS.search(str(group.get("Status", "")))
        recipient = str(group.get("Final-Recipient", "")).rpartition(";")[2].strip().lower()[:254]
        failed = str(group["Action"]).strip().lower() == "failed"
        return ("bounce" if failed else "delayed"), status[1] if status else "5.0.0", recipient
    local = parseaddr(headers.get("from", ""))[1].lower().partition("@")[0]
    if local in _DAEMONS:
        status = _STATUS.search(_text(parsed))
        found = status[1] if status else "5.0.0"
        return ("delayed" if found.startswith("2") else "bounce"), found, ""
    return ("auto_reply" if _automatic(parsed, headers) else "reply"), "", ""


def _automatic(parsed: EmailMessage, headers: dict[str, str]) -> bool:
    said = headers.get("auto-submitted", "no").split(";")[0].strip().lower()
    if said != "no" or "x-autoreply" in headers or "x-autorespond" in headers:
        return True
    if headers.get("precedence", "").strip().lower() in ("bulk", "junk", "auto_reply", "list"):
        return True
    if headers.get("return-path", "-").strip() == "<>":
        return True
    return bool(_AWAY.match(" ".join(_decoded(parsed, "subject").split())))


def _deliveries(parsed: EmailMessage, headers: dict[str, str], tokens: Tokens) -> Iterator[UUID]:
    addressed = [headers.get(name, "") for name in ("to", "delivered-to", "x-original-to", "cc", "x-envelope-to")]
    feedback = _feedback(parsed)
    told = [] if feedback is None else [_plain(feedback.get("Original-Mail-From", ""))]
    written = [address for header in addressed if header for _, address in getaddresses([header])]
    for address in (*written, *told):
        read = (tokens.read(token) for token in _TOKEN.findall(address.lower()))
        yield from (found for found in read if found is not None)
    for name in ("in-reply-to", "references"):
        yield from (UUID(each) for each in reversed(_IDS.findall(headers.get(name, "").lower())))
    for part in parsed.walk():
        if part.get_content_type() in ("message/rfc822", "text/rfc822-headers") and part is not parsed:
            yield from (UUID(each) for each in _IDS.findall(_returned(part)))


def _returned(part: Message) -> str:
    payload = part.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload else payload
    text = inner.get("Message-ID", "") if isinstance(inner, Message) else inner
    return _plain(text).lower()


def _text(parsed: EmailMessage) -> str:
    """The words of a message: its plain part, else its HTML without tags."""
    try:
        body = parsed.get_body(("plain", "html"))
        content = body.get_content() if body is not None else ""
    except (KeyError, LookupError, ValueError, AttributeError):
        return ""
    words = str(content).replace("\x00", "").encode("utf-8", "replace").decode()
    if body is not None and body.get_content_type() == "text/html":
        words = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", words[: 10 * TEXT_LIMIT], flags=re.I | re.S)
    return words.strip()
