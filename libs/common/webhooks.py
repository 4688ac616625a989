"""Signed webhooks (standardwebhooks.com 1.0): who posted, over the raw bytes, and whether it was posted before.

`webhook-signature` is `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`; several may stand in it, and a source
may have two live secrets. Whatever is missing, malformed or wrong is the one uniform 401.
"""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Select, select, true
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert
from starlette.requests import Request

from libs.common import metrics, refusals
from libs.common.auth import Doorkeeper, doorkeeper
from libs.common.directory.credentials import KnownSource
from libs.common.errors import Conflict, RelanceError, Unauthenticated
from libs.common.refusals import Refusal
from libs.common.seal import unseal
from libs.common.sets import adding, columns, given
from libs.common.tables import webhook_seen

TOLERANCE_SECONDS = 300
OPENED_MOST = 2_000
_ID = re.compile(r"[\x21-\x7e]{1,256}", re.ASCII)
_STAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


class WebhookReused(Conflict):
    """This webhook-id came before with another body."""

    code = "webhook_id_reused"
    remedy = "Give every message its own webhook-id; repeat a message with the same body."


@dataclass(frozen=True, slots=True)
class VerifiedSource:
    """A webhook whose signature is right: whose it is, what it may tell, and its bytes."""

    tenant_id: UUID
    source_id: UUID
    entity_id: UUID
    purpose: Literal["invoices", "payments"]
    body: bytes
    webhook_id: str


def secret_bytes(secret: str) -> bytes:
    """The key behind `whsec_<base64>`. Raises ValueError."""
    return base64.b64decode(secret.removeprefix("whsec_"), validate=True)


def sign(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """The `v1,…` signature of one message under one secret."""
    mac = hmac.digest(secret_bytes(secret), f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(mac).decode()}"


@dataclass(frozen=True, slots=True)
class Shown:
    """The three headers of a signed message as they came; None where one is missing or stands twice."""

    webhook_id: str | None
    stamp: str | None
    signatures: str | None


def genuine(keys: Sequence[bytes], shown: Shown, body: bytes, now: float) -> bool:
    """Whether one of the signatures is right under one of the keys, within five minutes of `now` (unix seconds)."""
    webhook_id, stamp, signatures = shown.webhook_id, shown.stamp, shown.signatures
    if not (webhook_id and stamp and signatures and len(signatures) <= 4_000):
        return False
    if not (_ID.fullmatch(webhook_id) and _STAMP.fullmatch(stamp) and abs(now - int(stamp)) <= TOLERANCE_SECONDS):
        return False
    given = [
        mac for version, _, mac in (part.partition(",") for part in signatures.split(" ")) if version == "v1" and mac
    ]
    message = f"{webhook_id}.{stamp}.".encode() + body
    right = False
    for key in keys:
        mac = base64.b64encode(hmac.digest(key, message, "sha256"))
        for one in given:
            right |= hmac.compare_digest(mac, one.encode("utf-8", "replace"))
    return right


async def verified_webhook(
    request: Request, *, purpose: Literal["invoices", "payments"] | None = None
) -> VerifiedSource:
    """The source that signed this request, named by the path's `source`. Raises Unauthenticated or QuotaExceeded.

    `purpose` refuses a source that was made for something else. The body is raw: read it with `http.read_json`.
    """
    keeper = doorkeeper(request)
    body = await request.body()
    known = await keeper.source(_source_id(request))
    told = purpose or (known.purpose if known else "unknown")
    shown = Shown(*(_one(request, f"webhook-{name}") for name in ("id", "timestamp", "signature")))
    usable = known is not None and known.active and known.purpose == told
    keys = _opened(keeper, known) if known is not None and usable else [bytes(24)]
    if not genuine(keys, shown, body, time.time()) or known is None or not usable:
        metrics.WEBHOOKS.labels(told, "refused").inc()
        if known is not None:
            code, title = why(known, told, shown, time.time())
            keeper.refusals.note(Refusal(known.tenant_id, known.source_id, code, title))
        raise Unauthenticated
    keeper.quota.take(known.tenant_id)
    metrics.WEBHOOKS.labels(told, "verified").inc()
    told_by = (known.tenant_id, known.source_id, known.entity_id, known.purpose)
    verified = VerifiedSource(*told_by, body, shown.webhook_id or "")
    request.state.refused = partial(_refused, keeper, verified)
    return verified


def why(known: KnownSource, purpose: str, shown: Shown, now: float) -> tuple[str, str]:
    """What was wrong with a message that a known source seems to have sent: a code and a sentence, for its owner.

    The sender learns nothing of it: the answer is the one uniform 401.
    """
    if not known.active:
        return "source_closed", "The source is closed."
    if known.purpose != purpose:
        return "wrong_purpose", "The source was made for something else."
    if not (shown.webhook_id and shown.stamp and shown.signatures):
        return (
            "header_missing",
            "webhook-id, webhook-timestamp or webhook-signature is missing or stands twice.",
        )
    if not (_ID.fullmatch(shown.webhook_id) and _STAMP.fullmatch(shown.stamp) and len(shown.signatures) <= 4_000):
        return "header_malformed", "A header is not written as Standard Webhooks says."
    if abs(now - int(shown.stamp)) > TOLERANCE_SECONDS:
        return "timestamp_off", "webhook-timestamp is more than five minutes off."
    return "signature_wrong", "The signature fits no live secret of the source."


def _refused(keeper: Doorkeeper, told: VerifiedSource, error: RelanceError) -> None:
    """Keep why a message was refused whose signature was right."""
    facts = refusals.of(error)
    if facts is not None:
        code, title, field = facts
        keeper.refusals.note(Refusal(told.tenant_id, told.source_id, code, title, field, told.webhook_id))


def _source_id(request: Request) -> UUID:
    try:
        return UUID(str(request.path_params.get("source", "")))
    except ValueError:
        raise Unauthenticated from None


def _one(request: Request, name: str) -> str | None:
    found = request.headers.getlist(name)
    return found[0] if len(found) == 1 else None


def _opened(keeper: Doorkeeper, known: KnownSource) -> list[bytes]:
    if len(keeper.opened) > OPENED_MOST:
        keeper.opened.clear()
    for sealed in known.sealed_secrets:
        if sealed not in keeper.opened:
            keeper.opened[sealed] = secret_bytes(unseal(keeper.settings.seal_keys, sealed))
    return [keeper.opened[sealed] for sealed in known.sealed_secrets]


async def remember(db: AsyncConnection, *messages: VerifiedSource) -> None:
    """Keep the ids of these messages, in the transaction that takes them. Raises WebhookReused.

    The same id with the same body passes: the natural key of what it tells makes it harmless.
    """
    told: dict[tuple[UUID, UUID, str], bytes] = {}
    for it in messages:
        digest = hashlib.sha256(it.body).digest()
        if told.setdefault((it.tenant_id, it.source_id, it.webhook_id), digest) != digest:
            raise WebhookReused
    rows = [dict(zip(_SEEN, (*name, digest), strict=True)) for name, digest in sorted(told.items())]
    if not rows:
        return
    if len((await db.execute(_adding(), columns(rows))).all()) == len(rows):
        return
    for tenant, source, name, digest in await db.execute(_kept(), columns(rows)):
        if told[tenant, source, name] != digest:
            raise WebhookReused


_SEEN = ("tenant_id", "source_id", "webhook_id", "body_sha256")


@cache
def _adding() -> ReturningInsert[tuple[str]]:
    """Keep those given that are not on record; answers which they are."""
    return adding(webhook_seen, _SEEN).returning(webhook_seen.c.webhook_id)


@cache
def _kept() -> Select[Any]:
    """What is on record of the messages given; one look-up by the key for each."""
    asked, seen = given(webhook_seen, _SEEN), webhook_seen.c
    same = (seen[name] == asked.c[name] for name in _SEEN[:3])
    found = select(seen.body_sha256).where(*same).limit(1).lateral()
    return select(*(asked.c[name] for name in _SEEN[:3]), found.c.body_sha256).select_from(asked.join(found, true()))
